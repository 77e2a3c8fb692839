import { Button, Checkbox, Modal, Paper, Progress, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { get, getAll, post, remove, type Enrolment, type List, type Server } from "../api";
import { absolute, part, percent, rate } from "../format";
import { usePoll } from "../live";
import { Ago, Channel, Failure, Page, ServerBadges, useNow, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { InstallCommand } from "../parts/install-command";
import { useMay } from "../session";

export function ServersPage() {
  const servers = useQuery({ queryKey: ["servers"], queryFn: () => getAll<Server>("/servers"), refetchInterval: usePoll() });
  const mayEnrol = useMay("server.enrol");
  const [adding, setAdding] = useState(false);
  const list = servers.data?.data;
  return (
    <Page title="Servers" aside={mayEnrol && list && list.length > 0 && <Button onClick={() => setAdding(true)}>Add a server</Button>}>
      <Failure error={servers.error} />
      {servers.isPending && <Waiting what="servers" />}
      {list?.length === 0 && (
        <Paper withBorder p="xl" className="empty">
          <Title order={2} size="h4">No servers yet</Title>
          <Text>A server is added by running one command on it. It dials out to this control plane; no port has to be opened.</Text>
          {mayEnrol ? <Button onClick={() => setAdding(true)}>Add a server</Button>
            : <Text c="dimmed">Ask an Owner or Admin to add one.</Text>}
        </Paper>
      )}
      <ul className="cards">{list?.map((s) => <li key={s.id}><ServerCard server={s} /></li>)}</ul>
      {mayEnrol && <OpenCommands />}
      <AddServer opened={adding} onClose={() => setAdding(false)} />
    </Page>
  );
}

// Install commands that would still let a machine in. One that went to the wrong place is revoked here.
function OpenCommands() {
  const queries = useQueryClient();
  const now = useNow();
  const found = useQuery({ queryKey: ["enrolments"], queryFn: () => get<List<Enrolment>>("/enrolments?limit=50"), refetchInterval: usePoll() });
  const revoke = useMutation({ mutationFn: (id: string) => remove(`/enrolments/${id}`), onSettled: () => queries.invalidateQueries({ queryKey: ["enrolments"] }) });
  const open = found.data?.data.filter((e) => !e.used_at && Date.parse(e.expires_at) > now) ?? [];
  if (open.length === 0) return <Failure error={found.error ?? revoke.error} />;
  return (
    <section aria-label="Install commands">
      <Title order={2} size="h4" mt="lg" mb="xs">Install commands that nobody has used</Title>
      <Failure error={found.error ?? revoke.error} />
      <ul className="rows">
        {open.map((e) => (
          <li key={e.id}>
            <div className="row-text"><b><Foreign text={e.name} /></b><Text size="sm" c="dimmed">ends <Ago at={e.expires_at} /></Text></div>
            <Button size="xs" variant="default" aria-label={`Revoke the install command of ${e.name}`} loading={revoke.isPending && revoke.variables === e.id} onClick={() => revoke.mutate(e.id)}>Revoke</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Meter({ label, value }: { label: string; value: number }) {
  const color = value > 0.9 ? "red" : value > 0.75 ? "yellow" : "indigo";
  return (
    <div className="meter">
      <span>{label}</span>
      <Progress value={Math.min(100, value * 100)} color={color} aria-label={label} />
      <span className="num">{percent(value)}</span>
    </div>
  );
}

function ServerCard({ server: s }: { server: Server }) {
  const l = s.latest;
  return (
    <Paper withBorder p="md" component="article" className={s.online ? "" : "off"}>
      <div className="row-between">
        <Title order={2} size="h4"><Link href={`/servers/${s.id}`} className="cover"><Foreign text={s.name} /></Link></Title>
        <ServerBadges server={s} />
      </div>
      {s.leaves_at && <Text size="sm" c="var(--mantine-color-error)">will be forgotten on {absolute(s.leaves_at)}</Text>}
      <Text size="sm" c="dimmed">{s.os && <><Foreign text={s.os} /> · </>}seen <Ago at={s.last_seen} /></Text>
      {l ? (
        <div className="meters">
          <Meter label="CPU" value={l.cpu_ratio} />
          <Meter label="Memory" value={part(l.mem_used, l.mem_total)} />
          <Meter label="Disk" value={part(l.disk_used, l.disk_total)} />
          <Text size="sm">↓ {rate(l.net_rx_bps)} ↑ {rate(l.net_tx_bps)}</Text>
        </div>
      ) : <Text size="sm" my="sm">No measurements yet.</Text>}
      <Channel server={s} />
    </Paper>
  );
}

function AddServer({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [name, setName] = useState("");
  const servers = useQuery({ queryKey: ["servers"], queryFn: () => getAll<Server>("/servers") });
  const [replace, setReplace] = useState(false);
  const taken = servers.data?.data.some((s) => s.name === name.trim()) ?? false;
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: () => post<Enrolment>("/enrolments", { name: name.trim(), ...(taken && { replace }) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["enrolments"] }),
  });
  const { reset } = create;
  useEffect(() => { if (!opened) { setName(""); setReplace(false); reset(); } }, [opened, reset]);
  return (
    <Modal opened={opened} onClose={onClose} title="Add a server" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      {!create.data ? (
        <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); create.mutate(); }}>
          <TextInput label="Name" description="Lower-case letters, digits and hyphens." required data-autofocus maxLength={63}
                     pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" value={name} onChange={(e) => setName(e.currentTarget.value)} />
          {taken && <Checkbox required checked={replace} onChange={(e) => setReplace(e.currentTarget.checked)} label="The machine takes the place of the server of this name"
                              description="The certificate of the machine that is there now ends. What is known of the server stays." />}
          <Failure error={create.error} />
          <Button type="submit" loading={create.isPending}>Make the install command</Button>
        </Stack>
      ) : <InstallCommand enrolment={create.data} onClose={onClose} />}
    </Modal>
  );
}
