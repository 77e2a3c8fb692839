import { Alert, Badge, Button, Drawer, NativeSelect, Paper, Text, Textarea, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { get, post, putPlain, type Conversation, type List, type Message, type Mode, type PilotInfo } from "../api";
import { useLive, usePoll } from "../live";
import { AiButtons, AiNotice, ProtectionNotice, useAi } from "../parts/ai-controls";
import { ApprovalById } from "../parts/approval-card";
import { Ago, Failure, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";

export function PilotPage({ id }: { id: string | null }) {
  const [listed, setListed] = useState(false);
  const pilot = useQuery({ queryKey: ["pilot"], queryFn: () => get<PilotInfo>("/pilot"), staleTime: 60_000 });
  const ai = useAi();
  return (
    <div className="pilot">
      <aside className="pilot-list"><Conversations current={id} onPick={() => undefined} /></aside>
      <section className="pilot-talk" aria-label="Conversation">
        <header className="page-head">
          <Title order={1} size="h2">Pilot</Title>
          <span className="badges">
            {pilot.data && <PilotLabel pilot={pilot.data} />}
            {ai.data && <AiButtons ai={ai.data} />}
            <Button className="only-narrow" size="xs" variant="default" onClick={() => setListed(true)}>Conversations</Button>
          </span>
        </header>
        {ai.data && <AiNotice ai={ai.data} />}
        {ai.data && <ProtectionNotice protection={ai.data.production_protection} />}
        <Failure error={ai.error} />
        <Talk key={id ?? "new"} id={id} pilot={pilot.data ?? null} stopped={ai.data?.on === false} />
      </section>
      <Drawer opened={listed} onClose={() => setListed(false)} title="Conversations" lockScroll={false} closeButtonProps={{ "aria-label": "Close" }}>
        <Conversations current={id} onPick={() => setListed(false)} />
      </Drawer>
    </div>
  );
}

function PilotLabel({ pilot }: { pilot: PilotInfo }) {
  return <Badge tt="none" variant="light" color={pilot.builtin ? "gray" : "indigo"}><Foreign text={pilot.model ?? pilot.label} /></Badge>;
}

function Conversations({ current, onPick }: { current: string | null; onPick: () => void }) {
  const list = useQuery({ queryKey: ["conversations"], queryFn: () => get<List<Conversation>>("/pilot/conversations"), refetchInterval: usePoll() });
  return (
    <nav aria-label="Conversations" className="conversations">
      <Link href="/pilot" onClick={onPick} aria-current={current === null ? "page" : undefined}>+ New conversation</Link>
      <Failure error={list.error} />
      {list.data?.data.map((c) => (
        <Link key={c.id} href={`/pilot/${c.id}`} onClick={onPick} aria-current={c.id === current ? "page" : undefined}>
          <Foreign text={c.title || "Untitled"} />{c.mode !== "plan" && <Badge ml="xs" size="xs" tt="none" variant="light" color="indigo">{c.mode === "ask" ? "Ask" : "Agent"}</Badge>}
        </Link>
      ))}
    </nav>
  );
}

function Talk({ id, pilot, stopped }: { id: string | null; pilot: PilotInfo | null; stopped: boolean }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const { partial } = useLive();
  const [text, setText] = useState("");
  const [wanted, setWanted] = useState<Mode>("plan");  // of one that is not begun
  const poll = usePoll();
  const talk = useQuery({
    queryKey: ["conversation", id], enabled: id !== null, queryFn: () => get<Conversation>(`/pilot/conversations/${id}`),
    refetchInterval: poll && 2000,
  });
  const ask = useMutation({
    mutationFn: async (what: string) => {
      const to = id ?? (await post<Conversation>("/pilot/conversations", { mode: wanted })).id;
      await post<{ message: Message }>(`/pilot/conversations/${to}/messages`, { text: what });
      return to;
    },
    onSuccess: async (to) => {
      setText("");
      await queries.invalidateQueries({ queryKey: ["conversation", to] });
      void queries.invalidateQueries({ queryKey: ["conversations"] });
      if (to !== id) go(`/pilot/${to}`);
    },
  });
  const turn = useMutation({
    mutationFn: async (to: Mode) => { if (id === null) setWanted(to); else await putPlain(`/pilot/conversations/${id}/mode`, { mode: to }); },
    onSuccess: async () => {
      if (id !== null) await queries.invalidateQueries({ queryKey: ["conversation", id] });
      void queries.invalidateQueries({ queryKey: ["conversations"] });
    },
  });
  const messages = talk.data?.messages ?? [];
  const growing = Object.entries(partial).filter(([m, p]) => p.conversation === id && !messages.some((x) => x.id === m));
  const last = messages.at(-1);
  const open = last?.role === "user" && growing.length === 0 && !ask.isPending;
  const lost = open && !talk.isFetching && talk.data?.answering === false;

  // Stay at the newest words, unless the reader went up to read.
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  useEffect(() => {
    if (!inner.current) return;
    const watch = new ResizeObserver(() => { if (follow.current && box.current) box.current.scrollTop = box.current.scrollHeight; });
    watch.observe(inner.current);
    return () => watch.disconnect();
  }, []);
  const onScroll = () => {
    const b = box.current;
    if (b) follow.current = b.scrollHeight - b.scrollTop - b.clientHeight < 40;
  };
  const length = messages.length;
  useEffect(() => {  // on a narrow screen the page scrolls, not the box
    const b = box.current;
    if (b && length > 0 && b.scrollHeight <= b.clientHeight) inner.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
  }, [length]);

  const send = () => { if (text.trim() && !stopped && !ask.isPending && !turn.isPending) ask.mutate(text.trim()); };
  return (
    <>
      {(id === null || talk.data) && <ModeSwitch mode={id === null ? wanted : talk.data?.mode ?? "plan"} busy={turn.isPending} onTurn={turn.mutate} />}
      <Failure error={turn.error} />
      <div className="messages" ref={box} onScroll={onScroll} role="log" aria-live="polite" tabIndex={0} aria-label="Messages"><div className="messages-inner" ref={inner}>
        <Failure error={talk.error} />
        {id !== null && talk.isPending && <Waiting what="the conversation" />}
        {id === null && <Welcome pilot={pilot} onPick={setText} />}
        {messages.map((m, i) => (  // a card stands where it first came up; later words about it do not repeat it
          <Bubble key={m.id} message={m} card={messages.findIndex((x) => x.approval_id === m.approval_id) === i} />
        ))}
        {growing.map(([m, p]) => (
          <Bubble key={m} message={{ id: m, role: "pilot", text: p.text, label: pilot?.label ?? null, approval_id: null, at: "" }} />
        ))}
        {open && !lost && !stopped && <Text size="sm" c="dimmed" role="status">The Pilot is at work…</Text>}
        {lost && !stopped && (
          <Alert color="orange" role="alert" title="The Pilot was interrupted before it answered">
            Nothing was run. A card that it had made already waits under Approvals. <Button size="xs" variant="default" onClick={() => ask.mutate(last.text)}>Ask again</Button>
          </Alert>
        )}
      </div></div>
      <form className="composer" onSubmit={(e) => { e.preventDefault(); send(); }}>
        <Failure error={ask.error} />
        <div className="composer-row">
          <Textarea className="grow" aria-label="Message to the Pilot" placeholder="Ask, or say what should happen" minRows={2} maxLength={4000}
                    value={text} onChange={(e) => setText(e.currentTarget.value)}
                    onKeyDown={(e) => { if (e.key === "Enter" && !e.shiftKey && !e.nativeEvent.isComposing) { e.preventDefault(); send(); } }} />
          <Button type="submit" loading={ask.isPending} disabled={stopped || !text.trim()}>Send</Button>
        </div>
      </form>
    </>
  );
}

const modes: Record<Mode, { name: string; says: string }> = {
  ask: { name: "Ask", says: "It reads and explains here, and proposes nothing." },
  plan: { name: "Plan", says: "Each change that it wants here comes to you as a card; several may stand in a plan, decided one by one or together." },
  agent: { name: "Agent", says: "A plan of several changes is allowed as a whole, but for what is destructive, and stops at the first surprise." },
};

/** What the Pilot may do in this conversation; whose it is says so. */
function ModeSwitch({ mode, busy, onTurn }: { mode: Mode; busy: boolean; onTurn: (to: Mode) => void }) {
  return (
    <NativeSelect mb="xs" label="Mode" description={modes[mode].says} value={mode} disabled={busy} onChange={(e) => onTurn(e.currentTarget.value as Mode)}
                  data={Object.entries(modes).map(([value, m]) => ({ value, label: m.name }))} />
  );
}

function Welcome({ pilot, onPick }: { pilot: PilotInfo | null; onPick: (text: string) => void }) {
  return (
    <Paper withBorder p="md">
      <Text>The Pilot looks at what you may see. It changes nothing by itself: each change comes to you as a card with the exact bytes, and runs only after a person allowed it.</Text>
      {pilot?.builtin && <Text mt="xs" size="sm" c="dimmed">No model is configured. A built-in planner answers; it understands requests like these:</Text>}
      <div className="examples">
        {pilot?.examples.map((e) => <Button key={e} size="xs" variant="default" onClick={() => onPick(e)}><Foreign text={e} /></Button>)}
      </div>
    </Paper>
  );
}

const says: Record<Message["role"], string> = { user: "You", pilot: "Pilot", tool: "What became of it" };

function Bubble({ message: m, card = false }: { message: Message; card?: boolean }) {
  const body = <div className="bubble-text"><Foreign text={m.text} lines /></div>;
  return (
    <div className={`bubble ${m.role}`}>
      <div className="bubble-head">
        <b>{says[m.role] ?? m.role}</b>
        {m.role !== "user" && m.label && <Badge size="sm" tt="none" variant="light" color="gray"><Foreign text={m.label} /></Badge>}
        {m.at && <Text span size="xs" c="dimmed"><Ago at={m.at} /></Text>}
      </div>
      {m.text && body}
      {card && m.approval_id && <ApprovalById id={m.approval_id} />}
    </div>
  );
}
