// Invitations: made, sent again, revoked. A link goes by letter alone; where no mail is sent, it is shown once, to whoever
// made it.
import { Badge, Button, Code, Group, Modal, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, remove, type Invitation, type List, type NewInvitation } from "../api";
import { Ago, Copy, Failure, Waiting } from "../parts/common";
import { ExactBytes, Foreign } from "../parts/foreign";
import { More } from "../parts/more";
import { useSignInMethods } from "../parts/providers";
import { useMay } from "../session";
import { roles } from "./members";

const colors: Record<string, string> = { open: "orange", accepted: "green", revoked: "gray", expired: "gray" };

export function Invitations() {
  const mayInvite = useMay("invitation.create");
  const [inviting, setInviting] = useState(false);
  const found = useInfiniteQuery({
    queryKey: ["invitations"], initialPageParam: "",
    queryFn: ({ pageParam }) => get<List<Invitation>>(`/invitations?limit=50${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ""}`),
    getNextPageParam: (last) => last.next_cursor,
  });
  const all = found.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <Stack>
      {mayInvite && <Group justify="end"><Button onClick={() => setInviting(true)}>Invite a person</Button></Group>}
      <Failure error={found.error} />
      {found.isPending && <Waiting what="invitations" />}
      {found.data && all.length === 0 && <Text c="dimmed">Nobody was invited yet.</Text>}
      <ul className="rows" aria-label="Invitations">{all.map((i) => <Row key={i.id} invitation={i} />)}</ul>
      <More query={found} />
      <Modal opened={inviting} onClose={() => setInviting(false)} title="Invite a person" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
        {inviting && <InviteForm onDone={() => setInviting(false)} />}
      </Modal>
    </Stack>
  );
}

function Row({ invitation: i }: { invitation: Invitation }) {
  const queries = useQueryClient();
  const mayResend = useMay("invitation.create");
  const mayRevoke = useMay("invitation.revoke");
  const mail = useSignInMethods().data?.password_reset ?? false;
  const again = useMutation({ mutationFn: () => post<NewInvitation>(`/invitations/${i.id}/resend`, {}), gcTime: 0 });
  const revoke = useMutation({ mutationFn: () => remove(`/invitations/${i.id}`), onSettled: () => queries.invalidateQueries({ queryKey: ["invitations"] }) });
  const alive = i.state === "open" || i.state === "expired";
  return (
    <li>
      <div className="row-text"><b><Foreign text={i.email} /></b><Text size="sm" c="dimmed">as {i.role}, invited <Ago at={i.created_at} />{i.state === "open" && <>, ends <Ago at={i.expires_at} /></>}</Text></div>
      <Badge variant="light" color={colors[i.state] ?? "gray"}>{i.state}</Badge>
      {alive && (
        <Group gap="xs">
          {mayResend && <Button size="xs" variant="default" aria-label={`${mail ? "Send again to" : "New link for"} ${i.email}`} loading={again.isPending} onClick={() => again.mutate()}>{mail ? "Send again" : "New link"}</Button>}
          {mayRevoke && i.state === "open" && <Button size="xs" variant="default" aria-label={`Revoke the invitation of ${i.email}`} loading={revoke.isPending} onClick={() => revoke.mutate()}>Revoke</Button>}
        </Group>
      )}
      <Failure error={again.error ?? revoke.error} />
      <Modal opened={again.data !== undefined} onClose={() => { again.reset(); void queries.invalidateQueries({ queryKey: ["invitations"] }); }} title={mail ? "Sent again" : "A new link"} size="lg" closeButtonProps={{ "aria-label": "Close" }}>
        {again.data && <Shown invitation={again.data} />}
      </Modal>
    </li>
  );
}

function Shown({ invitation: i }: { invitation: NewInvitation }) {
  if (i.link === null)
    return <Text>A letter with the link is on its way to <b><Foreign text={i.email} /></b>. It works once; links of before are worth nothing. If it does not arrive, send it again from the list.</Text>;
  return (
    <Stack>
      <Text>Send this link to <b><Foreign text={i.email} /></b>, by a way that nobody else reads: whoever holds it can use it. It is not shown again and works once. Links of before are worth nothing.</Text>
      <Code block className="bytes" tabIndex={0} aria-label="Invitation link"><ExactBytes text={i.link} /></Code>
      <Group justify="end"><Copy text={i.link} what="invitation link" /></Group>
    </Stack>
  );
}

function InviteForm({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState("viewer");
  const [days, setDays] = useState("7");
  const invite = useMutation({
    mutationFn: () => post<NewInvitation>("/invitations", { email: email.trim(), role, days: Number(days) }),
    gcTime: 0,
    onSuccess: () => queries.invalidateQueries({ queryKey: ["invitations"] }),
  });
  if (invite.data) return <Stack><Shown invitation={invite.data} /><Button data-autofocus onClick={onDone}>Done</Button></Stack>;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); invite.mutate(); }}>
      <TextInput label="E-mail" type="email" required data-autofocus autoComplete="off" value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
      <NativeSelect label="Role" value={role} onChange={(e) => setRole(e.currentTarget.value)} data={roles} />
      <NativeSelect label="Valid for" value={days} onChange={(e) => setDays(e.currentTarget.value)}
                    data={[{ value: "1", label: "1 day" }, { value: "7", label: "7 days" }, { value: "30", label: "30 days" }]} />
      <Failure error={invite.error} />
      <Button type="submit" loading={invite.isPending}>Invite</Button>
    </Stack>
  );
}
