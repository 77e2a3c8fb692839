// Passkeys: the browser asks the authenticator, the server checks what it answered.
import { Button, Stack } from "@mantine/core";
import { browserSupportsWebAuthn, startAuthentication, startRegistration } from "@simplewebauthn/browser";
import { useMutation } from "@tanstack/react-query";
import { postPlain } from "../api";
import { Failure } from "./common";

export const canPasskey = browserSupportsWebAuthn;

interface Challenge { challenge: string; site: string }
interface Offer extends Challenge { site_name: string; user: string; user_name: string; known: string[] }

// What browsers say, in words that help.
function said(error: unknown): Error {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "AbortError") return new Error("The passkey was not used: it was cancelled, took too long, or there is none here for this site.");
  if (name === "InvalidStateError") return new Error("This device has a passkey for your account already.");
  return error instanceof Error ? error : new Error("The browser could not use a passkey.");
}

async function answered(c: Challenge & { known?: string[] }) {
  const allowCredentials = (c.known ?? []).map((id) => ({ id, type: "public-key" as const }));
  const answer = await startAuthentication({ optionsJSON: { challenge: c.challenge, rpId: c.site, userVerification: "required", allowCredentials } })
    .catch((e: unknown) => { throw said(e); });
  return { credential: answer.rawId, client_data: answer.response.clientDataJSON,
    authenticator_data: answer.response.authenticatorData, signature: answer.response.signature };
}

async function signInWithPasskey() {
  return postPlain("/sessions/passkey", await answered(await postPlain<Challenge>("/sessions/passkey-challenges", {})));
}

/** A step-up: one of this person's own passkeys, and its user verified. */
export async function provePasskey() {
  const challenge = await postPlain<Challenge & { known: string[] }>("/session/step-up/passkey-challenges", {});
  return postPlain("/session/step-up/passkey", await answered(challenge));
}

export async function addPasskey(name: string) {
  const o = await postPlain<Offer>("/account/factors/passkey-offers", {});
  const made = await startRegistration({ optionsJSON: {
    challenge: o.challenge, rp: { id: o.site, name: o.site_name }, user: { id: o.user, name: o.user_name, displayName: o.user_name },
    pubKeyCredParams: [-7, -8, -257].map((alg) => ({ alg, type: "public-key" as const })), attestation: "none",
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    excludeCredentials: o.known.map((id) => ({ id, type: "public-key" as const })),
  } }).catch((e: unknown) => { throw said(e); });
  return postPlain<{ recovery_codes: string[] }>("/account/factors/passkeys", { name, client_data: made.response.clientDataJSON, attestation: made.response.attestationObject });
}

/** Signs in with a passkey alone; nothing where the browser has none. */
export function PasskeyButton({ onDone }: { onDone: () => void }) {
  const use = useMutation({ mutationFn: signInWithPasskey, onSuccess: onDone });
  if (!canPasskey()) return null;
  return (
    <Stack gap="xs">
      <Button variant="default" loading={use.isPending} onClick={() => use.mutate()}>Use a passkey</Button>
      <Failure error={use.error} />
    </Stack>
  );
}
