// Letting a server go: it is disconnected at once and forgotten later. The machine itself runs on; nothing on it is deleted.
import { Alert, Button, Group, List, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, remove, type Server, type ServerDisconnection } from "../api";
import { absolute, duration } from "../format";
import { useMay } from "../session";
import { Failure, Waiting } from "./common";
import { Foreign } from "./foreign";

const path = (s: Server) => `/servers/${encodeURIComponent(s.id)}/disconnection`;

function useAgain() {
  const queries = useQueryClient();
  // The list too, while nobody looks at it: a sample that comes in meanwhile would pass for news of all of it.
  return () => Promise.all([["servers"], ["server"]].map((queryKey) => queries.invalidateQueries({ queryKey, refetchType: "all" })));
}

/** What a disconnected server's page says above all else. */
export function Leaving({ server: s }: { server: Server }) {
  const may = useMay("server.disconnect");
  const again = useAgain();
  const restore = useMutation({ mutationFn: () => remove(path(s)), onSuccess: again });
  if (!s.leaves_at) return null;
  return (
    <Alert color="red" variant="light" my="md" title="Disconnected">
      <Stack gap="xs" align="start">
        <Text size="sm">Nothing is sent to it and nobody connects as it. It is forgotten on {absolute(s.leaves_at)}; until then it can be restored as it was, and connects again by itself.</Text>
        {may && <Button size="xs" loading={restore.isPending} aria-label={`Restore ${s.name}`} onClick={() => restore.mutate()}>Restore</Button>}
        <Failure error={restore.error} />
      </Stack>
    </Alert>
  );
}

export function DisconnectButton({ server: s }: { server: Server }) {
  const may = useMay("server.disconnect");
  const [asking, setAsking] = useState(false);
  if (!may || s.leaves_at) return null;
  return (
    <>
      <Group mt="xl"><Button size="xs" color="red" variant="default" onClick={() => setAsking(true)}><Foreign text={`Disconnect ${s.name}`} /></Button></Group>
      <Modal opened={asking} onClose={() => setAsking(false)} title="Disconnect a server" closeButtonProps={{ "aria-label": "Close" }}>
        {asking && <Ask server={s} onDone={() => setAsking(false)} />}
      </Modal>
    </>
  );
}

function Ask({ server: s, onDone }: { server: Server; onDone: () => void }) {
  const again = useAgain();
  const [typed, setTyped] = useState("");
  const facts = useQuery({ queryKey: ["disconnection", s.id], queryFn: () => get<ServerDisconnection>(path(s)), gcTime: 0 });
  const act = useMutation({ mutationFn: () => post<ServerDisconnection>(path(s), { name: typed.trim() }), onSuccess: async () => { await again(); onDone(); } });
  const d = facts.data;
  if (!d) return facts.error ? <Failure error={facts.error} /> : <Waiting what="what hangs on it" />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); act.mutate(); }}>
      <Text>This disconnects <b><Foreign text={s.name} /></b>; it destroys nothing. The machine runs on, with its services and its data.</Text>
      <List size="sm" spacing={4}>
        <List.Item>At once: its agent is let in no more, its charts stop, and neither you nor the Pilot can send it anything.</List.Item>
        {d.orders > 0 && <List.Item>{d.orders === 1 ? "One order is" : `${d.orders} orders are`} under way to it and end{d.orders === 1 ? "s" : ""} without an answer.</List.Item>}
        <List.Item>On the machine stay: the agent and its helper{d.env_values > 0 && `, and ${d.env_values === 1 ? "one env value" : `${d.env_values} env values`} in files of its users (remove those first if they should go)`}.</List.Item>
        <List.Item>In {duration(d.grace_seconds)} it is forgotten here: its name is free again, and only an install command brings it back. Until then Owners and Admins restore it with one click. The log keeps what was done on it.</List.Item>
      </List>
      <TextInput label={`Type ${d.name} to disconnect it`} required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={act.error} />
      <Button type="submit" color="red" disabled={typed.trim() !== d.name} loading={act.isPending}>Disconnect it</Button>
    </Stack>
  );
}
