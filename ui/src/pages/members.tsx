import { Badge, Button, Group, Modal, NativeSelect, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { getAll, patch, post, postVersion, remove, removeShown, type Held, type Member } from "../api";
import { Ago, Failure, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { StillHeld } from "../parts/held";
import { useMay, useSession } from "../session";

export const roles = ["viewer", "member", "admin", "owner"];

export function Members() {
  const members = useQuery({ queryKey: ["members"], queryFn: () => getAll<Member>("/members") });
  const mayAdd = useMay("member.add");
  const mayChange = useMay("member.change_role");
  const me = useSession().user.id;
  const [adding, setAdding] = useState(false);
  return (
    <Stack>
      {mayAdd && <Group justify="end"><Button variant="default" onClick={() => setAdding(true)}>Add a member</Button></Group>}
      <Failure error={members.error} />
      {members.isPending && <Waiting what="the team" />}
      <ul className="rows" aria-label="Members">
        {members.data?.data.map((m) => (
          <li key={m.id}>
            <div className="row-text"><b><Foreign text={m.email} /></b> {m.disabled_at && <Badge variant="light" color="red">disabled</Badge>}<Text size="sm" c="dimmed">since <Ago at={m.created_at} />{m.id === me && ", you"}</Text></div>
            {mayChange && m.id !== me ? <RoleOf member={m} /> : <span>{m.role}</span>}
            {m.id !== me && <Gone member={m} />}
          </li>
        ))}
      </ul>
      {members.data?.data.length === 1 && <Text c="dimmed">Only you so far. Invite somebody: the link is for one person and works once.</Text>}
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a member" closeButtonProps={{ "aria-label": "Close" }}>
        {adding && <AddMember onDone={() => setAdding(false)} />}
      </Modal>
    </Stack>
  );
}

const titles = { owner: "Hand your ownership over", factors: "Reset second factors", access: "Access to the organisation", remove: "Remove from the organisation" };

// Removing, disabling, and handing one's own ownership over: what is asked for says what it does.
function Gone({ member: m }: { member: Member }) {
  const [open, setOpen] = useState<"remove" | "owner" | "factors" | "access" | null>(null);
  const mayDisable = useMay("member.disable");
  const access = m.disabled_at ? "Enable" : "Disable";
  const mayRemove = useMay("member.remove");
  const mayHandOver = useMay("ownership.transfer");
  const mayChange = useMay("member.change_role");
  return (
    <Group gap="xs">
      {mayHandOver && !m.disabled_at && <Button size="xs" variant="default" aria-label={`Hand over to ${m.email}`} onClick={() => setOpen("owner")}>Hand over</Button>}
      {mayChange && <Button size="xs" variant="default" aria-label={`Reset factors of ${m.email}`} onClick={() => setOpen("factors")}>Reset factors</Button>}
      {mayDisable && <Button size="xs" variant="default" aria-label={`${access} ${m.email}`} onClick={() => setOpen("access")}>{access}</Button>}
      {mayRemove && <Button size="xs" variant="default" aria-label={`Remove ${m.email}`} onClick={() => setOpen("remove")}>Remove</Button>}
      <Modal opened={open !== null} onClose={() => setOpen(null)} title={open ? titles[open] : ""} closeButtonProps={{ "aria-label": "Close" }}>
        {open === "remove" && <RemoveForm member={m} onDone={() => setOpen(null)} />}
        {open === "owner" && <HandOverForm member={m} />}
        {open === "factors" && <ResetFactors member={m} onDone={() => setOpen(null)} />}
        {open === "access" && <AccessForm member={m} onDone={() => setOpen(null)} />}
      </Modal>
    </Group>
  );
}

function ResetFactors({ member: m, onDone }: { member: Member; onDone: () => void }) {
  const reset = useMutation({ mutationFn: () => remove(`/members/${m.id}/factors`), onSuccess: onDone });
  return (
    <Stack>
      <Text size="sm">The authenticator app, passkeys and recovery codes of <Foreign text={m.email} /> are removed, and all their sessions end. Until they set up new ones, their password alone signs them in: make sure that it is they who ask.</Text>
      <Failure error={reset.error} />
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>Cancel</Button>
        <Button color="red" loading={reset.isPending} onClick={() => reset.mutate()}>Reset</Button>
      </Group>
    </Stack>
  );
}

function AccessForm({ member: m, onDone }: { member: Member; onDone: () => void }) {
  const queries = useQueryClient();
  const off = m.disabled_at === null;
  const change = useMutation({
    mutationFn: () => postVersion<Member>(`/members/${m.id}/${off ? "disable" : "enable"}`, {}, m.version),
    onSuccess: async () => { onDone(); await queries.invalidateQueries({ queryKey: ["members"] }); },
  });
  return (
    <Stack>
      {off
        ? <Text><b><Foreign text={m.email} /></b> is let in no more from now on: sessions, streams and undecided proposals end, API tokens wait. They stay a member, and you can enable them again.</Text>
        : <Text><b><Foreign text={m.email} /></b> may sign in again as {m.role}, and their API tokens work again. What ended does not come back.</Text>}
      <Failure error={change.error} />
      <Group justify="end">
        <Button variant="default" data-autofocus onClick={onDone}>Cancel</Button>
        <Button color={off ? "red" : "blue"} loading={change.isPending} onClick={() => change.mutate()}>{off ? "Disable now" : "Enable now"}</Button>
      </Group>
    </Stack>
  );
}

function RemoveForm({ member: m, onDone }: { member: Member; onDone: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({ mutationFn: () => removeShown<{ still_held: Held }>(`/members/${m.id}`, m.version) });
  const done = async () => { onDone(); await queries.invalidateQueries({ queryKey: ["members"] }); };
  if (remove.data)
    return (
      <Stack>
        <Text><b><Foreign text={m.email} /></b> is out: sessions, streams, tokens and undecided proposals have ended.</Text>
        <StillHeld held={remove.data.still_held} />
        <Button data-autofocus onClick={() => void done()}>Done</Button>
      </Stack>
    );
  return (
    <Stack>
      <Text><b><Foreign text={m.email} /></b> loses access at once: sessions, streams, tokens and undecided proposals end. What they made here stays.</Text>
      <Failure error={remove.error} />
      <Group justify="end">
        <Button variant="default" data-autofocus onClick={onDone}>Cancel</Button>
        <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>Remove</Button>
      </Group>
    </Stack>
  );
}

function HandOverForm({ member: m }: { member: Member }) {
  const [typed, setTyped] = useState("");
  const give = useMutation({
    mutationFn: () => postVersion<Member>(`/members/${m.id}/ownership`, {}, m.version),
    onSuccess: () => window.location.assign("/"),  // the session ended with the role
  });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); give.mutate(); }}>
      <Text><b><Foreign text={m.email} /></b> becomes Owner, you become Admin. Both of you sign in again. Only they can undo it.</Text>
      <TextInput label="Type their e-mail" required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={give.error} />
      <Button type="submit" color="red" disabled={typed !== m.email} loading={give.isPending}>Hand over</Button>
    </Stack>
  );
}

// The change is sent only by its button: a select alone would change a role on an arrow key.
function RoleOf({ member: m }: { member: Member }) {
  const queries = useQueryClient();
  const [role, setRole] = useState(m.role);
  const change = useMutation({
    mutationFn: () => patch<Member>(`/members/${m.id}`, { role }, m.version),
    onSettled: () => queries.invalidateQueries({ queryKey: ["members"] }),
  });
  return (
    <Stack gap={4}>
      <Group gap="xs">
        <NativeSelect aria-label={`Role of ${m.email}`} value={role} onChange={(e) => setRole(e.currentTarget.value)} data={roles} />
        <Button size="xs" variant="default" disabled={role === m.role} loading={change.isPending} onClick={() => change.mutate()}>Change</Button>
      </Group>
      <Failure error={change.error} />
    </Stack>
  );
}

function AddMember({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState("viewer");
  const add = useMutation({
    mutationFn: () => post<Member>("/members", { email: email.trim(), role, password }),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["members"] }); onDone(); },
  });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); add.mutate(); }}>
      <TextInput label="E-mail" type="email" required data-autofocus autoComplete="off" value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
      <NativeSelect label="Role" value={role} onChange={(e) => setRole(e.currentTarget.value)} data={roles} />
      <PasswordInput label="First password" required minLength={15} autoComplete="new-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)}
                     description="At least 15 characters. Hand it over yourself; they change it under Account." visibilityToggleButtonProps={{ "aria-label": "Show password", tabIndex: 0 }} />
      <Failure error={add.error} />
      <Button type="submit" loading={add.isPending}>Add</Button>
    </Stack>
  );
}
