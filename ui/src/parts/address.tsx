// The address of one's account: whether it is confirmed, and how to change it.
import { Alert, Badge, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, postPlain, putPlain, type Account } from "../api";
import { Ago, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";

export function AddressOfAccount() {
  const account = useQuery({ queryKey: ["account"], queryFn: () => get<Account>("/account") });
  const a = account.data;
  return (
    <Stack gap="sm" maw={560}>
      <Failure error={account.error} />
      {account.isPending && <Waiting what="your address" />}
      {a && <Group gap="xs"><b><Foreign text={a.email} /></b>{a.email_verified_at
        ? <Badge variant="light" color="green">confirmed</Badge> : <Badge variant="light" color="gray">not confirmed</Badge>}
        {a.email_verified_at && <Text size="sm" c="dimmed"><Ago at={a.email_verified_at} /></Text>}</Group>}
      {a && !a.mail && <Text size="sm" c="dimmed">This installation sends no mail, so an address can be neither confirmed nor changed. Whoever runs it sets a mail server in its configuration.</Text>}
      {a?.mail && !a.email_verified_at && <Confirm email={a.email} />}
      {a?.wanted_email && <Text size="sm">To be <b><Foreign text={a.wanted_email} /></b> once the link that was sent there is confirmed. <TakeBack email={a.email} /></Text>}
      {a?.mail && <Change />}
    </Stack>
  );
}

function TakeBack({ email }: { email: string }) {
  const queries = useQueryClient();
  const back = useMutation({ mutationFn: () => putPlain("/account/email", { email }), onSuccess: () => queries.invalidateQueries({ queryKey: ["account"] }) });
  return <><Button size="compact-xs" variant="default" loading={back.isPending} onClick={() => back.mutate()}>Keep the old one</Button><Failure error={back.error} /></>;
}

function Confirm({ email }: { email: string }) {
  const send = useMutation({ mutationFn: () => postPlain("/account/verification", {}) });
  if (send.isSuccess) return <Alert role="status" variant="light" color="gray">A link is on its way to <Foreign text={email} />.</Alert>;
  return (
    <Stack gap={4} align="flex-start">
      <Text size="sm">A new password can be sent here when you forget yours. Show that the address is yours:</Text>
      <Failure error={send.error} />
      <Button size="xs" variant="default" loading={send.isPending} onClick={() => send.mutate()}>Send me a link</Button>
    </Stack>
  );
}

function Change() {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const change = useMutation({
    mutationFn: () => putPlain("/account/email", { email: email.trim() }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["account"] }),
  });
  return (
    <Stack component="form" gap="xs" onSubmit={(e: React.FormEvent) => { e.preventDefault(); change.mutate(); }}>
      <TextInput label="New address" description="A link is sent there, and word of it to the old one. It changes once the link is confirmed." type="email" required
                 autoComplete="email" value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
      <Failure error={change.error} />
      {change.isSuccess && <Text size="sm" role="status">A link is on its way. The old address stays until it is confirmed.</Text>}
      <Group><Button type="submit" variant="default" loading={change.isPending}>Change the address</Button></Group>
    </Stack>
  );
}
