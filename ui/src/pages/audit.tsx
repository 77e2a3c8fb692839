import { Alert, Badge, Button, Code, Group, NativeSelect, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, getAll, getText, type AuditRow, type List, type Member, type Server } from "../api";
import { absolute, asText } from "../format";
import { usePoll } from "../live";
import { checkEntry } from "../log";
import { Copy, Failure, Page, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { More } from "../parts/more";

const results = ["completed", "failed", "denied", "expired", "blocked", "pending"];
const resultColor: Record<string, string> = { completed: "green", failed: "red", blocked: "red", denied: "yellow", expired: "gray", pending: "indigo" };

export function AuditPage() {
  const [action, setAction] = useState("");
  const [result, setResult] = useState("");
  const entries = useInfiniteQuery({
    queryKey: ["audit", "entries", action, result], initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const q = new URLSearchParams({ limit: "50" });
      if (action.trim()) q.set("action", action.trim());
      if (result) q.set("result", result);
      if (pageParam) q.set("cursor", pageParam);
      return get<List<AuditRow>>(`/audit/entries?${q}`);
    },
    getNextPageParam: (last) => last.next_cursor, refetchInterval: usePoll(), placeholderData: (old) => old,
  });
  const names = useNames();
  const list = entries.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <Page title="Audit log">
      <Text c="dimmed" mb="md">
        Every action, allowed or refused. Nothing in here can be changed unnoticed: keep a checkpoint, and <code>caip audit verify</code> tells later whether the log still holds.
      </Text>
      <Checkpoint />
      <Group align="end" my="md">
        <TextInput label="Action" placeholder="unit.restart" value={action} onChange={(e) => setAction(e.currentTarget.value)} />
        <NativeSelect label="Result" value={result} onChange={(e) => setResult(e.currentTarget.value)}
                      data={[{ value: "", label: "any" }, ...results.map((r) => ({ value: r, label: r }))]} />
      </Group>
      <Failure error={entries.error} />
      {entries.isPending && <Waiting what="entries" />}
      {entries.data && list.length === 0 && <Text>No entry matches.</Text>}
      <ol className="rows audit" aria-label="Entries, newest first">{list.map((r) => <li key={r.index}><Entry row={r} names={names} /></li>)}</ol>
      <More query={entries} />
    </Page>
  );
}

function Checkpoint() {
  const note = useQuery({ queryKey: ["audit", "checkpoint"], queryFn: () => getText("/audit/checkpoint"), refetchInterval: usePoll() });
  if (!note.data) return <Failure error={note.error} />;
  return (
    <details>
      <summary>Signed checkpoint: {note.data.split("\n")[1]} entries</summary>
      <Code block className="bytes" tabIndex={0} aria-label="Checkpoint"><Foreign text={note.data} lines /></Code>
      <Copy text={note.data} what="checkpoint" />
    </details>
  );
}

function parse(entry: AuditRow["entry"]): Record<string, unknown> {
  if (typeof entry !== "string") return entry;
  try { return JSON.parse(entry) as Record<string, unknown>; } catch { return { action: entry }; }
}

type Names = Map<string, string>;

/** Ids as people know them. */
function useNames(): Names {
  const members = useQuery({ queryKey: ["members"], queryFn: () => getAll<Member>("/members") });
  const servers = useQuery({ queryKey: ["servers"], queryFn: () => getAll<Server>("/servers") });
  return new Map([...(members.data?.data ?? []).map((m) => [m.id, m.email] as const), ...(servers.data?.data ?? []).map((s) => [s.id, s.name] as const)]);
}

// {"kind":"user","id":"usr_…"} and the like, short.
function name(v: unknown, names: Names): string {
  if (v && typeof v === "object") {
    const o = v as Record<string, unknown>;
    return name(o["id"] ?? o["kind"] ?? asText(v), names);
  }
  const text = asText(v);
  return names.get(text) ?? text;
}

function Check({ index, entry }: { index: number; entry: unknown }) {
  const check = useMutation({ mutationFn: () => checkEntry(index, entry) });
  return (
    <div>
      <Button size="xs" variant="default" my={6} loading={check.isPending} onClick={() => check.mutate()}>Check against the checkpoint</Button>
      <Failure error={check.error} />
      {check.data === "holds" && <Text size="sm" role="status">✓ This entry, as shown, is in the log of the newest checkpoint (computed in this browser).</Text>}
      {check.data === "too new" && <Text size="sm" role="status">The newest checkpoint is older than this entry. Try again in a moment.</Text>}
      {check.data === "does not hold" && <Alert color="red" role="alert" title="This entry is not in the log of the checkpoint">The entry or the log was changed. Run caip audit verify with a checkpoint you kept.</Alert>}
    </div>
  );
}

function Entry({ row, names }: { row: AuditRow; names: Names }) {
  const e = parse(row.entry);
  const at = asText(e["at"]);
  const result = asText(e["result"]);
  const kind = (e["actor"] as Record<string, unknown> | null)?.["kind"];
  return (
    <details>
      <summary>
        <span className="num">{row.index}</span>
        <time dateTime={at}>{absolute(at)}</time>
        <b><Foreign text={asText(e["action"])} /></b>
        <span><Foreign text={name(e["actor"], names)} />{e["source"] && e["source"] !== kind ? <Text span size="sm" c="dimmed"> via <Foreign text={asText(e["source"])} /></Text> : null}</span>
        <span><Foreign text={name(e["target"], names)} /></span>
        <Badge color={resultColor[result] ?? "gray"} variant="light"><Foreign text={result} /></Badge>
      </summary>
      <Code block className="bytes" tabIndex={0} aria-label={`Entry ${row.index}`}><Foreign text={JSON.stringify(e, null, 2)} lines /></Code>
      <Text size="xs" className="digest">leaf hash <Foreign text={row.hash} /></Text>
      <Check index={row.index} entry={e} />
    </details>
  );
}
