// Small things that every page uses.
import { Alert, Badge, Button, CopyButton, Loader, Text, Title } from "@mantine/core";
import { Component, useEffect, useState, type ReactNode } from "react";
import { Problem, type Impact, type Server } from "../api";
import { absolute, ago } from "../format";
import { Foreign } from "./foreign";

/** The time, once a second. */
export function useNow(every = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const t = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(t);
  }, [every]);
  return now;
}

export function Ago({ at }: { at: string | null }) {
  const now = useNow(5000);
  if (!at) return <span>never</span>;
  return <time dateTime={at} title={absolute(at)}>{ago(at, now)}</time>;
}

const countries = new Intl.DisplayNames("en", { type: "region" });
/** "Netherlands, AS1136": as much as is known of an address. */
export const placeOf = (at: { country: string | null; network: string }) => [at.country && countries.of(at.country), at.network].filter(Boolean).join(", ");

export function Failure({ error }: { error: unknown }) {
  if (!error) return null;
  const p = error instanceof Problem ? error : null;
  const title = p?.message ?? (error instanceof Error ? error.message : "Something went wrong");
  return (
    <Alert color="red" variant="light" role="alert" title={<Foreign text={title} />}>
      {p?.detail && <Text size="sm"><Foreign text={p.detail} /></Text>}
      {p && p.status > 0 && (
        <Text size="xs" c="dimmed"><Foreign text={`${p.code}${p.requestId ? ` · ${p.requestId}` : ""}`} /></Text>
      )}
    </Alert>
  );
}

export function Waiting({ what }: { what: string }) {
  return <div className="waiting" role="status"><Loader size="sm" aria-hidden /> <Text c="dimmed">Loading {what}…</Text></div>;
}

export function Page({ title, aside, children }: { title: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <>
      <header className="page-head"><Title order={1} size="h2">{title}</Title>{aside}</header>
      {children}
    </>
  );
}

export function Copy({ text, what }: { text: string; what: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Button size="xs" variant="default" onClick={copy} aria-label={`Copy ${what}`}>{copied ? "Copied" : "Copy"}</Button>
      )}
    </CopyButton>
  );
}

const impactColor: Record<Impact, string> = { safe: "green", caution: "yellow", destructive: "red" };
export function ImpactBadge({ impact }: { impact: Impact }) {
  return <Badge color={impactColor[impact] ?? "red"} variant="light">{impact}</Badge>;
}

const environmentColor: Record<Server["environment"], string> = { production: "red", unknown: "orange", staging: "blue", development: "gray" };
export const countsAsProduction = (s: Server) => s.environment === "production" || s.environment === "unknown";

export function ServerBadges({ server }: { server: Server }) {
  return (
    <span className="badges">
      <Badge color={server.online ? "green" : server.leaves_at ? "red" : "gray"} variant="light">{server.online ? "online" : server.leaves_at ? "disconnected" : "offline"}</Badge>
      <Badge color={environmentColor[server.environment] ?? "red"} variant="light">{server.environment === "unknown" ? "environment unknown" : <Foreign text={server.environment} />}</Badge>
    </span>
  );
}

/** The channel, said so that nobody mistakes "offline" for "safe". */
export function Channel({ server }: { server: Server }) {
  const good = server.channel.status === "post_quantum";
  return (
    <span className="badges">
      <Badge color={good ? "green" : "gray"} variant="light">{good ? "post-quantum" : server.channel.status === "offline" || server.leaves_at ? "no channel" : <Foreign text={server.channel.status} />}</Badge>
      {server.channel.group && <code className="group"><Foreign text={server.channel.group} /></code>}
    </span>
  );
}

/** One part that cannot be drawn does not take the page with it. */
export class Fence extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null as Error | null };
  static getDerivedStateFromError(error: Error) { return { error }; }
  override render() {
    if (!this.state.error) return this.props.children;
    return <Alert color="red" role="alert" title="This part of the page could not be shown">Reload the page. If it stays, report it with what you did before.</Alert>;
  }
}
