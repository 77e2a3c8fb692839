import { Anchor, Paper, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "wouter";
import { get, getAll, type Sample, type Server } from "../api";
import { bytes, part, percent, rate } from "../format";
import { useLive, usePoll } from "../live";
import { Access } from "../parts/access";
import { AiAccessPart } from "../parts/ai-access";
import { Chart } from "../parts/chart";
import { Ago, Channel, Failure, Page, ServerBadges, Waiting } from "../parts/common";
import { DisconnectButton, Leaving } from "../parts/disconnection";
import { Env } from "../parts/env";
import { EnvironmentPart } from "../parts/environment";
import { Foreign } from "../parts/foreign";
import { Journal } from "../parts/journal";
import { MachineList, RebootButton } from "../parts/machine";
import { Security } from "../parts/security";
import { Services } from "../parts/services";
import { useMay } from "../session";

export function ServerPage({ id }: { id: string }) {
  const server = useQuery({ queryKey: ["server", id], queryFn: () => get<Server>(`/servers/${encodeURIComponent(id)}`), refetchInterval: usePoll() });
  const mayJournal = useMay("journal.read");
  const mayMachine = useMay("machine.view");
  const mayAccess = useMay("access.view");
  const mayEnv = useMay("secret.view");
  const mayAi = useMay("pilot.view");
  const { state } = useLive();
  const s = server.data;
  if (!s && server.error) return <Page title="Server"><Failure error={server.error} /><Back /></Page>;
  if (!s) return <Waiting what="the server" />;
  return (
    <Page title={<Foreign text={s.name} />} aside={<ServerBadges server={s} />}>
      <Back />
      <Leaving server={s} />
      <Paper withBorder p="md" my="md">
        <dl className="facts">
          <dt>System</dt><dd><Foreign text={s.os} /></dd>
          <dt>Kernel</dt><dd><Foreign text={s.kernel} /></dd>
          <dt>Last seen</dt><dd><Ago at={s.last_seen} />{state === "stale" && " (this page is stale)"}</dd>
          <dt>Channel</dt><dd><Channel server={s} /></dd>
          <dt>Environment</dt><dd><EnvironmentPart server={s} /></dd>
        </dl>
      </Paper>
      <Tabs defaultValue="metrics" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="metrics">Metrics</Tabs.Tab>
          <Tabs.Tab value="services">Services</Tabs.Tab>
          {mayJournal && <Tabs.Tab value="journal">Journal</Tabs.Tab>}
          {mayMachine && <Tabs.Tab value="processes">Processes</Tabs.Tab>}
          {mayMachine && <Tabs.Tab value="ports">Ports</Tabs.Tab>}
          {mayMachine && <Tabs.Tab value="disks">Disks</Tabs.Tab>}
          {mayEnv && <Tabs.Tab value="env">Env values</Tabs.Tab>}
          <Tabs.Tab value="security">Security</Tabs.Tab>
          {mayAccess && <Tabs.Tab value="access">Access</Tabs.Tab>}
          {mayAi && <Tabs.Tab value="ai">AI</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="metrics" pt="md"><Metrics id={id} /></Tabs.Panel>
        <Tabs.Panel value="services" pt="md"><Services server={s} /></Tabs.Panel>
        {mayMachine && <Tabs.Panel value="processes" pt="md"><MachineList server={s} what="processes" /></Tabs.Panel>}
        {mayMachine && <Tabs.Panel value="ports" pt="md"><MachineList server={s} what="sockets" /></Tabs.Panel>}
        {mayMachine && <Tabs.Panel value="disks" pt="md"><MachineList server={s} what="disks" /></Tabs.Panel>}
        <Tabs.Panel value="security" pt="md"><Security server={s} /></Tabs.Panel>
        {mayEnv && <Tabs.Panel value="env" pt="md"><Env server={s} /></Tabs.Panel>}
        {mayAccess && <Tabs.Panel value="access" pt="md"><Access id={id} /></Tabs.Panel>}
        {mayAi && <Tabs.Panel value="ai" pt="md"><AiAccessPart id={id} /></Tabs.Panel>}
        {mayJournal && <Tabs.Panel value="journal" pt="md"><Journal server={s} /></Tabs.Panel>}
      </Tabs>
      <RebootButton server={s} />
      <DisconnectButton server={s} />
    </Page>
  );
}

const Back = () => <Anchor component={Link} href="/servers" size="sm" underline="always">All servers</Anchor>;

function Metrics({ id }: { id: string }) {
  const metrics = useQuery({
    queryKey: ["metrics", id], queryFn: () => getAll<Sample>(`/servers/${encodeURIComponent(id)}/metrics`), refetchInterval: usePoll(),
  });
  const d = metrics.data?.data;
  const shown = useMemo(() => {
    const list = d ?? [];
    return {
      times: list.map((x) => Date.parse(x.at) / 1000),
      cpu: [{ label: "CPU", values: list.map((x) => x.cpu_ratio) }],
      memory: [{ label: "Memory", values: list.map((x) => x.mem_used) }],
      disk: [{ label: "Disk", values: list.map((x) => part(x.disk_used, x.disk_total)) }],
      net: [{ label: "In", values: list.map((x) => x.net_rx_bps) }, { label: "Out", values: list.map((x) => x.net_tx_bps) }],
    };
  }, [d]);
  const last = d?.at(-1);
  if (metrics.error) return <Failure error={metrics.error} />;
  if (!d) return <Waiting what="measurements" />;
  if (!last) return <Text>No measurements yet. The first one comes within 15 seconds of the server's connection.</Text>;
  return (
    <div className="charts">
      <Chart title="CPU" now={`${percent(last.cpu_ratio)}, load ${last.load1.toFixed(2)}`} times={shown.times} lines={shown.cpu} format={percent} max={1} />
      <Chart title="Memory" now={`${bytes(last.mem_used)} of ${bytes(last.mem_total)}`} times={shown.times} lines={shown.memory} format={bytes} max={last.mem_total} />
      <Chart title="Disk" now={`${bytes(last.disk_used)} of ${bytes(last.disk_total)}`} times={shown.times} lines={shown.disk} format={percent} max={1} />
      <Chart title="Network" now={`in ${rate(last.net_rx_bps)}, out ${rate(last.net_tx_bps)}`} times={shown.times} lines={shown.net} format={rate} />
    </div>
  );
}
