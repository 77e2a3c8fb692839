// Checks an export with implementations that are not ours: the checkpoint's Ed25519 signature and
// the inclusion proofs with sigstore's verifier, the ML-DSA-44 cosignature with noble. The message
// that the latter signs is put together here from c2sp.org/tlog-cosignature.
import { readFileSync } from "node:fs";
import { createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";

const require = createRequire(import.meta.url);
const inside = (name) => require(`${require.resolve("@sigstore/verify").replace(/index\.js$/, "")}${name}`);
const { verifyCheckpoint } = inside("tlog/checkpoint.js");
const { verifyMerkleInclusion } = inside("tlog/merkle.js");

const { head, cases } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const vkey = (text) => {
  const [name, id, key] = text.split("+", 3);
  const rest = text.slice(name.length + id.length + 2);
  return { name, id: Buffer.from(id, "hex"), raw: Buffer.from(rest || key, "base64").subarray(1) };
};

const log = vkey(head.log_key);
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), log.raw]);
const tlogs = [{ logID: log.id, baseURL: log.name, publicKey: createPublicKey({ key: spki, format: "der", type: "spki" }) }];
for (const { entry, index, hashes } of cases) {
  const given = { canonicalizedBody: Buffer.from(entry), inclusionProof: { logIndex: String(index), hashes: hashes.map((h) => Buffer.from(h, "hex")), checkpoint: { envelope: head.checkpoint } } };
  verifyMerkleInclusion(given, verifyCheckpoint(given, tlogs));
  const other = { ...given, canonicalizedBody: Buffer.from(`${entry} `) };
  let refused = false;
  try { verifyMerkleInclusion(other, verifyCheckpoint(other, tlogs)); } catch { refused = true; }
  if (!refused) throw new Error("a changed entry was accepted");
}

const second = vkey(head.cosign_key);
const [origin, size, root] = head.checkpoint.split("\n");
const line = head.checkpoint.split("\n").map((l) => l.match(/^— (\S+) (\S+)$/)).find((m) => m && Buffer.from(m[2], "base64").subarray(0, 4).equals(second.id));
const stamped = Buffer.from(line[2], "base64").subarray(4);
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; };
const short = (text) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
const message = (n) => Buffer.concat([Buffer.from("subtree/v1\n\0"), short(second.name), stamped.subarray(0, 8), short(origin), u64(0), u64(n), Buffer.from(root, "base64")]);
const bytes = (b) => new Uint8Array(b);
if (!ml_dsa44.verify(bytes(stamped.subarray(8)), bytes(message(size)), bytes(second.raw))) throw new Error("the ML-DSA-44 cosignature does not verify");
if (ml_dsa44.verify(bytes(stamped.subarray(8)), bytes(message(Number(size) + 1)), bytes(second.raw))) throw new Error("a changed checkpoint was accepted");
console.log(`${cases.length} inclusion proofs, checkpoint, ML-DSA-44 cosignature: all verify`);
