// My second factor: an authenticator app, and codes for the day it is lost.
import { Alert, Button, Group, Modal, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { encode } from "uqr";
import { get, patchPlain, postPlain, remove } from "../api";
import { Ago, Copy, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { addPasskey, canPasskey } from "./passkeys";

interface Passkey { id: string; name: string; added_at: string; used_at: string | null; suspended: boolean }
interface Factors { totp: { id: string; since: string } | null; passkeys: Passkey[]; recovery_codes: number }
interface Codes { recovery_codes: string[] }
type Asking = "set-up" | "passkey" | "renew" | { id: string; name: string; rename?: true } | null;

export function SecondFactors() {
  const factors = useQuery({ queryKey: ["factors"], queryFn: () => get<Factors>("/account/factors") });
  const [asking, setAsking] = useState<Asking>(null);
  const close = () => setAsking(null);
  const on = factors.data?.totp;
  const any = on || (factors.data?.passkeys.length ?? 0) > 0;
  const title = asking === "set-up" ? "Set up an authenticator app" : asking === "renew" ? "New recovery codes" : asking === "passkey" ? "Add a passkey" : asking?.rename ? `Rename ${asking.name}` : asking ? `Remove ${asking.name}?` : "";
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="second-factor">
      <Stack gap="sm">
        <div><Title order={2} size="h4" id="second-factor">Second factor</Title>
          <Text size="sm" c="dimmed">With one, a stolen password alone signs nobody in. A passkey signs you in without the password, too.</Text></div>
        <Failure error={factors.error} />
        {factors.isPending && <Waiting what="your second factor" />}
        {factors.data && !any && <Text size="sm">None is set up.</Text>}
        <ul className="rows" aria-label="Second factors">
          {on && <FactorRow name="Authenticator app" onRemove={() => setAsking({ id: on.id, name: "the authenticator app" })}>since <Ago at={on.since} /></FactorRow>}
          {factors.data?.passkeys.map((k) => (
            <FactorRow key={k.id} name={k.name} onRename={() => setAsking({ id: k.id, name: k.name, rename: true })} onRemove={() => setAsking({ id: k.id, name: k.name })}>passkey · added <Ago at={k.added_at} /> · last used <Ago at={k.used_at} />{k.suspended && <> · <b>suspended: it may have been copied. Remove it, and add a new one.</b></>}</FactorRow>
          ))}
        </ul>
        {factors.data && <Group gap="xs">
          {!on && <Button variant="default" onClick={() => setAsking("set-up")}>Set up an authenticator app</Button>}
          {canPasskey() && <Button variant="default" onClick={() => setAsking("passkey")}>Add a passkey</Button>}
        </Group>}
        {factors.data && any && <>
          <Text size="sm">{factors.data.recovery_codes} recovery codes are left.</Text>
          {factors.data.recovery_codes < 3 && <Alert color="orange" variant="light" title="Few recovery codes are left">Make new ones before you need the last.</Alert>}
          <Group gap="xs">
            <Button variant="default" onClick={() => setAsking("renew")}>New recovery codes</Button>
          </Group>
        </>}
      </Stack>
      <Modal opened={asking !== null} onClose={close} title={title} closeButtonProps={{ "aria-label": "Close" }}>
        {asking === "set-up" && <SetUp onDone={close} />}
        {asking === "renew" && <Renew onDone={close} />}
        {asking === "passkey" && <AddPasskey onDone={close} />}
        {asking !== null && typeof asking === "object" && (asking.rename ? <Rename id={asking.id} name={asking.name} onDone={close} /> : <Remove id={asking.id} onDone={close} />)}
      </Modal>
    </Paper>
  );
}

function FactorRow({ name, onRename, onRemove, children }: { name: string; onRename?: () => void; onRemove: () => void; children: ReactNode }) {
  return (
    <li>
      <div className="row-text"><b><Foreign text={name} /></b><Text size="sm" c="dimmed">{children}</Text></div>
      <Group gap="xs">
        {onRename && <Button size="xs" variant="default" onClick={onRename} aria-label={`Rename ${name}`}>Rename</Button>}
        <Button size="xs" variant="default" onClick={onRemove} aria-label={`Remove ${name}`}>Remove</Button>
      </Group>
    </li>
  );
}

function Rename({ id, name: before, onDone }: { id: string; name: string; onDone: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(before);
  const rename = useMutation({ mutationFn: () => patchPlain(`/account/factors/${id}`, { name: name.trim() }), onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["factors"] }); onDone(); } });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); rename.mutate(); }}>
      <TextInput label="Name" required maxLength={64} data-autofocus value={name} onChange={(e) => setName(e.currentTarget.value)} />
      <Failure error={rename.error} />
      <Button type="submit" loading={rename.isPending}>Rename</Button>
    </Stack>
  );
}

export function AddPasskey({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const add = useMutation({
    mutationFn: () => addPasskey(name.trim()),
    onSuccess: async (made) => { await queries.invalidateQueries({ queryKey: ["factors"] }); if (!made.recovery_codes.length) onDone(); },
  });
  if (add.data?.recovery_codes.length) return <RecoveryCodes codes={add.data.recovery_codes} onDone={onDone} />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); add.mutate(); }}>
      <TextInput label="Name" description="So that you know it again: the device, or the password manager." required maxLength={64} data-autofocus
                 value={name} onChange={(e) => setName(e.currentTarget.value)} />
      <Failure error={add.error} />
      <Button type="submit" loading={add.isPending}>Go on</Button>
    </Stack>
  );
}

// Drawn as one path, so that no style is made at run time.
function QrCode({ text }: { text: string }) {
  const { data, size } = encode(text, { border: 2 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return (
    <svg viewBox={`0 0 ${size} ${size}`} width="220" height="220" role="img" aria-label="QR code for your authenticator app" shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" /><path d={path} fill="#000" />
    </svg>
  );
}

function SetUp({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const offer = useMutation({ mutationFn: () => postPlain<{ secret: string; uri: string }>("/account/factors/totp-offers", {}) });
  const { mutate } = offer;
  useEffect(() => mutate(), [mutate]);
  const add = useMutation({
    mutationFn: () => postPlain<Codes>("/account/factors/totp", { code: code.trim() }),
    onSuccess: async (made) => { await queries.invalidateQueries({ queryKey: ["factors"] }); if (!made.recovery_codes.length) onDone(); },
  });
  if (add.data?.recovery_codes.length) return <RecoveryCodes codes={add.data.recovery_codes} onDone={onDone} />;
  if (!offer.data) return offer.error ? <Failure error={offer.error} /> : <Waiting what="a new secret" />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); add.mutate(); }}>
      <Text size="sm">Scan this with the app, or type the key in. Then enter the code that the app shows.</Text>
      <QrCode text={offer.data.uri} />
      <div><Text size="sm" c="dimmed">Key</Text><code className="digest">{offer.data.secret.match(/.{1,4}/g)?.join(" ")}</code></div>
      <TextInput label="Code" autoComplete="one-time-code" inputMode="numeric" required maxLength={6} data-autofocus value={code} onChange={(e) => setCode(e.currentTarget.value)} />
      <Failure error={add.error} />
      <Button type="submit" loading={add.isPending}>Turn on</Button>
    </Stack>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <Stack>
      <Alert color="orange" variant="light" title="Keep these codes somewhere safe now">They are shown this once. Each signs you in once, in place of the app.</Alert>
      <ul className="bytes" aria-label="Recovery codes">{codes.map((c) => <li key={c}>{c}</li>)}</ul>
      <Group gap="xs"><Copy text={codes.join("\n")} what="the recovery codes" /><Button onClick={onDone}>I have kept them</Button></Group>
    </Stack>
  );
}

function Renew({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const renew = useMutation({
    mutationFn: () => postPlain<Codes>("/account/factors/recovery-codes", {}),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["factors"] }),
  });
  if (renew.data) return <RecoveryCodes codes={renew.data.recovery_codes} onDone={onDone} />;
  return (
    <Stack>
      <Text>The codes that you have now stop working.</Text>
      <Failure error={renew.error} />
      <Button loading={renew.isPending} onClick={() => renew.mutate()}>Make new codes</Button>
    </Stack>
  );
}

function Remove({ id, onDone }: { id: string; onDone: () => void }) {
  const queries = useQueryClient();
  const take = useMutation({
    mutationFn: () => remove(`/account/factors/${id}`),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["factors"] }); onDone(); },
  });
  return (
    <Stack>
      <Text>Without a second factor your password alone signs you in, and the recovery codes are gone.</Text>
      <Failure error={take.error} />
      <Button color="red" loading={take.isPending} onClick={() => take.mutate()}>Remove it</Button>
    </Stack>
  );
}
