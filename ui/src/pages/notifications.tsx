// Notifications: one's own notices; where the organisation is told about things, what of them, and how it went.
import { Alert, Badge, Button, Checkbox, Group, Modal, NativeSelect, Stack, Tabs, Text, TextInput, Title } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { get, getAll, mark, patch, post, removeVersion, type DeadLetter, type Delivery, type EventKind, type List, type NotifyChannel, type Notice, type OpenSession } from "../api";
import { usePoll } from "../live";
import { Ago, Failure, Page, Waiting } from "../parts/common";
import { ChannelForm, CredentialForm, kinds } from "../parts/channel-form";
import { DisownButton } from "../parts/disown";
import { Foreign } from "../parts/foreign";
import { More } from "../parts/more";
import { useMay } from "../session";

const colors: Record<string, string> = { info: "gray", warning: "orange", critical: "red", delivered: "green", queued: "gray", dead: "red", dropped: "gray" };

export function NotificationsPage({ part }: { part: string }) {
  const [, go] = useLocation();
  const manages = useMay("notification.manage");
  return (
    <Page title="Notifications">
      <Tabs value={manages ? part : "inbox"} onChange={(v) => go(v === "inbox" ? "/notifications" : `/notifications/${v}`)} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="inbox">For you</Tabs.Tab>
          {manages && <Tabs.Tab value="channels">Channels</Tabs.Tab>}
          {manages && <Tabs.Tab value="deliveries">Delivery log</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="inbox" pt="md"><Inbox /></Tabs.Panel>
        {manages && <Tabs.Panel value="channels" pt="md"><Channels /></Tabs.Panel>}
        {manages && <Tabs.Panel value="deliveries" pt="md"><Deliveries /></Tabs.Panel>}
      </Tabs>
    </Page>
  );
}

/** Where a notice's subject has its page. */
function pageOf(link: string): string | null {
  if (link.startsWith("srv_")) return `/servers/${link}`;
  if (link.startsWith("apr_")) return `/approvals/${link}`;
  if (link.startsWith("dlv_")) return "/notifications/deliveries";
  return null;
}

function Inbox() {
  const queries = useQueryClient();
  const notices = useInfiniteQuery({
    queryKey: ["notices"], initialPageParam: "", refetchInterval: usePoll(),
    queryFn: ({ pageParam }) => get<List<Notice>>(`/notifications/inbox?limit=50${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ""}`),
    getNextPageParam: (last) => last.next_cursor,
  });
  const all = notices.data?.pages.flatMap((p) => p.data) ?? [];
  const read = useMutation({
    mutationFn: () => mark(all[0]!.id),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ["notices"] }), queries.invalidateQueries({ queryKey: ["unread"] })]),
  });
  return (
    <Stack>
      <Group justify="space-between">
        <Text c="dimmed" size="sm">What your role may see, and what is about you. Kept for three months.</Text>
        {all.some((n) => !n.read) && <Button variant="default" loading={read.isPending} onClick={() => read.mutate()}>Mark all as read</Button>}
      </Group>
      <Failure error={notices.error ?? read.error} />
      {notices.isPending && <Waiting what="notices" />}
      {notices.data && all.length === 0 && <Text c="dimmed">Nothing has happened yet. What needs you will stand here and under the bell.</Text>}
      <ul className="rows" aria-label="Notices">{all.map((n) => <NoticeRow key={n.id} notice={n} />)}</ul>
      <More query={notices} />
    </Stack>
  );
}

function NoticeRow({ notice: n }: { notice: Notice }) {
  const to = pageOf(n.link);
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={n.title} /></b> <Badge variant="light" color={colors[n.severity] ?? "gray"}>{n.severity}</Badge> {!n.read && <Badge variant="filled">new</Badge>}
        <Text size="sm"><Foreign text={n.text} /></Text>
        <Text size="sm" c="dimmed"><Ago at={n.created_at} /></Text>
      </div>
      {to && <Link href={to} aria-label={`Look at it: ${n.title}`}>Look at it</Link>}
      {n.event === "account.new_sign_in" && n.link.startsWith("ses_") && <NotMe notice={n} />}
    </li>
  );
}

// Of the session that one sits in, it is said nowhere: sign out, and say it from another one.
function NotMe({ notice: n }: { notice: Notice }) {
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => getAll<OpenSession>("/sessions") });
  if (!sessions.data || sessions.data.data.some((s) => s.current && s.id === n.link)) return null;
  return <DisownButton session={n.link} label={`This was not me: the sign-in of ${n.created_at.slice(0, 16).replace("T", " ")} UTC`} />;
}

function Channels() {
  const channels = useQuery({ queryKey: ["channels"], queryFn: () => getAll<NotifyChannel>("/notifications/channels") });
  const [adding, setAdding] = useState(false);
  const all = channels.data?.data ?? [];
  return (
    <Stack>
      <Group justify="space-between">
        <Text c="dimmed" size="sm">Mail, chats and webhooks that are told what happens here.</Text>
        <Button onClick={() => setAdding(true)}>Add a channel</Button>
      </Group>
      <Failure error={channels.error} />
      {channels.isPending && <Waiting what="channels" />}
      {channels.data && all.length === 0 && <Text c="dimmed">No channel yet: people are told in this page only. Add one, send a test, and choose what it is told.</Text>}
      <ul className="rows" aria-label="Channels">{all.map((c) => <ChannelRow key={c.id} channel={c} />)}</ul>
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a channel" closeButtonProps={{ "aria-label": "Close" }}>
        {adding && <ChannelForm onDone={() => setAdding(false)} />}
      </Modal>
    </Stack>
  );
}

function told(c: NotifyChannel): string {
  const what = c.events.length === 0 ? "everything" : c.events.length === 1 ? "one event" : `${c.events.length} events`;
  return c.least_severity === "info" ? what : `${what}, from ${c.least_severity} up`;
}

function ChannelRow({ channel: c }: { channel: NotifyChannel }) {
  const [open, setOpen] = useState<"routing" | "credential" | "delete" | null>(null);
  const titles = { routing: "What it is told", credential: "Another credential", delete: "Delete the channel" };
  const close = () => setOpen(null);
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={c.name} /></b> <Badge variant="light">{kinds[c.kind] ?? c.kind}</Badge> {c.paused && <Badge variant="light" color="orange">not used</Badge>}
        <Text size="sm" c="dimmed"><Foreign text={c.target.to ?? c.target.url ?? c.target.chat ?? "an incoming webhook"} />; told {told(c)}</Text>
        {c.paused && c.paused !== "paused" && <Text size="sm" c="red"><Foreign text={c.paused} />: enter another credential, or delete the channel.</Text>}
        {c.previous_secret_until && Date.parse(c.previous_secret_until) > Date.now() && <Text size="sm" c="dimmed">The old signing secret signs too until {c.previous_secret_until.slice(0, 16).replace("T", " ")} UTC.</Text>}
        {c.verified ? <Test channel={c} /> : <Verify channel={c} />}
      </div>
      <Group gap="xs">
        <Button size="xs" variant="default" aria-label={`Routing of ${c.name}`} onClick={() => setOpen("routing")}>Routing</Button>
        <Button size="xs" variant="default" aria-label={`Credential of ${c.name}`} onClick={() => setOpen("credential")}>Credential</Button>
        <Button size="xs" variant="default" color="red" aria-label={`Delete ${c.name}`} onClick={() => setOpen("delete")}>Delete</Button>
      </Group>
      <Modal opened={open !== null} onClose={close} title={open ? titles[open] : ""} closeButtonProps={{ "aria-label": "Close" }}>
        {open === "routing" && <RoutingForm channel={c} onDone={close} />}
        {open === "credential" && <CredentialForm channel={c} onDone={close} />}
        {open === "delete" && <DeleteForm channel={c} onDone={close} />}
      </Modal>
    </li>
  );
}

/** A delivery that is asked about until it has its outcome. */
function Outcome({ id, good }: { id: string; good: string }) {
  const found = useQuery({
    queryKey: ["delivery", id], queryFn: () => get<Delivery>(`/notifications/deliveries/${id}`),
    refetchInterval: (q) => (q.state.data && q.state.data.state !== "queued" ? false : 500),
  });
  const d = found.data;
  if (found.error) return <Failure error={found.error} />;
  if (!d || d.state === "queued") return <Text size="sm" role="status">Sending…</Text>;
  if (d.state === "delivered") return <Text size="sm" role="status">✓ {good}</Text>;
  return <Alert color="red" variant="light" role="alert" title="It did not get there"><Foreign text={d.outcome} /></Alert>;
}

function Test({ channel: c }: { channel: NotifyChannel }) {
  const send = useMutation({ mutationFn: () => post<{ delivery_id: string }>(`/notifications/channels/${c.id}/test`, {}) });
  return (
    <Group gap="xs" mt={4}>
      <Button size="xs" variant="light" loading={send.isPending} aria-label={`Send a test to ${c.name}`} onClick={() => send.mutate()}>Send a test</Button>
      <Failure error={send.error} />
      {send.data && <Outcome id={send.data.delivery_id} good="The test was taken." />}
    </Group>
  );
}

function Verify({ channel: c }: { channel: NotifyChannel }) {
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const send = useMutation({ mutationFn: () => post<{ delivery_id: string }>(`/notifications/channels/${c.id}/code`, {}) });
  const verify = useMutation({
    mutationFn: () => post<NotifyChannel>(`/notifications/channels/${c.id}/verify`, { code: code.trim() }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["channels"] }),
  });
  return (
    <Stack gap="xs" mt={4}>
      <Text size="sm">Not used yet: have a code sent to the address and enter it here.</Text>
      <Group gap="xs" align="end" component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); verify.mutate(); }}>
        <Button size="xs" variant="light" loading={send.isPending} onClick={() => send.mutate()}>Send the code</Button>
        <TextInput size="xs" aria-label={`The code that came to ${c.name}`} placeholder="Code" inputMode="numeric" autoComplete="one-time-code" value={code} maxLength={16} onChange={(e) => setCode(e.currentTarget.value)} />
        <Button size="xs" type="submit" variant="default" disabled={!code.trim()} loading={verify.isPending}>Confirm</Button>
      </Group>
      {send.data && <Outcome key={send.data.delivery_id} id={send.data.delivery_id} good="The mail server took it. Look into the mailbox." />}
      <Failure error={send.error ?? verify.error} />
    </Stack>
  );
}

function RoutingForm({ channel: c, onDone }: { channel: NotifyChannel; onDone: () => void }) {
  const queries = useQueryClient();
  const known = useQuery({ queryKey: ["event-kinds"], queryFn: () => get<{ events: EventKind[] }>("/notifications/event-kinds") });
  const [least, setLeast] = useState(c.least_severity);
  const [events, setEvents] = useState<string[]>(c.events);
  const [all, setAll] = useState(c.events.length === 0);
  const [paused, setPaused] = useState(c.paused !== null);
  const store = useMutation({
    mutationFn: () => patch<NotifyChannel>(`/notifications/channels/${c.id}`, { least_severity: least, events: all ? [] : events, ...(paused !== (c.paused !== null) && { paused }) }, c.version),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["channels"] }); onDone(); },
  });
  const offered = known.data?.events.filter((e) => !e.in_app_only) ?? [];
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); store.mutate(); }}>
      <NativeSelect label="From this severity up" value={least} onChange={(e) => setLeast(e.currentTarget.value)} data={["info", "warning", "critical"]} />
      <Checkbox label="All events, also later ones" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />
      {!all && (
        <Checkbox.Group label="These events" value={events} onChange={setEvents}>
          <Stack gap={6} mt={4}>{offered.map((e) => <Checkbox key={e.event} value={e.event} label={`${e.title} (${e.severity})`} />)}</Stack>
        </Checkbox.Group>
      )}
      <Checkbox label="Do not use this channel for now" checked={paused} onChange={(e) => setPaused(e.currentTarget.checked)} />
      <Failure error={known.error ?? store.error} />
      <Button type="submit" disabled={!all && events.length === 0} loading={store.isPending}>Save</Button>
    </Stack>
  );
}

function DeleteForm({ channel: c, onDone }: { channel: NotifyChannel; onDone: () => void }) {
  const queries = useQueryClient();
  const erase = useMutation({
    mutationFn: () => removeVersion(`/notifications/channels/${c.id}`, c.version),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["channels"] }); onDone(); },
  });
  return (
    <Stack>
      <Text>Nothing more goes to <b><Foreign text={c.name} /></b>; what is queued is dropped, and its credential is destroyed.</Text>
      <Failure error={erase.error} />
      <Button color="red" data-autofocus loading={erase.isPending} onClick={() => erase.mutate()}>Delete</Button>
    </Stack>
  );
}

function Deliveries() {
  const [state, setState] = useState("");
  const log = useInfiniteQuery({
    queryKey: ["deliveries", state], initialPageParam: "", refetchInterval: usePoll(),
    queryFn: ({ pageParam }) => get<List<Delivery>>(`/notifications/deliveries?limit=50${state && `&state=${state}`}${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ""}`),
    getNextPageParam: (last) => last.next_cursor,
  });
  const all = log.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <Stack>
      <NativeSelect label="State" value={state} onChange={(e) => setState(e.currentTarget.value)}
                    data={[{ value: "", label: "all" }, { value: "queued", label: "on their way" }, "delivered", { value: "dead", label: "given up" }, "dropped"]} />
      <Failure error={log.error} />
      {log.isPending && <Waiting what="deliveries" />}
      {log.data && all.length === 0 && <Text c="dimmed">{state ? "None of these." : "Nothing was sent yet. Send a test from a channel."}</Text>}
      <ul className="rows" aria-label="Deliveries">{all.map((d) => <DeliveryRow key={d.id} delivery={d} />)}</ul>
      <More query={log} />
      <DeadLetters />
    </Stack>
  );
}

const letterKinds: Record<string, string> = {
  verify_email: "Confirm an address", reset_password: "Choose a new password", new_sign_in: "New sign-in", account_changed: "Account changed", invitation: "Invitation",
};

// Letters to one person alone. They are not sent again from here: whoever needs one asks for another, with another link.
function DeadLetters() {
  const log = useInfiniteQuery({
    queryKey: ["dead-letters"], initialPageParam: "",
    queryFn: ({ pageParam }) => get<List<DeadLetter>>(`/notifications/dead-letters?limit=50${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ""}`),
    getNextPageParam: (last) => last.next_cursor,
  });
  const all = log.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <section aria-label="Letters that were given up">
      <Title order={2} size="h4" mt="md">Letters to people that were given up</Title>
      <Text size="sm" c="dimmed">Whoever needs one asks for another: a new password, a confirmation, an invitation that is sent again.</Text>
      <Failure error={log.error} />
      {log.isPending && <Waiting what="letters" />}
      {log.data && all.length === 0 && <Text c="dimmed">None: every letter was sent, or is on its way.</Text>}
      <ul className="rows" aria-label="Dead letters">
        {all.map((l) => (
          <li key={l.id}>
            <div className="row-text">
              <b>{letterKinds[l.kind] ?? l.kind}</b> to {l.address ? <Foreign text={l.address} /> : l.kind === "verify_email" ? "an address that is not confirmed" : "somebody of no organisation"}
              <Text size="sm" c="dimmed">written <Ago at={l.created_at} />, {l.tries} {l.tries === 1 ? "try" : "tries"}{l.outcome && <>: <Foreign text={l.outcome} /></>}</Text>
            </div>
          </li>
        ))}
      </ul>
      <More query={log} />
    </section>
  );
}

function DeliveryRow({ delivery: d }: { delivery: Delivery }) {
  const queries = useQueryClient();
  const again = useMutation({
    mutationFn: () => post<Delivery>(`/notifications/deliveries/${d.id}/retry`, {}),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["deliveries"] }),
  });
  return (
    <li>
      <div className="row-text">
        <b><code><Foreign text={d.event} /></code></b> to <Foreign text={d.channel_name} /> <Badge variant="light" color={colors[d.state] ?? "gray"}>{d.state === "dead" ? "given up" : d.state}</Badge>
        <Text size="sm" c="dimmed">
          <Ago at={d.created_at} />, {d.tries} {d.tries === 1 ? "try" : "tries"}{d.outcome && <>: <Foreign text={d.outcome} /></>}
          {d.next_try_at && d.tries > 0 && <>; next {d.next_try_at.slice(11, 16)} UTC</>}
        </Text>
        <Failure error={again.error} />
      </div>
      {d.state === "dead" && <Button size="xs" variant="default" loading={again.isPending} aria-label={`Try again: ${d.event} to ${d.channel_name}`} onClick={() => again.mutate()}>Try again</Button>}
    </li>
  );
}
