import { Button, Group, Modal, NativeSelect, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { getAll, patch, post, type Member } from "../api";
import { Ago, Failure, Page, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { useMay, useSession } from "../session";

const roles = ["viewer", "member", "admin", "owner"];

export function MembersPage() {
  const members = useQuery({ queryKey: ["members"], queryFn: () => getAll<Member>("/members") });
  const mayManage = useMay("member.manage");
  const me = useSession().user.id;
  const [adding, setAdding] = useState(false);
  return (
    <Page title="Members" aside={mayManage && <Button onClick={() => setAdding(true)}>Add a member</Button>}>
      <Failure error={members.error} />
      {members.isPending && <Waiting what="members" />}
      <ul className="rows" aria-label="Members">
        {members.data?.data.map((m) => (
          <li key={m.id}>
            <div className="row-text"><b><Foreign text={m.email} /></b><Text size="sm" c="dimmed">since <Ago at={m.created_at} />{m.id === me && ", you"}</Text></div>
            {mayManage && m.id !== me ? <RoleOf member={m} /> : <span>{m.role}</span>}
          </li>
        ))}
      </ul>
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a member" closeButtonProps={{ "aria-label": "Close" }}>
        {adding && <AddMember onDone={() => setAdding(false)} />}
      </Modal>
    </Page>
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
                     description="Hand it over yourself." visibilityToggleButtonProps={{ "aria-label": "Show password", tabIndex: 0 }} />
      <Failure error={add.error} />
      <Button type="submit" loading={add.isPending}>Add</Button>
    </Stack>
  );
}
