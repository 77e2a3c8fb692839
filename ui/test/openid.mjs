// A real OpenID provider for the tests, with its own pages to sign in and consent:
//   node openid.mjs PORT REDIRECT_URI [ALG]     prints "ready"
// Whoever signs in as NAME is NAME@example.org, verified. A line on standard input puts new keys in
// place of the old ones and prints "rotated".
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [port, redirect, algorithm = "RS256"] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

function keys(generation) {
  const made = [["RS256", "rsa", { modulusLength: 2048 }], ["ES256", "ec", { namedCurve: "P-256" }], ["EdDSA", "ed25519", {}]];
  return { keys: made.map(([alg, type, options]) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `${alg}-${generation}` })) };
}

const provider = (generation) => new Provider(issuer, {
  clients: [{ client_id: "caip", client_secret: process.env.CLIENT_SECRET, redirect_uris: [redirect], id_token_signed_response_alg: algorithm,
    token_endpoint_auth_method: process.env.CLIENT_AUTH ?? "client_secret_basic" }],
  clientAuthMethods: [process.env.CLIENT_AUTH ?? "client_secret_basic"],
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
  jwks: keys(generation),
  cookies: { keys: ["for tests only"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true, methods: ["S256"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true, name: id }) }),
});

let generation = 1;
let answer = provider(generation).callback();
createServer((req, res) => answer(req, res)).listen(Number(port), "127.0.0.1", () => console.log("ready"));
createInterface({ input: process.stdin }).on("line", () => {
  answer = provider(++generation).callback();
  console.log("rotated");
});
