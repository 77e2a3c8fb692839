// Server-sent events into the query cache. When the stream is down the page says so and polls.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState, type ReactNode } from "react";
import { get, type Conversation, type List, type Message, type Sample, type Server } from "./api";

export type LiveState = "connecting" | "live" | "stale";
interface Live { state: LiveState; partial: Record<string, Growing> }
export interface Growing { conversation: string; text: string }

const Context = createContext<Live>({ state: "connecting", partial: {} });
export const useLive = () => useContext(Context);
/** Poll only while the stream is down. */
export const usePoll = () => (useLive().state === "live" ? false as const : 10_000);

const keepSamples = 240;

/** Asks again, also where a first answer is still on its way: that one may be older than the event,
 *  and an invalidation alone would be forgotten when it arrives. */
async function refetch(q: QueryClient, queryKey: string[]) {
  await q.cancelQueries({ queryKey });
  await q.invalidateQueries({ queryKey });
}

function onMetrics(q: QueryClient, id: string, sample: Sample) {
  q.setQueryData<List<Sample>>(["metrics", id], (old) =>
    old && { ...old, data: [...old.data.filter((s) => s.at !== sample.at), sample].slice(-keepSamples) });
  const put = (s: Server) => (s.id === id ? { ...s, online: true, last_seen: sample.at, latest: sample } : s);
  q.setQueryData<List<Server>>(["servers"], (old) => old && { ...old, data: old.data.map(put) });
  q.setQueryData<Server>(["server", id], (old) => old && put(old));
}

function onMessage(q: QueryClient, conversation: string, m: Message) {
  if (!q.getQueryData(["conversation", conversation])) void refetch(q, ["conversation", conversation]);
  q.setQueryData<Conversation>(["conversation", conversation], (old) => {
    if (!old) return old;
    const list = old.messages ?? [];
    const at = list.findIndex((x) => x.id === m.id);
    return { ...old, messages: at < 0 ? [...list, m] : list.map((x, i) => (i === at ? m : x)) };
  });
  void q.invalidateQueries({ queryKey: ["conversations"] });
}

export function LiveProvider({ children }: { children: ReactNode }) {
  const q = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [partial, setPartial] = useState<Record<string, Growing>>({});

  useEffect(() => {
    let source: EventSource | null = null;
    let timer = 0;
    let grace = 0;
    let audit = 0;  // entries can come quickly; the page asks once a second
    let wait = 300;
    let closed = false;

    const again = (...keys: string[][]) => keys.forEach((queryKey) => void refetch(q, queryKey));
    const open = () => {
      source = new EventSource("/api/v1/events");
      source.onopen = () => {
        wait = 300;
        clearTimeout(grace);
        grace = 0;
        setState("live");
        void q.invalidateQueries();  // what happened before, since a page asked, was not told to us
      };
      source.onerror = () => {
        source?.close();
        if (closed) return;
        // The stream ends with each access token; only a gap that lasts is worth a word.
        grace ||= window.setTimeout(() => setState("stale"), 2000);
        timer = window.setTimeout(() => {
          // An ordinary request first: it renews the session when that is what ended the stream.
          get("/session").then(open, (e: { status?: number }) => {
            if (e.status === 401) again(["session"]); else open();
          });
        }, wait * (0.5 + Math.random()));
        wait = Math.min(wait * 2, 30_000);
      };
      const on = (name: string, f: (d: Record<string, unknown>) => void) =>
        source?.addEventListener(name, (e) => {
          try { f(JSON.parse((e as MessageEvent<string>).data) as Record<string, unknown>); } catch { /* not for us */ }
        });
      on("server.updated", () => again(["servers"], ["server"]));
      on("metrics", (d) => onMetrics(q, String(d["server_id"]), d["sample"] as Sample));
      on("services.updated", (d) => again(["services", String(d["server_id"])]));
      on("approval.updated", () => again(["approvals"], ["approval"], ["plan"]));
      on("ai.updated", (d) => {
        again(["ai"], ["ai-access"], ["conversation"]);
        if (d["on"] === false) setPartial({});  // half an answer stays half
      });
      on("pilot.mode", (d) => again(["conversation", String(d["conversation_id"])], ["conversations"]));
      on("notice.created", () => again(["notices"], ["unread"]));
      on("delivery.updated", () => again(["deliveries"], ["channels"]));
      on("operation.updated", () => again(["operation"], ["sites"], ["site"]));
      on("witnesses.updated", () => again(["audit", "witnesses"]));
      on("audit.appended", () => { audit ||= window.setTimeout(() => { audit = 0; again(["audit"], ["account-history"]); }, 1000); });
      on("pilot.delta", (d) => setPartial((old) => {
        const id = String(d["message_id"]);
        return { ...old, [id]: { conversation: String(d["conversation_id"]), text: (old[id]?.text ?? "") + String(d["text"]) } };
      }));
      on("pilot.message", (d) => {
        const m = d["message"] as Message;
        onMessage(q, String(d["conversation_id"]), m);
        setPartial((old) => { const { [m.id]: _, ...rest } = old; return rest; });
      });
    };
    open();
    return () => { closed = true; clearTimeout(timer); clearTimeout(grace); clearTimeout(audit); source?.close(); };
  }, [q]);

  return <Context.Provider value={{ state, partial }}>{children}</Context.Provider>;
}
