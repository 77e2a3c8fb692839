// How I can sign in besides my password: accounts at other services, linked and unlinked here.
import { Button, Group, Modal, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, remove } from "../api";
import { Ago, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { leaveFor, useSignInMethods } from "./providers";

interface Identity { id: string; provider: string; shown: string; linked_at: string; used_at: string | null }
export interface Identities { password: boolean; identities: Identity[] }

export function SignInMethods() {
  const linked = useQuery({ queryKey: ["identities"], queryFn: () => get<Identities>("/account/identities") });
  const offered = useSignInMethods();
  const providers = offered.data?.providers ?? [];
  const label = (id: string) => providers.find((p) => p.id === id)?.label ?? id;
  if (offered.data && linked.data && providers.length === 0 && linked.data.identities.length === 0) return null;  // none configured
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="sign-in-methods">
      <Stack gap="sm">
        <div><Title order={2} size="h4" id="sign-in-methods">Sign-in methods</Title>
          <Text size="sm" c="dimmed">An account at another service that is linked here signs you in. It is known by its number there, not by its e-mail address.</Text></div>
        <Failure error={linked.error ?? offered.error} />
        {linked.isPending && <Waiting what="your sign-in methods" />}
        {linked.data?.identities.length === 0 && <Text size="sm">Nothing is linked yet.</Text>}
        <ul className="rows" aria-label="Linked accounts">
          {linked.data?.identities.map((i) => <Row key={i.id} identity={i} label={label(i.provider)} />)}
        </ul>
        <Group gap="xs">{providers.map((p) => <LinkButton key={p.id} id={p.id} label={p.label} />)}</Group>
      </Stack>
    </Paper>
  );
}

export function LinkButton({ id, label }: { id: string; label: string }) {
  const leave = useMutation({ mutationFn: () => leaveFor(id, "link", window.location.pathname) });
  return (
    <Stack gap={4}>
      <Button variant="default" loading={leave.isPending} onClick={() => leave.mutate()}><Foreign text={`Link ${label}`} /></Button>
      <Failure error={leave.error} />
    </Stack>
  );
}

function Row({ identity: i, label }: { identity: Identity; label: string }) {
  const [asking, setAsking] = useState(false);
  return (
    <li>
      <div className="row-text"><b><Foreign text={label} /></b>
        <Text size="sm" c="dimmed"><Foreign text={i.shown} /> · linked <Ago at={i.linked_at} /> · last sign-in <Ago at={i.used_at} /></Text></div>
      <Button size="xs" variant="default" onClick={() => setAsking(true)} aria-label={`Unlink ${label} ${i.shown}`}>Unlink</Button>
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Unlink ${label}?`} closeButtonProps={{ "aria-label": "Close" }}>
        {asking && <Unlink identity={i} onDone={() => setAsking(false)} />}
      </Modal>
    </li>
  );
}

function Unlink({ identity, onDone }: { identity: Identity; onDone: () => void }) {
  const queries = useQueryClient();
  const unlink = useMutation({
    mutationFn: () => remove(`/account/identities/${identity.id}`),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["identities"] }); onDone(); },
  });
  return (
    <Stack>
      <Text>From now on <b><Foreign text={identity.shown} /></b> no longer signs you in. You can link it again.</Text>
      <Failure error={unlink.error} />
      <Button color="red" loading={unlink.isPending} onClick={() => unlink.mutate()}>Unlink now</Button>
    </Stack>
  );
}
