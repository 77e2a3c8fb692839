// Checks in the browser that an entry is in the log that the signed checkpoint speaks of. The note's
// signature is not checked here: `caip audit verify` does that, with a key that was not just sent along.
import { get, getText } from "./api";

type Bytes = Uint8Array<ArrayBuffer>;

/** RFC 8785 for what entries hold: strings, integers, booleans, null, lists, objects. */
export function canonical(v: unknown): string {
  if (Array.isArray(v)) return `[${v.map(canonical).join(",")}]`;
  if (v === null || typeof v !== "object") return JSON.stringify(v);
  const o = v as Record<string, unknown>;
  return `{${Object.keys(o).sort().map((k) => `${JSON.stringify(k)}:${canonical(o[k])}`).join(",")}}`;
}

async function hash(...parts: Bytes[]): Promise<Bytes> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) { all.set(p, at); at += p.length; }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}
const leaf = (bytes: Bytes) => hash(new Uint8Array([0]), bytes);
const node = (left: Bytes, right: Bytes) => hash(new Uint8Array([1]), left, right);

const hex = (b: Bytes) => [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
const unhex = (s: string) => new Uint8Array((s.match(/../g) ?? []).map((x) => parseInt(x, 16)));

/** RFC 9162 section 2.1.3.2, with the root it leads to; null when the path has the wrong length. */
async function rootFrom(index: number, size: number, entry: Bytes, path: Bytes[]): Promise<Bytes | null> {
  let fn = index, sn = size - 1, r = entry;
  for (const p of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      r = await node(p, r);
      while (fn % 2 === 0 && fn !== 0) { fn = Math.floor(fn / 2); sn = Math.floor(sn / 2); }
    } else r = await node(r, p);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? r : null;
}

export type Verdict = "holds" | "too new" | "does not hold";

export async function checkEntry(index: number, entry: unknown): Promise<Verdict> {
  const [, sizeText, rootText] = (await getText("/audit/checkpoint")).split("\n");
  const size = Number(sizeText);
  if (!(index < size)) return "too new";
  const proof = await get<{ hashes: string[] }>(`/audit/proofs/inclusion?index=${index}&size=${size}`);
  const mine = await leaf(new TextEncoder().encode(canonical(entry)));
  const root = await rootFrom(index, size, mine, proof.hashes.map(unhex));
  const said = Uint8Array.from(atob(rootText ?? ""), (c) => c.charCodeAt(0));
  return root !== null && hex(root) === hex(said) ? "holds" : "does not hold";
}
