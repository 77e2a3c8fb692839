// The organisations of a person. A session acts in one at a time.
import { Badge, Button, Group, List, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, getAll, post, postPlain, remove, type Held, type Organization, type OrganizationDeletion, type Session } from "../api";
import { absolute, duration } from "../format";
import { Failure, Page, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { StillHeld } from "../parts/held";
import { useMay } from "../session";

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
  const [deleting, setDeleting] = useState(false);
  const mayDelete = useMay("organization.delete") && o.current;
  // The whole page is read anew: nothing of the other organisation stays in it.
  const act = useMutation({
    mutationFn: () => postPlain<Session>("/session/organization", { organization_id: o.id }),
    onSuccess: () => window.location.assign("/"),
  });
  return (
    <li>
      <div className="row-text"><b><Foreign text={o.name} /></b><Text size="sm" c="dimmed">you are {o.role}</Text>
        {o.ends && <Text size="sm" c="var(--mantine-color-error)">will be deleted for good on {absolute(o.ends)}</Text>}</div>
      {o.current && <Badge variant="light">you act here</Badge>}
      <Group gap="xs">
        {!o.current && <Button size="xs" variant="default" aria-label={`Act here: ${o.name}`} loading={act.isPending} onClick={() => act.mutate()}>Act here</Button>}
        {o.current && <Button size="xs" variant="default" aria-label={`Leave ${o.name}`} onClick={() => setLeaving(true)}>Leave</Button>}
        {mayDelete && (o.ends ? <RestoreButton organization={o} />
          : <Button size="xs" color="red" aria-label={`Delete ${o.name}`} onClick={() => setDeleting(true)}>Delete</Button>)}
      </Group>
      <Failure error={act.error} />
      <Modal opened={leaving} onClose={() => setLeaving(false)} title="Leave the organisation" closeButtonProps={{ "aria-label": "Close" }}>
        {leaving && <LeaveForm organization={o} />}
      </Modal>
      <Modal opened={deleting} onClose={() => setDeleting(false)} title="Delete the organisation" closeButtonProps={{ "aria-label": "Close" }}>
        {deleting && <DeleteForm organization={o} onDone={() => setDeleting(false)} />}
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

function RestoreButton({ organization: o }: { organization: Organization }) {
  const queries = useQueryClient();
  const restore = useMutation({ mutationFn: () => remove("/organization/deletion"), onSuccess: () => queries.invalidateQueries({ queryKey: ["organizations"] }) });
  return (
    <>
      <Button size="xs" aria-label={`Restore ${o.name}`} loading={restore.isPending} onClick={() => restore.mutate()}>Restore</Button>
      <Failure error={restore.error} />
    </>
  );
}

// What goes and what stays, counted now.
function DeleteForm({ organization: o, onDone }: { organization: Organization; onDone: () => void }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useState("");
  const goes = useQuery({ queryKey: ["organization-deletion"], queryFn: () => get<OrganizationDeletion>("/organization/deletion") });
  const plan = useMutation({
    mutationFn: () => post<OrganizationDeletion>("/organization/deletion", { organization_id: o.id, name: typed }),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["organizations"] }); onDone(); },
  });
  const d = goes.data;
  if (!d) return goes.error ? <Failure error={goes.error} /> : <Waiting what="what goes with it" />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); plan.mutate(); }}>
      <Text>In {duration(d.grace_seconds)} it is deleted for good. Until then everything goes on, and any Owner restores it with one click.</Text>
      <List size="sm" listStyleType="disc" aria-label="What goes">
        <List.Item>{d.secrets} secrets: their key is destroyed, and copies of the database open no more</List.Item>
        <List.Item>{d.members} memberships, {d.invitations} open invitations, {d.tokens} API tokens; people keep their accounts</List.Item>
        <List.Item>conversations, approvals, notification channels and their messages</List.Item>
        <List.Item>the connection to {d.servers} servers: the machines and their sites run on, and their agents are let in no more</List.Item>
      </List>
      <Text size="sm">The log keeps its entries.</Text>
      <TextInput label="Type its name" required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={plan.error} />
      <Button type="submit" color="red" disabled={typed !== o.name} loading={plan.isPending}>Delete in {duration(d.grace_seconds)}</Button>
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
