import { Badge, Button, Group, Menu, Modal, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { getAll, type Server, type Service } from "../api";
import { usePoll } from "../live";
import { useMay } from "../session";
import { countsAsProduction, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { ended, OperationLine, useOperation } from "./operation";

const verbs = ["start", "stop", "restart", "reload", "enable", "disable"] as const;
type Verb = (typeof verbs)[number];
const says: Record<Verb, string> = {
  start: "The service starts.",
  stop: "The service stops and stays stopped until somebody starts it.",
  restart: "The service is away for a moment; connections to it are cut.",
  reload: "The service reads its configuration again and goes on. One that cannot do that says so.",
  enable: "It starts whenever the server does. Now, nothing starts.",
  disable: "It no longer starts with the server. Now, nothing stops.",
};
const calm: Verb[] = ["start", "enable"];  // shut nobody out

// systemd forgets a unit that is stopped and that nothing asks for: it is still one of this server's services.
const there = (s: Service) => s.load === "loaded" || (s.load === "unloaded" && (s.file_state === "enabled" || s.file_state === "disabled"));

// What makes sense now: the usual ones as buttons, the others in a menu.
function fitting(s: Service): { usual: Verb[]; other: Verb[] } {
  const up = s.active === "active";
  const boot: Verb[] = s.file_state === "enabled" ? ["disable"] : s.file_state === "disabled" ? ["enable"] : [];
  return { usual: up ? ["restart", "stop"] : ["start"], other: up ? ["reload", ...boot] : boot };
}

export function Services({ server }: { server: Server }) {
  const queries = useQueryClient();
  const services = useQuery({
    queryKey: ["services", server.id], queryFn: () => getAll<Service>(`/servers/${server.id}/services`), refetchInterval: usePoll(),
  });
  const mayVerb: Record<Verb, boolean> = { start: useMay("unit.start"), stop: useMay("unit.stop"), restart: useMay("unit.restart"),
    reload: useMay("unit.reload"), enable: useMay("unit.enable"), disable: useMay("unit.disable") };
  const mayControlAccess = useMay("unit.control_access");
  const mayControl = verbs.some((v) => mayVerb[v]);
  const allowed = (s: Service, some: Verb[]) => s.control === "no" || (s.control === "destructive" && !mayControlAccess) ? [] : some.filter((v) => mayVerb[v]);
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
    (all || there(s)) && (!word || s.unit.toLowerCase().includes(word) || s.description.toLowerCase().includes(word)));
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
        {list.map((s) => {
          const { usual, other } = fitting(s);
          const ask = (verb: Verb) => setAsked({ verb, unit: s.unit, cuts: !calm.includes(verb) && s.control === "destructive" });
          return (
            <li key={s.unit}>
              <div className="row-text"><b><Foreign text={s.unit} /></b><Text size="sm" c="dimmed"><Foreign text={s.description} />{s.file_state === "enabled" && `${s.description && " · "}starts with the server`}</Text></div>
              <State service={s} />
              {mayControl && s.control === "no" && <Text size="sm" c="dimmed">part of the machine: not controlled here</Text>}
              <Group gap="xs" wrap="nowrap">
                {allowed(s, usual).map((verb) => (
                  <Button key={verb} size="xs" variant="default" disabled={busy || !server.online} aria-label={`${verb} ${s.unit}`} onClick={() => ask(verb)}>{verb}</Button>
                ))}
                {allowed(s, other).length > 0 && <Others unit={s.unit} verbs={allowed(s, other)} disabled={busy || !server.online} onAsk={ask} />}
              </Group>
            </li>
          );
        })}
      </ul>
      <Modal opened={asked !== null} onClose={() => setAsked(null)} closeButtonProps={{ "aria-label": "Close" }}
             title={asked && <>{asked.verb} <Foreign text={asked.unit} />?</>}>
        {asked && (
          <Stack>
            <Text>On <b><Foreign text={server.name} /></b>{countsAsProduction(server) && ` (${server.environment === "unknown" ? "environment unknown, counts as production" : "production"})`}. {says[asked.verb]}</Text>
            {asked.cuts && <Text c="red">People, and perhaps this product, reach the server through it: this can shut everybody out.</Text>}
            <Group justify="end">
              <Button variant="default" data-autofocus onClick={() => setAsked(null)}>Cancel</Button>
              <Button color={calm.includes(asked.verb) || asked.verb === "reload" ? "indigo" : "red"}
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

function Others({ unit, verbs: some, disabled, onAsk }: { unit: string; verbs: Verb[]; disabled: boolean; onAsk: (verb: Verb) => void }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target><Button size="xs" variant="default" disabled={disabled} aria-label={`more for ${unit}`}>more</Button></Menu.Target>
      <Menu.Dropdown>{some.map((verb) => <Menu.Item key={verb} onClick={() => onAsk(verb)}>{verb}</Menu.Item>)}</Menu.Dropdown>
    </Menu>
  );
}

function State({ service: s }: { service: Service }) {
  const color = s.active === "active" ? "green" : s.active === "failed" ? "red" : s.active === "inactive" ? "gray" : "yellow";
  return <Badge color={color} variant="light"><Foreign text={`${s.active} · ${s.sub}`} /></Badge>;
}
