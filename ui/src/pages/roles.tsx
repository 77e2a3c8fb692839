// The matrix as the server decides by it.
import { Anchor, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { get, type List, type RoleRow } from "../api";
import { Failure, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";

const columns = ["owner", "admin", "member", "viewer"];

export function Roles() {
  const found = useQuery({ queryKey: ["roles"], queryFn: () => get<List<RoleRow>>("/roles"), staleTime: Infinity });
  if (found.error) return <Failure error={found.error} />;
  if (!found.data) return <Waiting what="roles" />;
  const categories = [...new Set(found.data.data.map((r) => r.category))];
  return (
    <Stack>
      <div className="row-between">
        <Text c="dimmed" size="sm">What is not in this table is refused, to everybody.</Text>
        <Anchor href="/api/v1/roles?format=csv" download="roles.csv" underline="always">Download as CSV</Anchor>
      </div>
      {categories.map((c) => (
        <section key={c}>
          <div className="wide" tabIndex={0} role="region" aria-label={`Permissions: ${c}`}>
            <Table captionSide="top" withTableBorder>
              <Table.Caption><b><Foreign text={c} /></b></Table.Caption>
              <Table.Thead><Table.Tr><Table.Th>Permission</Table.Th>{[...columns, "token", "pilot"].map((r) => <Table.Th key={r}>{r}</Table.Th>)}</Table.Tr></Table.Thead>
              <Table.Tbody>
                {found.data.data.filter((r) => r.category === c).map((r) => (
                  <Table.Tr key={r.permission}>
                    <Table.Th scope="row"><code><Foreign text={r.permission} /></code><Text size="sm" c="dimmed"><Foreign text={r.about} /></Text></Table.Th>
                    {columns.map((role) => <Table.Td key={role}>{r.roles.includes(role) ? "yes" : "–"}</Table.Td>)}
                    <Table.Td>{r.token ? "yes" : "–"}</Table.Td><Table.Td>{r.pilot ? "yes" : "–"}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </section>
      ))}
    </Stack>
  );
}
