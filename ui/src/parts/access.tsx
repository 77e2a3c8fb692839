// Who can do what on this server, and why.
import { List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getAll, type AccessRow } from "../api";
import { Ago, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";

function Grants({ may }: { may: AccessRow["may"] }) {
  return <List size="sm">{may.map((m) => <List.Item key={m.permission}><Foreign text={m.about} /> <Text span c="dimmed">(<Foreign text={m.because} />)</Text></List.Item>)}</List>;
}

export function Access({ id }: { id: string }) {
  const found = useQuery({ queryKey: ["access", id], queryFn: () => getAll<AccessRow>(`/servers/${encodeURIComponent(id)}/access`) });
  if (found.error) return <Failure error={found.error} />;
  if (!found.data) return <Waiting what="access" />;
  return (
    <>
      <Text c="dimmed" size="sm" mb="sm">A role counts on every server of the organisation. The Pilot may look as its human may; to change something it proposes, and somebody allows.</Text>
      <ul className="rows" aria-label="Who can do what">
        {found.data.data.map((p) => (
          <li key={p.user.id}>
            <div className="row-text">
              <b><Foreign text={p.user.email} /></b>, {p.role}
              <Grants may={p.may} />
              {p.tokens.map((t) => (
                <div key={t.id}>
                  <Text size="sm" mt="xs">API token <b><Foreign text={t.name} /></b>, from {t.networks.length ? <Foreign text={t.networks.join(", ")} /> : "anywhere"}, ends <Ago at={t.expires_at} /></Text>
                  <Grants may={t.may} />
                </div>
              ))}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
