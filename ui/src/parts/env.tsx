// Env values in the files of a server's users: which version of which secret, never a value.
import { Badge, Button, Checkbox, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { getAll, type EnvFile, type Secret, type Server } from "../api";
import { usePoll } from "../live";
import { useMay } from "../session";
import { Ago, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { ended, OperationLine, useOperation } from "./operation";

type Variable = EnvFile["variables"][number];
type Asked = { what: "place"; user: string; secrets: string[]; known: boolean } | { what: "remove"; user: string };
const older = (v: Variable) => v.current_version !== null && v.current_version !== v.version;

export function Env({ server }: { server: Server }) {
  const queries = useQueryClient();
  const may = useMay("env.place");
  const files = useQuery({ queryKey: ["env", server.id], queryFn: () => getAll<EnvFile>(`/servers/${server.id}/env`), refetchInterval: usePoll() });
  const [asked, setAsked] = useState<Asked | null>(null);
  const { start, operation, busy, error } = useOperation(server.id);
  const done = ended(operation);
  useEffect(() => { if (operation) void queries.invalidateQueries({ queryKey: ["env", server.id] }); }, [done, operation?.id, queries, server.id]);
  if (files.error) return <Failure error={files.error} />;
  if (!files.data) return <Waiting what="env values" />;
  const place = (user: string, secrets: string[]) => { start.mutate({ to: "env", user, secrets }); setAsked(null); };
  const again = (f: EnvFile) => f.variables.filter((v) => v.name !== null).map((v) => v.secret_id);
  return (
    <Stack>
      <Group justify="space-between" align="end">
        <Text size="sm" c="dimmed">Each user's values are in <code>/etc/caip-env/USER.env</code>, readable by that user alone; a service takes them with <code>EnvironmentFile=</code>.</Text>
        {may && <Button disabled={!server.online || busy} onClick={() => setAsked({ what: "place", user: "", secrets: [], known: false })}>Place env values</Button>}
      </Group>
      <OperationLine operation={operation} error={error} />
      {!server.online && <Text c="dimmed">The server is {server.leaves_at ? "disconnected" : "offline"}: nothing can be placed or removed now.</Text>}
      {files.data.data.length === 0 && <Text>No env values here yet.</Text>}
      <ul className="rows" aria-label="Env files">
        {files.data.data.map((f) => (
          <li key={f.operation_id}>
            <div className="row-text">
              <b><Foreign text={f.user} /></b> <State file={f} />
              {f.variables.map((v) => <Line key={v.secret_id} variable={v} />)}
              <Text size="sm" c="dimmed"><Ago at={f.at} /></Text>
            </div>
            {may && (
              <Group gap="xs">
                {f.variables.some(older) && again(f).length > 0 &&
                  <Button size="xs" disabled={!server.online || busy} aria-label={`Place newer values for ${f.user}`} onClick={() => place(f.user, again(f))}>Place newer values</Button>}
                <Button size="xs" variant="default" disabled={!server.online || busy} aria-label={`Change values of ${f.user}`}
                        onClick={() => setAsked({ what: "place", user: f.user, secrets: again(f), known: true })}>Change</Button>
                <Button size="xs" variant="default" color="red" disabled={!server.online || busy} aria-label={`Remove values of ${f.user}`}
                        onClick={() => setAsked({ what: "remove", user: f.user })}>Remove</Button>
              </Group>
            )}
          </li>
        ))}
      </ul>
      <Modal opened={asked !== null} onClose={() => setAsked(null)} closeButtonProps={{ "aria-label": "Close" }}
             title={asked?.what === "remove" ? "Remove the file?" : "Place env values"}>
        {asked?.what === "place" && <PlaceForm asked={asked} onPlace={place} />}
        {asked?.what === "remove" && (
          <Stack>
            <Text>The file of <b><Foreign text={asked.user} /></b> on <b><Foreign text={server.name} /></b> is deleted. What runs keeps what it has read; at its next start it has nothing.</Text>
            <Group justify="end">
              <Button variant="default" data-autofocus onClick={() => setAsked(null)}>Cancel</Button>
              <Button color="red" onClick={() => { start.mutate({ to: "env/removals", user: asked.user }); setAsked(null); }}>Remove</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Stack>
  );
}

function State({ file: f }: { file: EnvFile }) {
  if (f.state === "sent") return <Badge color="indigo" variant="light">on its way</Badge>;
  if (f.state === "unknown") return <Badge color="orange" variant="light">not known whether it is there</Badge>;
  if (f.variables.some((v) => v.name === null)) return <Badge color="red" variant="light">deleted secret placed</Badge>;
  return f.variables.some(older) ? <Badge color="orange" variant="light">older value placed</Badge> : <Badge color="green" variant="light">placed</Badge>;
}

function Line({ variable: v }: { variable: Variable }) {
  return (
    <Text size="sm">
      {v.name === null ? <>a secret that was deleted (<code>{v.secret_id}</code>)</> : <code><Foreign text={v.name} /></code>}, version {v.version}
      {older(v) && ` (now ${v.current_version})`}
    </Text>
  );
}

function PlaceForm({ asked, onPlace }: { asked: Extract<Asked, { what: "place" }>; onPlace: (user: string, secrets: string[]) => void }) {
  const [user, setUser] = useState(asked.user);
  const [chosen, setChosen] = useState(asked.secrets);
  const secrets = useQuery({ queryKey: ["secrets", "env_value", "all"], queryFn: () => getAll<Secret>("/secrets?kind=env_value") });
  const all = secrets.data?.data ?? [];
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); onPlace(user.trim(), chosen); }}>
      <TextInput label="User of the server" required data-autofocus={!asked.known} disabled={asked.known} value={user} maxLength={32} placeholder="www-data" autoComplete="off" spellCheck={false}
                 description="The account that the service runs as; not root." onChange={(e) => setUser(e.currentTarget.value)} />
      <Failure error={secrets.error} />
      {secrets.isPending && <Waiting what="secrets" />}
      {secrets.data && all.length === 0 && <Text size="sm">There are no env values yet. <Link href="/secrets">Add one first.</Link></Text>}
      {all.length > 0 && (
        <Checkbox.Group label="Values" description="The file holds exactly these afterwards." value={chosen} onChange={setChosen}>
          <Stack gap="xs" mt="xs">{all.map((s) => <Checkbox key={s.id} value={s.id} label={<><Foreign text={s.name} />, version {s.version}</>} />)}</Stack>
        </Checkbox.Group>
      )}
      <Button type="submit" disabled={!user.trim() || chosen.length === 0}>Place</Button>
    </Stack>
  );
}
