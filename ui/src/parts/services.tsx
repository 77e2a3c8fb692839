import { Badge, Button, Group, Modal, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { getAll, type Server, type Service } from "../api";
import { usePoll } from "../live";
import { useMay } from "../session";
import { countsAsProduction, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { ended, OperationLine, useOperation } from "./operation";

type Verb = "start" | "stop" | "restart";
const says: Record<Verb, string> = {
  start: "The service starts.",
  stop: "The service stops and stays stopped until somebody starts it.",
  restart: "The service is away for a moment; connections to it are cut.",
};

export function Services({ server }: { server: Server }) {
  const queries = useQueryClient();
  const services = useQuery({
    queryKey: ["services", server.id], queryFn: () => getAll<Service>(`/servers/${server.id}/services`), refetchInterval: usePoll(),
  });
  const mayVerb: Record<Verb, boolean> = { start: useMay("unit.start"), stop: useMay("unit.stop"), restart: useMay("unit.restart") };
  const mayControlAccess = useMay("unit.control_access");
  const mayControl = mayVerb.start || mayVerb.stop || mayVerb.restart;
  const verbs = (s: Service) => s.control === "no" || (s.control === "destructive" && !mayControlAccess) ? []
    : (s.active === "active" ? ["restart", "stop"] as const : ["start"] as const).filter((v) => mayVerb[v]);
  const [filter, setFilter] = useState("");
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState<{ verb: Verb; unit: string; cuts: boolean } | null>(null);
  const { start, operation, busy, error } = useOperation(server.id);
  const done = ended(operation);
  useEffect(() => { if (done) void queries.invalidateQueries({ queryKey: ["services", server.id] }); }, [done, queries, server.id]);

  if (services.error) return <Failure error={services.error} />;
  if (!services.data) return <Waiting what="services" />;
  const word = filter.trim().toLowerCase();
  const list = services.data.data.filter((s) =>
    (all || s.load === "loaded") && (!word || s.unit.toLowerCase().includes(word) || s.description.toLowerCase().includes(word)));
  list.sort((a, b) => Number(b.active === "failed") - Number(a.active === "failed") || a.unit.localeCompare(b.unit));
  return (
    <Stack>
      <Group align="end">
        <TextInput label="Find a service" value={filter} onChange={(e) => setFilter(e.currentTarget.value)} className="grow" />
        <Switch label="Also those not loaded" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />
      </Group>
      <OperationLine operation={operation} error={error} />
      {!server.online && <Text c="dimmed">The server is {server.leaves_at ? "disconnected" : "offline"}: this is what it last reported, and nothing can be done on it now.</Text>}
      {list.length === 0 && <Text>No service matches.</Text>}
      <ul className="rows" aria-label="Services">
        {list.map((s) => (
          <li key={s.unit}>
            <div className="row-text"><b><Foreign text={s.unit} /></b><Text size="sm" c="dimmed"><Foreign text={s.description} /></Text></div>
            <State service={s} />
            {mayControl && s.control === "no" && <Text size="sm" c="dimmed">part of the machine: not controlled here</Text>}
            {verbs(s).length > 0 && (
              <Group gap="xs" wrap="nowrap">
                {verbs(s).map((verb) => (
                  <Button key={verb} size="xs" variant="default" disabled={busy || !server.online}
                          aria-label={`${verb} ${s.unit}`} onClick={() => setAsked({ verb, unit: s.unit, cuts: verb !== "start" && s.control === "destructive" })}>{verb}</Button>
                ))}
              </Group>
            )}
          </li>
        ))}
      </ul>
      <Modal opened={asked !== null} onClose={() => setAsked(null)} closeButtonProps={{ "aria-label": "Close" }}
             title={asked && <>{asked.verb} <Foreign text={asked.unit} />?</>}>
        {asked && (
          <Stack>
            <Text>On <b><Foreign text={server.name} /></b>{countsAsProduction(server) && ` (${server.environment === "unknown" ? "environment unknown, counts as production" : "production"})`}. {says[asked.verb]}</Text>
            {asked.cuts && <Text c="red">People, and perhaps this product, reach the server through it: this can shut everybody out.</Text>}
            <Group justify="end">
              <Button variant="default" data-autofocus onClick={() => setAsked(null)}>Cancel</Button>
              <Button color={asked.verb === "start" ? "indigo" : "red"}
                      onClick={() => { start.mutate({ type: `unit.${asked.verb}`, unit: asked.unit }); setAsked(null); }}>
                {asked.verb}
              </Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Stack>
  );
}

function State({ service: s }: { service: Service }) {
  const color = s.active === "active" ? "green" : s.active === "failed" ? "red" : s.active === "inactive" ? "gray" : "yellow";
  return <Badge color={color} variant="light"><Foreign text={`${s.active} · ${s.sub}`} /></Badge>;
}
