import { Alert, Badge, Button, Code, NativeSelect, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, getAll, getText, type AuditRow, type List, type Member, type Quorum, type Server } from "../api";
import { absolute, asText } from "../format";
import { usePoll } from "../live";
import { checkEntry } from "../log";
import { useMay } from "../session";
import { Ago, Copy, Failure, Page, Waiting } from "../parts/common";
import { Export } from "../parts/export";
import { Foreign } from "../parts/foreign";
import { More } from "../parts/more";

const results = ["completed", "failed", "denied", "expired", "blocked", "pending"];
const resultColor: Record<string, string> = { completed: "green", failed: "red", blocked: "red", denied: "yellow", expired: "gray", pending: "indigo" };

const sources = ["user", "api_token", "pilot", "agent", "system", "anonymous"];
const anyOf = (list: string[]) => [{ value: "", label: "any" }, ...list.map((v) => ({ value: v, label: v }))];

// What the API calls its filters. Dates are days of UTC, as the entries' times are.
const empty = { text: "", action: "", result: "", source: "", actor: "", approver: "", target: "", from: "", until: "" };
type Filters = typeof empty;

// What is not one of these is sent as it was typed. People and servers may be called by name.
const sent: Partial<Record<keyof Filters, (value: string, names: Names) => string>> = {
  from: dayOf, until: dayOf, actor: idOf, approver: idOf, target: idOf,
};
function dayOf(value: string) { return `${value}T00:00:00.000000Z`; }
function idOf(value: string, names: Names) { return [...names].find(([, shown]) => shown === value)?.[0] ?? value; }

function query(f: Filters, names: Names): URLSearchParams {
  const q = new URLSearchParams();
  for (const name of Object.keys(f) as (keyof Filters)[]) {
    const value = f[name].trim();
    if (value) q.set(name, sent[name]?.(value, names) ?? value);
  }
  return q;
}

export function AuditPage() {
  const [filters, setFilters] = useState<Filters>(empty);
  const names = useNames();
  const text = query(filters, names).toString();
  const entries = useInfiniteQuery({
    queryKey: ["audit", "entries", text], initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const q = new URLSearchParams(text);
      q.set("limit", "50");
      if (pageParam) q.set("cursor", pageParam);
      return get<List<AuditRow>>(`/audit/entries?${q}`);
    },
    getNextPageParam: (last) => last.next_cursor, refetchInterval: usePoll(), placeholderData: (old) => old,
  });
  const mayExport = useMay("audit.export");
  const list = entries.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <Page title="Audit log">
      <Text c="dimmed" mb="md">
        Every action, allowed or refused. Nothing in here can be changed unnoticed: your servers witness it, and <code>caip audit verify</code> tells, with no server running, whether it still holds.
      </Text>
      <Checkpoint />
      <Witnesses />
      <FilterBar filters={filters} set={setFilters} names={names} />
      {mayExport && <Export filters={text} />}
      <Failure error={entries.error} />
      {entries.isPending && <Waiting what="entries" />}
      {entries.data && list.length === 0 && <Text>{entries.hasNextPage ? "Nothing among the newest entries. Look further back:" : "No entry matches."}</Text>}
      <ol className="rows audit" aria-label="Entries, newest first">{list.map((r) => <li key={r.index}><Entry row={r} names={names} /></li>)}</ol>
      <More query={entries} />
    </Page>
  );
}

function FilterBar({ filters, set, names }: { filters: Filters; set: (f: Filters) => void; names: Names }) {
  const field = (name: keyof Filters) => ({ value: filters[name], onChange: (e: { currentTarget: { value: string } }) => set({ ...filters, [name]: e.currentTarget.value }) });
  return (
    <div className="filters">
      <TextInput label="Text" placeholder="nginx" {...field("text")} />
      <TextInput label="Action" placeholder="unit.restart" {...field("action")} />
      <NativeSelect label="Result" data={anyOf(results)} {...field("result")} />
      <NativeSelect label="Source" data={anyOf(sources)} {...field("source")} />
      <TextInput label="Actor" placeholder="e-mail or id" list="known-names" {...field("actor")} />
      <TextInput label="Approver" placeholder="e-mail or id" list="known-names" {...field("approver")} />
      <TextInput label="Target" placeholder="name or id" list="known-names" {...field("target")} />
      <datalist id="known-names">{[...names].map(([id, shown]) => <option key={id} value={shown} />)}</datalist>
      <TextInput type="date" label="From (UTC)" {...field("from")} />
      <TextInput type="date" label="Before (UTC)" {...field("until")} />
      {Object.values(filters).some((v) => v.trim()) && <Button variant="default" onClick={() => set(empty)}>Clear filters</Button>}
    </div>
  );
}

function Witnesses() {
  const found = useQuery({ queryKey: ["audit", "witnesses"], queryFn: () => get<Quorum>("/audit/witnesses"), refetchInterval: usePoll() || 15_000 });
  const q = found.data;
  if (!q) return <Failure error={found.error} />;
  const wrong = q.data.filter((w) => w.contradicted_at);
  return (
    <>
      {wrong.length > 0 && (
        <Alert color="red" role="alert" title="Servers have seen another log than this one">
          {wrong.map((w) => <Foreign key={w.server_id} text={`${w.name} `} />)}
          {wrong.length > 1 ? "refuse" : "refuses"} orders: the log was forked, cut or rolled back. Run caip audit verify with a checkpoint you kept.
        </Alert>
      )}
      <details>
        <summary>
          Witnesses: {q.have} of {q.data.length} servers cosigned lately{" "}
          <Badge color={q.reached ? "green" : "yellow"} variant="light">{q.reached ? "quorum" : `${q.needed} needed`}</Badge>
          {q.anchored_at && <Text span size="sm" c="dimmed"> newest checkpoint <Ago at={q.anchored_at} /></Text>}
        </summary>
        <ul className="rows" aria-label="Witnesses">
          {q.data.map((w) => (
            <li key={w.server_id}>
              <div className="row-text"><b><Foreign text={w.name} /></b> {w.cosigned_at ? <>saw {w.size} entries <Ago at={w.cosigned_at} /></> : "has not cosigned yet"}</div>
              {w.contradicted_at && <Badge color="red" variant="light">contradicts</Badge>}
            </li>
          ))}
        </ul>
      </details>
    </>
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
        <span><Foreign text={name(e["actor"], names)} />{e["source"] && e["source"] !== kind && e["source"] !== "anonymous" ? <Text span size="sm" c="dimmed"> via <Foreign text={asText(e["source"])} /></Text> : null}</span>
        <span><Foreign text={name(e["target"], names)} /></span>
        <Badge color={resultColor[result] ?? "gray"} variant="light"><Foreign text={result} /></Badge>
      </summary>
      <Code block className="bytes" tabIndex={0} aria-label={`Entry ${row.index}`}><Foreign text={JSON.stringify(e, null, 2)} lines /></Code>
      <Text size="xs" className="digest">leaf hash <Foreign text={row.hash} /></Text>
      <Check index={row.index} entry={e} />
    </details>
  );
}
