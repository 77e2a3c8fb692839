// The one dialog that asks who is there, wherever on the pages something risky was sent: for the password, a
// passkey, or a sign-in at another service, whichever this person has.
import { Button, Divider, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { get, onStepUp, postPlain } from "../api";
import { Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { canPasskey, provePasskey } from "./passkeys";
import { leaveFor } from "./providers";

interface Ways { password: boolean; passkey: boolean; code: boolean; app: boolean; providers: { id: string; label: string }[] }

export function StepUpDialog() {
  const [asking, setAsking] = useState(false);
  const answer = useRef<(yes: boolean) => void>(() => undefined);
  useEffect(() => {
    onStepUp(() => new Promise((resolve) => { answer.current = resolve; setAsking(true); }));
    return () => onStepUp(null);
  }, []);
  const done = (yes: boolean) => { setAsking(false); answer.current(yes); };
  return (
    <Modal opened={asking} onClose={() => done(false)} title="Is it you?" zIndex={300} closeButtonProps={{ "aria-label": "Close" }}>
      {asking && <Ask onDone={done} />}
    </Modal>
  );
}

type Done = { onDone: (yes: boolean) => void };

function Ask({ onDone }: Done) {
  const ways = useQuery({ queryKey: ["step-up-ways"], queryFn: () => get<Ways>("/session/step-up"), gcTime: 0 });
  const passkey = ways.data?.passkey && canPasskey();
  return (
    <Stack>
      <Text size="sm">What you are about to do needs a fresh proof that it is you. It holds for five minutes.</Text>
      <Failure error={ways.error} />
      {ways.isPending && <Waiting what="the ways to prove it" />}
      {passkey && <Passkey onDone={onDone} />}
      {ways.data?.password && passkey && <Divider label="or" />}
      {ways.data?.password && <Password ways={ways.data} onDone={onDone} />}
      {ways.data && ways.data.providers.length > 0 && <Elsewhere ways={ways.data} />}
      {ways.data && !ways.data.password && !passkey && ways.data.providers.length === 0 && (
        <Text size="sm">There is no way to do that here: your passkey is on another device. Sign in there, or give yourself a password.</Text>
      )}
      <Group justify="flex-end"><Button variant="default" onClick={() => onDone(false)}>Cancel</Button></Group>
    </Stack>
  );
}

export const codeOf = (ways: { app: boolean }) => (ways.app ? "Of your authenticator app, or a recovery code" : "One of your recovery codes, as you have no authenticator app");

function Password({ ways, onDone }: Done & { ways: Ways }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const prove = useMutation({ mutationFn: () => postPlain("/session/step-up", { password, ...(ways.code && { code: code.trim() }) }), onSuccess: () => onDone(true) });
  return (
    <Stack component="form" gap="xs" onSubmit={(e: React.FormEvent) => { e.preventDefault(); e.stopPropagation(); prove.mutate(); }}>
      <PasswordInput label="Your password" name="password" required data-autofocus autoFocus autoComplete="current-password"
                     value={password} onChange={(e) => setPassword(e.currentTarget.value)}
                     visibilityToggleButtonProps={{ "aria-label": "Show password", tabIndex: 0 }} />
      {ways.code && <TextInput label="Code" description={codeOf(ways)} name="code" required autoComplete="one-time-code" inputMode="text"
                            value={code} onChange={(e) => setCode(e.currentTarget.value)} />}
      <Failure error={prove.error} />
      <Button type="submit" loading={prove.isPending}>Continue</Button>
    </Stack>
  );
}

function Passkey({ onDone }: Done) {
  const prove = useMutation({ mutationFn: provePasskey, onSuccess: () => onDone(true) });
  return (
    <Stack gap="xs">
      <Button variant="default" loading={prove.isPending} onClick={() => prove.mutate()}>Use a passkey</Button>
      <Failure error={prove.error} />
    </Stack>
  );
}

// The browser leaves this page; what was typed stays behind.
function Elsewhere({ ways }: { ways: Ways }) {
  const leave = useMutation({ mutationFn: (id: string) => leaveFor(id, "step-up", window.location.pathname) });
  return (
    <Stack gap="xs">
      <Divider label="or sign in anew at" />
      {ways.providers.map((p) => (
        <Button key={p.id} variant="default" loading={leave.isPending && leave.variables === p.id} onClick={() => leave.mutate(p.id)}><Foreign text={p.label} /></Button>
      ))}
      <Text size="xs" c="dimmed">You come back to this page and do what you were about to do once more.</Text>
      <Failure error={leave.error} />
    </Stack>
  );
}
