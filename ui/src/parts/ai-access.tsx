// What the AI could do on one server, and if not, which setting keeps it from that.
import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, putPlain, type AiAccess } from "../api";
import { usePoll } from "../live";
import { useMay } from "../session";
import { Failure, Waiting } from "./common";
import { Foreign } from "./foreign";

const levels: [AiAccess["access"], string, string][] = [
  ["none", "No access", "To the AI there is no such server."],
  ["read", "Look", "It sees services, their state and their logs."],
  ["full", "Look and propose", "It also proposes to start, stop, restart, reload, enable and disable services. Nothing runs before a person allows it."],
];

export function AiAccessPart({ id }: { id: string }) {
  const queries = useQueryClient();
  const mayControl = useMay("ai.control");
  const path = `/servers/${encodeURIComponent(id)}/ai-access`;
  const access = useQuery({ queryKey: ["ai-access", id], queryFn: () => get<AiAccess>(path), refetchInterval: usePoll() });
  const set = useMutation({ mutationFn: (level: string) => putPlain(path, { access: level }), onSuccess: () => queries.invalidateQueries({ queryKey: ["ai-access", id] }) });
  const a = access.data;
  if (!a) return access.error ? <Failure error={access.error} /> : <Waiting what="what the AI may do" />;
  return (
    <Stack>
      <dl className="facts">
        <dt>May look</dt><dd><May of={a.look} /></dd>
        <dt>May propose</dt><dd><May of={a.propose} /></dd>
      </dl>
      <ol className="gates" aria-label="What is asked before it proposes">
        {a.gates.map((g) => <li key={g.setting}><Foreign text={g.setting} />: <b>{g.open ? "open" : "shut"}</b></li>)}
        {a.operations.filter((o) => o.may !== a.propose.may).map((o) => <li key={o.operation}><Foreign text={o.operation} />: <May of={o} /></li>)}
      </ol>
      <ul className="rows" aria-label="AI access">
        {levels.map(([level, title, says]) => (
          <li key={level}>
            <div className="row-text"><b>{title}</b><Text size="sm" c="dimmed">{says}</Text></div>
            <Group gap="xs">
              {a.access === level ? <Text size="sm" fw={600}>set</Text>
                : mayControl && <Button size="xs" variant="default" aria-label={`Set ${title}`} loading={set.isPending && set.variables === level} onClick={() => set.mutate(level)}>Set</Button>}
            </Group>
          </li>
        ))}
      </ul>
      {!mayControl && <Text size="sm" c="dimmed">Owners and Admins change this.</Text>}
      <Failure error={set.error} />
    </Stack>
  );
}

function May({ of }: { of: { may: boolean; why_not: string | null } }) {
  return of.may ? <>yes</> : <>no: <Foreign text={of.why_not ?? ""} /></>;
}
