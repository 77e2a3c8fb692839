// Who can do what on this server, and why.
import { List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getAll, type AccessRow } from "../api";
import { Failure, Waiting } from "./common";
import { Foreign } from "./foreign";

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
              <List size="sm">{p.may.map((m) => <List.Item key={m.permission}><Foreign text={m.about} /> <Text span c="dimmed">(<Foreign text={m.because} />)</Text></List.Item>)}</List>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
