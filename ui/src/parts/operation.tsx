// Starting an operation and following it to its end.
import { Badge, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { get, post, type Operation } from "../api";
import { asText } from "../format";
import { Failure } from "./common";
import { Foreign } from "./foreign";

export const ended = (o: Operation | undefined) => o !== undefined && o.status !== "pending" && o.status !== "running";

type Order = { to?: "actions"; type: string; unit?: string; lines?: number } | { to: "env"; user: string; secrets: string[] } | { to: "env/removals"; user: string };

export function useOperation(server: string) {
  const start = useMutation({
    mutationFn: ({ to = "actions", ...body }: Order) => post<Operation>(`/servers/${server}/${to}`, body),
  });
  const follow = useOperationOf(start.data);
  const operation = start.data && follow.data;
  return { start, operation, busy: start.isPending || (operation !== undefined && !ended(operation)), error: start.error ?? follow.error };
}

function useOperationOf(started: Operation | undefined) {
  const id = started?.id;
  return useQuery({
    queryKey: ["operation", id], enabled: id !== undefined, queryFn: () => get<Operation>(`/operations/${id}`),
    initialData: started, staleTime: 0, refetchInterval: (q) => (ended(q.state.data) ? false : 1000),
  });
}
/** An operation as it is by now, to its end. */
export function useFollowed(started: Operation | undefined) {
  const follow = useOperationOf(started);
  return started && follow.data;
}

export function OperationLine({ operation: o, error }: { operation: Operation | undefined; error: unknown }) {
  if (error) return <Failure error={error} />;
  if (!o) return null;
  const color = o.status === "succeeded" ? "green" : ended(o) ? "red" : "indigo";
  return (
    <Text size="sm" role="status">
      <Badge color={color} variant="light">{o.status}</Badge> <Foreign text={`${o.type} ${o.unit ?? o.user ?? o.site ?? ""}`} />
      {o.error ? <>: <Foreign text={asText(o.error)} /></> : null}
    </Text>
  );
}
