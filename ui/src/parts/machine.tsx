// What the whole server says when it is asked: processes, listening ports, disks. And rebooting it.
import { Alert, Button, Group, Modal, Stack, Table, Text, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Operation, Server } from "../api";
import { bytes, part, percent } from "../format";
import { useMay } from "../session";
import { Ago } from "./common";
import { Foreign } from "./foreign";
import { OperationLine, useOperation } from "./operation";

interface Process { pid: number; name: string; user: string; unit: string; memory: number; cpu_ms: number; started_at: string; state: string }
interface Socket { protocol: string; address: string; port: number; user: string; unit: string }
interface Disk { path: string; device: string; type: string; size: number; used: number; free: number; inodes: number; inodes_used: number }

interface Kind<T> { type: string; what: string; about: string; list: "processes" | "sockets" | "disks"; head: string[]; cells: (t: T) => React.ReactNode[] }

const foreign = (text: string) => <Foreign text={text} />;
const full = (used: number, all: number) => (all > 0 ? percent(part(used, all)) : "not counted");

const processes: Kind<Process> = {
  type: "process.list", what: "processes", about: "By memory, the largest first. Names as the processes call themselves; command lines are not read, for they may hold passwords.",
  list: "processes", head: ["Process", "PID", "User", "Service", "Memory", "Processor", "Started"],
  cells: (p) => [foreign(p.name), p.pid, foreign(p.user), foreign(p.unit), bytes(p.memory), `${(p.cpu_ms / 1000).toFixed(1)} s`, <Ago at={p.started_at} />],
};
const sockets: Kind<Socket> = {
  type: "socket.list", what: "ports", about: "What listens for TCP and what is bound for UDP. 0.0.0.0 and :: are all addresses of the server.",
  list: "sockets", head: ["Port", "Protocol", "Address", "User", "Service"],
  cells: (s) => [s.port, foreign(s.protocol), foreign(s.address), foreign(s.user), foreign(s.unit)],
};
const disks: Kind<Disk> = {
  type: "disk.list", what: "disks", about: "File systems on disks of this server. Those of a network are not asked, and /home is shut to the agent.",
  list: "disks", head: ["Mounted on", "Full", "Used", "Size", "Inodes", "Type", "Device"],
  cells: (d) => [foreign(d.path), full(d.used, d.size), bytes(d.used), bytes(d.size), full(d.inodes_used, d.inodes), foreign(d.type), foreign(d.device)],
};

const kinds = { processes, sockets, disks };

function List<T>({ kind, operation: o }: { kind: Kind<T>; operation: Operation }) {
  const result = o.result as Record<string, unknown> | null;
  const rows = (result?.[kind.list] ?? []) as T[];
  const more = typeof result?.left_out === "number" ? result.left_out : 0;
  if (rows.length === 0) return <Text>{o.result === null ? "What it said was let go after a day; ask again." : "There are none."}</Text>;
  return (
    <Stack gap="xs">
      <div className="wide" tabIndex={0} role="region" aria-label={`The ${kind.what}`}>
        <Table aria-label={kind.what} verticalSpacing={4}>
          <Table.Thead><Table.Tr>{kind.head.map((h) => <Table.Th key={h}>{h}</Table.Th>)}</Table.Tr></Table.Thead>
          <Table.Tbody>
            {rows.map((row, n) => <Table.Tr key={n}>{kind.cells(row).map((cell, i) => <Table.Td key={kind.head[i]}>{cell}</Table.Td>)}</Table.Tr>)}
          </Table.Tbody>
        </Table>
      </div>
      <Text size="sm" c="dimmed">As of <Ago at={o.finished_at ?? o.created_at} />{more > 0 && `; ${more} more are not shown`}. {kind.about}</Text>
    </Stack>
  );
}

/** Asked when it is opened, and again with the button: each time is an entry of the log. */
export function MachineList({ server, what }: { server: Server; what: keyof typeof kinds }) {
  const kind = kinds[what] as Kind<unknown>;
  const { start, operation, busy, error } = useOperation(server.id);
  const { mutate } = start;
  useEffect(() => { if (server.online) mutate({ type: kind.type }); }, [kind.type, mutate, server.online]);
  const answered = operation?.status === "succeeded";
  return (
    <Stack>
      <Group><Button size="xs" variant="default" loading={busy} disabled={!server.online} onClick={() => mutate({ type: kind.type })}>Ask again</Button></Group>
      {!server.online && <Text c="dimmed">The server is {server.leaves_at ? "disconnected" : "offline"}: it can be asked when it is back.</Text>}
      {(error || !answered) && <OperationLine operation={operation} error={error} />}
      {answered && <List kind={kind} operation={operation} />}
    </Stack>
  );
}

export function RebootButton({ server }: { server: Server }) {
  const may = useMay("server.reboot");
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  const { start, operation, busy, error } = useOperation(server.id);
  const shut = () => { setAsking(false); setTyped(""); };
  if (!may || server.leaves_at) return null;
  return (
    <Stack mt="xl" gap="xs" align="start">
      <Button size="xs" color="red" variant="default" disabled={!server.online} loading={busy} onClick={() => setAsking(true)}><Foreign text={`Reboot ${server.name}`} /></Button>
      <OperationLine operation={operation} error={error} />
      {operation?.status === "succeeded" && <Alert color="indigo" variant="light">It reboots in a moment. This page shows it as offline until its agent is back.</Alert>}
      <Modal opened={asking} onClose={shut} title="Reboot a server" closeButtonProps={{ "aria-label": "Close" }}>
        {asking && (
          <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); start.mutate({ type: "server.reboot" }); shut(); }}>
            <Text>Everything on <b><Foreign text={server.name} /></b> stops. Afterwards only what starts with the server runs again: look at the services first. If it does not come up, nothing here can help it.</Text>
            <TextInput label={`Type ${server.name} to reboot it`} required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
            <Button type="submit" color="red" disabled={typed.trim() !== server.name}>Reboot it</Button>
          </Stack>
        )}
      </Modal>
    </Stack>
  );
}
