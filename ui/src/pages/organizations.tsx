// The organisations of a person. A session acts in one at a time.
import { Badge, Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { getAll, post, postPlain, type Held, type Organization, type Session } from "../api";
import { Failure, Page, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { StillHeld } from "../parts/held";

export function OrganizationsPage() {
  const all = useQuery({ queryKey: ["organizations"], queryFn: () => getAll<Organization>("/organizations") });
  const [founding, setFounding] = useState(false);
  return (
    <Page title="Organisations" aside={all.data?.data.some((o) => o.may_found_others) && <Button onClick={() => setFounding(true)}>Found another</Button>}>
      <Failure error={all.error} />
      {all.isPending && <Waiting what="your organisations" />}
      <ul className="rows" aria-label="Organisations">
        {all.data?.data.map((o) => <Row key={o.id} organization={o} />)}
      </ul>
      <Modal opened={founding} onClose={() => setFounding(false)} title="Found an organisation" closeButtonProps={{ "aria-label": "Close" }}>
        {founding && <FoundForm onDone={() => setFounding(false)} />}
      </Modal>
    </Page>
  );
}

function Row({ organization: o }: { organization: Organization }) {
  const [leaving, setLeaving] = useState(false);
  // The whole page is read anew: nothing of the other organisation stays in it.
  const act = useMutation({
    mutationFn: () => postPlain<Session>("/session/organization", { organization_id: o.id }),
    onSuccess: () => window.location.assign("/"),
  });
  return (
    <li>
      <div className="row-text"><b><Foreign text={o.name} /></b><Text size="sm" c="dimmed">you are {o.role}</Text></div>
      {o.current && <Badge variant="light">you act here</Badge>}
      <Group gap="xs">
        {!o.current && <Button size="xs" variant="default" aria-label={`Act here: ${o.name}`} loading={act.isPending} onClick={() => act.mutate()}>Act here</Button>}
        {o.current && <Button size="xs" variant="default" aria-label={`Leave ${o.name}`} onClick={() => setLeaving(true)}>Leave</Button>}
      </Group>
      <Failure error={act.error} />
      <Modal opened={leaving} onClose={() => setLeaving(false)} title="Leave the organisation" closeButtonProps={{ "aria-label": "Close" }}>
        {leaving && <LeaveForm organization={o} />}
      </Modal>
    </li>
  );
}

function LeaveForm({ organization: o }: { organization: Organization }) {
  const [typed, setTyped] = useState("");
  const leave = useMutation({ mutationFn: () => post<{ still_held: Held }>("/organization/leave", { organization_id: o.id }) });
  if (leave.data)
    return (
      <Stack>
        <Text>You left <b><Foreign text={o.name} /></b>. Tell its owners what you still hold:</Text>
        <StillHeld held={leave.data.still_held} />
        <Button data-autofocus onClick={() => window.location.assign("/")}>Done</Button>
      </Stack>
    );
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); leave.mutate(); }}>
      <Text>Your sessions, tokens and undecided proposals there end at once. Only an invitation brings you back.</Text>
      <TextInput label="Type its name" required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={leave.error} />
      <Button type="submit" color="red" disabled={typed !== o.name} loading={leave.isPending}>Leave</Button>
    </Stack>
  );
}

function FoundForm({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const found = useMutation({
    mutationFn: () => post<Organization>("/organizations", { name: name.trim() }),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["organizations"] }); onDone(); },
  });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); found.mutate(); }}>
      <TextInput label="Name" required data-autofocus maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)}
                 description="You are its Owner. Nobody of your other organisations sees it." />
      <Failure error={found.error} />
      <Button type="submit" loading={found.isPending}>Found it</Button>
    </Stack>
  );
}
