// The sites behind nginx on our servers: the list, and one site.
import { Anchor, Badge, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { get, getAll, post, type Operation, type Server, type Site, type SiteOnServer } from "../api";
import { absolute, bytes } from "../format";
import { usePoll } from "../live";
import { Ago, Failure, Page, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { ended, OperationLine, useFollowed } from "../parts/operation";
import { CreateSite, DeleteSite, EditSite, restoreSite } from "../parts/site-forms";
import { useMay } from "../session";

export const useServers = () => useQuery({ queryKey: ["servers"], queryFn: () => getAll<Server>("/servers") });

const colors: Record<Site["state"], string> = { creating: "indigo", live: "green", changing: "indigo", deleting: "indigo", deleted: "red", restoring: "indigo", unknown: "orange" };
const State = ({ site: s }: { site: Site }) => <Badge color={colors[s.state]} variant="light">{s.state === "unknown" ? "state not known" : s.state}</Badge>;
const kindOf = (s: Site) => (s.kind === "proxy" ? `proxy of port ${s.port}` : "static files");

export function SitesPage() {
  const sites = useQuery({ queryKey: ["sites"], queryFn: () => getAll<Site>("/sites"), refetchInterval: usePoll() });
  const servers = useServers();
  const may = useMay("site.manage");
  const [making, setMaking] = useState(false);
  const list = sites.data?.data;
  const name = (id: string) => servers.data?.data.find((s) => s.id === id)?.name ?? id;
  return (
    <Page title="Sites" aside={may && list && list.length > 0 && <Button onClick={() => setMaking(true)}>Make a site</Button>}>
      <Failure error={sites.error ?? servers.error} />
      {sites.isPending && <Waiting what="sites" />}
      {list?.length === 0 && (
        <Paper withBorder p="xl" className="empty">
          <Title order={2} size="h4">No sites yet</Title>
          <Text>A site is a set of domains on one of your servers, behind its nginx: files of a folder, or what listens on a port there.</Text>
          {may ? <Button onClick={() => setMaking(true)}>Make a site</Button> : <Text c="dimmed">Ask a Member, Admin or Owner to make one.</Text>}
        </Paper>
      )}
      <ul className="rows" aria-label="Sites">
        {list?.map((s) => (
          <li key={s.id}>
            <div className="row-text">
              <b><Link href={`/sites/${s.id}`}><Foreign text={s.name} /></Link></b> <State site={s} />
              <Text size="sm"><Foreign text={s.domains.join(", ")} /></Text>
              <Text size="sm" c="dimmed">{kindOf(s)} on <Foreign text={name(s.server_id)} /></Text>
              {s.ends_at && <Text size="sm" c="var(--mantine-color-error)">gone for good on {absolute(s.ends_at)}</Text>}
            </div>
          </li>
        ))}
      </ul>
      <CreateSite opened={making} onClose={() => setMaking(false)} servers={servers.data?.data ?? []} />
    </Page>
  );
}

export function SitePage({ id }: { id: string }) {
  const queries = useQueryClient();
  const site = useQuery({ queryKey: ["site", id], queryFn: () => get<Site>(`/sites/${encodeURIComponent(id)}`), refetchInterval: usePoll() });
  const servers = useServers();
  const mayManage = useMay("site.manage"), mayDelete = useMay("site.delete");
  const [asking, setAsking] = useState<"change" | "delete" | null>(null);
  const check = useMutation({ mutationFn: () => post<Operation>(`/sites/${id}/checks`, {}) });
  const restore = useMutation({ mutationFn: () => restoreSite(id), onSuccess: () => queries.invalidateQueries({ queryKey: ["site", id] }) });
  const checked = useFollowed(check.data);
  const under = useFollowed(useLast(site.data?.operation_id ?? null));
  const over = ended(under) || ended(checked);
  useEffect(() => { if (over) void queries.invalidateQueries({ queryKey: ["site", id] }); }, [over, under?.id, checked?.id, queries, id]);
  const s = site.data;
  const back = <Anchor component={Link} href="/sites" underline="always">All sites</Anchor>;
  if (!s) return site.error ? <Page title="Site"><Failure error={site.error} />{back}</Page> : <Waiting what="the site" />;
  const server = servers.data?.data.find((x) => x.id === s.server_id);
  const off = s.operation_id !== null || !server?.online;
  return (
    <Page title={<Foreign text={s.name} />} aside={<State site={s} />}>
      {back}
      <Paper withBorder p="md" my="md">
        <dl className="facts">
          <dt>Domains</dt><dd>{s.domains.map((d, i) => <div key={d}><Foreign text={d} />{i > 0 && s.redirect && " (leads to the first)"}</div>)}</dd>
          <dt>Kind</dt><dd>{kindOf(s)}</dd>
          <dt>Server</dt><dd>{server ? <Link href={`/servers/${server.id}`}><Foreign text={server.name} /></Link> : s.server_id}</dd>
          {s.kind === "static" && <><dt>Files</dt><dd><code>/srv/caip-sites/{s.id}/public</code>, of the user <code>{s.id}</code></dd></>}
          <dt>Changed</dt><dd><Ago at={s.changed_at} /></dd>
          {s.ends_at && <><dt>Gone for good</dt><dd>{absolute(s.ends_at)}</dd></>}
        </dl>
        <OperationLine operation={under} error={null} />
        {s.state === "unknown" && <Text c="orange">An order ended without an answer. Ask the server what it has.</Text>}
        {server && !server.online && <Text c="dimmed">The server is offline: nothing can be changed now.</Text>}
        <Group gap="xs" mt="sm">
          <Button size="xs" variant="default" disabled={off} loading={check.isPending} onClick={() => check.mutate()}>Ask the server</Button>
          {mayManage && s.state !== "deleted" && <Button size="xs" variant="default" disabled={off} onClick={() => setAsking("change")}>Change</Button>}
          {mayDelete && s.state === "deleted" && <Button size="xs" disabled={off} loading={restore.isPending} onClick={() => restore.mutate()}>Restore</Button>}
          {mayDelete && s.state !== "deleted" && <Button size="xs" color="red" variant="default" disabled={off} onClick={() => setAsking("delete")}>Delete</Button>}
        </Group>
        <Failure error={check.error ?? restore.error} />
      </Paper>
      <Said operation={checked} />
      <EditSite site={s} opened={asking === "change"} onClose={() => setAsking(null)} />
      <DeleteSite site={s} opened={asking === "delete"} onClose={() => setAsking(null)} />
    </Page>
  );
}

/** The last order that was under way, also once it has ended. */
function useLast(id: string | null) {
  const [last, setLast] = useState<string | null>(null);
  useEffect(() => { if (id) setLast(id); }, [id]);
  return useQuery({ queryKey: ["operation", last], enabled: last !== null, queryFn: () => get<Operation>(`/operations/${last}`) }).data;
}

/** What the server says it has. */
function Said({ operation: o }: { operation: Operation | undefined }) {
  if (!o) return null;
  const s = (o.result as { site?: SiteOnServer } | null)?.site;
  if (o.status !== "succeeded" || !s) return <OperationLine operation={o} error={null} />;
  return (
    <Paper withBorder p="md" component="section" aria-label="What the server says">
      <Title order={2} size="h5">What the server says</Title>
      <Stack gap={4} role="status">
        {!s.exists && <Text>It has no such site.</Text>}
        {s.exists && s.ends_at && <Text>Out of service, whole until {absolute(s.ends_at)}.</Text>}
        {s.answers.length > 0 && <Text>nginx serves: <Foreign text={s.answers.join(", ")} /></Text>}
        {s.silent.length > 0 && <Text c="red">nginx does not serve: <Foreign text={s.silent.join(", ")} /></Text>}
        {s.upstream !== null && <Text c={s.upstream ? undefined : "red"}>{s.upstream ? "Something listens on the port." : "Nothing listens on the port."}</Text>}
        {s.exists && <Text>Files: {bytes(s.bytes)}{!s.bytes_whole && ", and more than were counted"}</Text>}
      </Stack>
    </Paper>
  );
}
