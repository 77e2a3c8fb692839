// The card a person decides on. What counts is the bytes: they are shown whole, their digest is
// computed again here, and Allow stays shut when the two do not agree.
import { Alert, Badge, Button, Group, Paper, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Fragment, useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { get, post, Problem, type Approval, type ApprovalState } from "../api";
import { absolute, asText, duration } from "../format";
import { usePoll } from "../live";
import { useMay, useSession } from "../session";
import { Ago, Failure, ImpactBadge, useNow, Waiting } from "./common";
import { ExactBytes, Foreign } from "./foreign";
import { PlanById } from "./plan-card";

const stateColor: Record<ApprovalState, string> = {
  pending: "orange", half_approved: "orange", approved: "indigo", executing: "indigo", completed: "green", failed: "red", denied: "gray", expired: "gray", held: "gray",
};
export const stateName = (s: ApprovalState) => (s === "half_approved" ? "one more person" : s);
export const undecided = (a: Approval) => a.state === "pending" || a.state === "half_approved";
const armAfter = 1500;  // a click meant for something else must not land on Allow

export function ApprovalById({ id }: { id: string }) {
  const approval = useQuery({
    queryKey: ["approval", id], queryFn: () => get<Approval>(`/approvals/${encodeURIComponent(id)}`), refetchInterval: usePoll(),
  });
  if (approval.data?.plan) return <PlanById id={approval.data.plan.id} />;  // a step is decided where one sees what it is a step of
  if (approval.data) return <ApprovalCard approval={approval.data} />;
  return approval.error ? <Failure error={approval.error} /> : <Waiting what="the approval" />;
}

export async function hexDigest(bytes: string): Promise<string> {
  const d = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(bytes));
  return [...new Uint8Array(d)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function useDigest(bytes: string): string | null {
  const [hex, setHex] = useState<string | null>(null);
  useEffect(() => {
    let gone = false;
    setHex(null);
    void hexDigest(bytes).then((d) => { if (!gone) setHex(d); });
    return () => { gone = true; };
  }, [bytes]);
  return hex;
}

/** True once the card has been in view, with the page in front, for the arm delay. */
export function useArmed(what: string) {
  const card = useRef<HTMLDivElement>(null);
  const [armed, setArmed] = useState(false);
  useEffect(() => {
    setArmed(false);
    const el = card.current;
    if (!el) return;
    let timer = 0;
    let seen = false;
    const restart = () => {
      clearTimeout(timer);
      setArmed(false);
      if (seen && document.visibilityState === "visible") timer = window.setTimeout(() => setArmed(true), armAfter);
    };
    const watch = new IntersectionObserver(([e]) => { seen = e?.isIntersecting ?? false; restart(); });
    watch.observe(el);
    document.addEventListener("visibilitychange", restart);
    return () => { clearTimeout(timer); watch.disconnect(); document.removeEventListener("visibilitychange", restart); };
  }, [what]);
  return { card, armed };
}

const verbs: Record<string, string> = { "unit.start": "Start", "unit.stop": "Stop", "unit.restart": "Restart", "unit.reload": "Reload", "site.create": "Make the site", "site.change": "Change the site", "site.delete": "Delete the site", "site.restore": "Restore the site",
  "unit.enable": "Start with the server", "unit.disable": "No longer start with the server" };
interface Meaning { what: string; unit: string }

/** A site's operands, all of them. */
function siteText(o: Record<string, unknown>): string {
  const domains = Array.isArray(o["domains"]) ? `: ${o["domains"].map(String).join(", ")}` : "";
  return `${o["name"] ? `${String(o["name"])} (${String(o["site"])})` : String(o["site"])}${domains}`
    + `${o["port"] ? `, proxy of port ${String(o["port"])}` : ""}${o["redirect"] === true ? ", further domains lead to the first" : ""}${o["hours"] ? `, gone for good after ${String(o["hours"])} hours` : ""}`;
}

/** What the bytes say, read from the bytes and from nothing else; null when that is not clear. */
export function meaning(a: Approval): Meaning | null {
  try {
    const o = JSON.parse(a.bytes) as Record<string, unknown>;
    const verb = verbs[String(o["action"])];
    if (!verb || o["server"] !== a.target.server_id) return null;
    if (String(o["action"]).startsWith("site.")) return typeof o["site"] === "string" ? { what: verb, unit: siteText(o) } : null;
    if (typeof o["unit"] !== "string") return null;
    return { what: verb, unit: o["unit"] };
  } catch { return null; }
}

/** Who said what, in their order, and how many it takes. */
function Decisions({ approval: a }: { approval: Approval }) {
  return (
    <>
      {a.second_person && <><dt>Takes</dt><dd>two people: the second is neither the first nor who asked</dd></>}
      {a.decisions.map((d) => (
        <Fragment key={d.user_id}><dt>{d.decision === "denied" ? "Denied by" : "Allowed by"}</dt><dd><Foreign text={d.email} />{d.at && <>, <Ago at={d.at} /></>}</dd></Fragment>
      ))}
    </>
  );
}

/** inPlan: among the steps of its plan; "whole": that is allowed as a whole. Elsewhere a step leads to its plan. */
export function ApprovalCard({ approval: a, inPlan }: { approval: Approval; inPlan?: "single" | "whole" }) {
  const now = useNow();
  const left = (Date.parse(a.expires_at) - now) / 1000;
  const overdue = undecided(a) && left <= 0;
  const computed = useDigest(a.bytes);
  const means = meaning(a);
  const title = means ? `${means.what} ${means.unit}` : "An action this page cannot read";
  const differs = computed !== null && computed !== a.digest;
  return (
    <Paper withBorder p="md" component="article" className={`approval ${a.state}`} aria-label={`Approval: ${title} on ${a.target.server_name}`}>
      <div className="row-between">
        <Title order={3} size="h5"><Foreign text={title} /> on <Foreign text={a.target.server_name} /></Title>
        <span className="badges">
          <ImpactBadge impact={a.impact} />
          {a.target.production && <Badge color="red" variant="light">production</Badge>}
          <Badge role="status" color={overdue ? "gray" : stateColor[a.state] ?? "red"} variant="light">{overdue ? "expired" : stateName(a.state)}</Badge>
        </span>
      </div>
      <dl className="facts">
        <dt>Intent</dt><dd><Foreign text={a.intent} lines /></dd>
        <dt>Target</dt><dd><Link href={`/servers/${a.target.server_id}`}><Foreign text={a.target.server_name} /></Link> <code><Foreign text={a.target.server_id} /></code></dd>
        <dt>Asked by</dt><dd><Foreign text={a.requested_by.email} />, through the <Foreign text={a.requested_by.via} />, <Ago at={a.created_at} /></dd>
        {undecided(a) && <><dt>Valid</dt><dd title={absolute(a.expires_at)}>{overdue ? "no longer" : `for ${duration(left)}`}</dd></>}
        <Decisions approval={a} />
        {a.plan && !inPlan && <><dt>Step</dt><dd>{a.plan.step} of <Link href={`/plans/${a.plan.id}`}>a plan</Link></dd></>}
        {a.reason && <><dt>Reason</dt><dd><Foreign text={a.reason} lines /></dd></>}
        {a.outcome ? <><dt>Outcome</dt><dd><Foreign text={asText(a.outcome)} lines /></dd></> : null}
        {a.surprise && <><dt>Not as planned</dt><dd><Foreign text={a.surprise} lines /></dd></>}
      </dl>
      <Text size="sm" fw={600} mt="xs">Exactly these bytes run</Text>
      <pre className="bytes" tabIndex={0} aria-label="Exact bytes"><ExactBytes text={a.bytes} /></pre>
      <Text size="xs" className="digest">SHA-256 <ExactBytes text={a.digest} />{computed === a.digest && " ✓ computed here too"}</Text>
      {differs && <Alert color="red" role="alert" title="The digest does not belong to these bytes">Do not allow this. Tell whoever runs this control plane.</Alert>}
      {!means && <Alert color="red" role="alert" title="The bytes do not say what this card says">They name another server, or an action unknown to this page. It cannot be allowed here.</Alert>}
      {undecided(a) && !overdue && a.plan && !inPlan && <Text size="sm" mt="sm"><Link href={`/plans/${a.plan.id}`}>Decide it in its plan</Link></Text>}
      {undecided(a) && !overdue && (!a.plan || inPlan) && <Decision approval={a} sound={means !== null && computed === a.digest} denyOnly={inPlan === "whole"} />}
    </Paper>
  );
}

/** Why this person's yes would not be the second of two. */
function useNotSecond(a: Approval): string | null {
  const { user } = useSession();
  if (a.state !== "half_approved") return null;
  if (a.decisions[0]?.user_id === user.id) return "You allowed this. Another person, who did not ask for it, has to before it runs.";
  return a.requested_by.user_id === user.id ? "You asked for this: the second yes is another person's." : null;
}

function Decision({ approval: a, sound, denyOnly }: { approval: Approval; sound: boolean; denyOnly: boolean }) {
  const queries = useQueryClient();
  const mayDecide = useMay("approval.decide");
  const { card, armed } = useArmed(a.digest);
  const [denying, setDenying] = useState(false);
  const [reason, setReason] = useState("");
  const decide = useMutation({
    mutationFn: (how: "approve" | "deny") =>
      post<Approval>(`/approvals/${a.id}/${how}`, how === "approve" ? { digest: a.digest } : { digest: a.digest, reason: reason.trim() }),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["approval", a.id] });
      void queries.invalidateQueries({ queryKey: ["plan"] });
      void queries.invalidateQueries({ queryKey: ["approvals"] });
    },
  });
  const notSecond = useNotSecond(a);
  if (!mayDecide) return <Text size="sm" c="dimmed" mt="sm">Your role may look at this and not decide it.</Text>;
  const error = decide.error instanceof Problem ? decide.error : null;
  return (
    <div ref={card} className="decision">
      <Failure error={error} />
      {notSecond && <Text size="sm" mt="sm">{notSecond}</Text>}
      {denying && <TextInput label="Reason (the requester and the Pilot see it)" value={reason} maxLength={500} autoFocus onChange={(e) => setReason(e.currentTarget.value)} />}
      <Group mt="sm">
        {!notSecond && !denyOnly && <Button color="indigo" disabled={!armed || !sound || decide.isPending} onClick={() => decide.mutate("approve")}>Allow</Button>}
        <Button color="red" variant={denying ? "filled" : "default"} disabled={!armed || decide.isPending}
                onClick={() => (denying ? decide.mutate("deny") : setDenying(true))}>{denying ? "Deny now" : "Deny"}</Button>
        {denying && <Button variant="subtle" onClick={() => setDenying(false)}>Back</Button>}
      </Group>
    </div>
  );
}
