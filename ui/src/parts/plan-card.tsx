// A plan: its steps in their order, each a card of its own with its exact bytes, and one decision for several of them. Nothing is
// allowed together here unless the plan's digest and those of all its steps were computed anew from what stands on this page.
import { Alert, Badge, Button, Checkbox, Group, Paper, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get, post, Problem, type Approval, type Plan } from "../api";
import { usePoll } from "../live";
import { useMay, useSession } from "../session";
import { ApprovalCard, hexDigest, meaning, undecided, useArmed } from "./approval-card";
import { Ago, Failure, useNow, Waiting } from "./common";
import { ExactBytes, Foreign } from "./foreign";

const stateColor: Record<Plan["state"], string> = { waiting: "orange", running: "indigo", completed: "green", stopped: "red" };

export function PlanById({ id }: { id: string }) {
  const plan = useQuery({ queryKey: ["plan", id], queryFn: () => get<Plan>(`/plans/${encodeURIComponent(id)}`), refetchInterval: usePoll() });
  if (plan.data) return <PlanCard plan={plan.data} />;
  return plan.error ? <Failure error={plan.error} /> : <Waiting what="the plan" />;
}

/** Whether the plan's digest is that of these steps in this order; null while that is computed. */
function useSound(p: Plan): boolean | null {
  const what = JSON.stringify([p.id, p.bytes, p.digest, p.steps.map((s) => [s.bytes, s.digest])]);
  const [sound, setSound] = useState<{ what: string; is: boolean } | null>(null);
  useEffect(() => {
    let gone = false;
    void Promise.all([p.bytes, ...p.steps.map((s) => s.bytes)].map(hexDigest)).then(([whole, ...each]) => {
      let said: { plan?: unknown; steps?: unknown } = {};
      try { said = JSON.parse(p.bytes) as typeof said; } catch { /* not sound */ }
      const is = whole === p.digest && said.plan === p.id && JSON.stringify(said.steps) === JSON.stringify(each) && p.steps.every((s, i) => s.digest === each[i] && meaning(s) !== null);
      if (!gone) setSound({ what, is });
    });
    return () => { gone = true; };
  }, [what]);  // eslint-disable-line react-hooks/exhaustive-deps -- it says all of it
  return sound?.what === what ? sound.is : null;
}

const listed = (steps: number[]) => (steps.length > 1 ? `steps ${steps.slice(0, -1).join(", ")} and ${steps.at(-1)}` : `step ${steps[0] ?? "?"}`);

export function PlanCard({ plan: p }: { plan: Plan }) {
  const now = useNow();
  const sound = useSound(p);
  const agent = p.mode === "agent";
  const open = p.steps.filter((s) => undecided(s) && Date.parse(s.expires_at) > now);
  const together = open.filter((s) => s.impact !== "destructive").map((s) => s.plan?.step ?? 0);
  const [left, setLeft] = useState<number[]>([]);  // out of what is decided together
  const chosen = agent ? (p.stopped ? [] : together) : together.filter((n) => !left.includes(n));
  const stopped = p.stopped && p.state === "stopped";
  return (
    <Paper withBorder p="md" component="section" className="plan" aria-label={`Plan: ${p.intent}`}>
      <div className="row-between">
        <Title order={3} size="h5">Plan: <Foreign text={p.intent} /></Title>
        <span className="badges">
          {agent && <Badge color="indigo" variant="light">allowed as a whole</Badge>}
          <Badge role="status" color={stateColor[p.state] ?? "red"} variant="light">{p.state}</Badge>
        </span>
      </div>
      <Text size="sm" c="dimmed">{p.steps.length} steps, asked for by <Foreign text={p.requested_by.email} />, through the <Foreign text={p.requested_by.via} />, <Ago at={p.created_at} />.
        They run one after the other; the plan stops at the first that does not go as planned.</Text>
      {p.running !== null && <Text mt="xs">Step {p.running} runs now.</Text>}
      {p.stopped && (
        <Alert mt="xs" color={stopped ? "red" : "orange"} role="status" title={stopped ? `Stopped at step ${p.stopped.step}` : `It will stop at step ${p.stopped.step}`}>
          <Foreign text={p.stopped.why} lines /> Nothing behind that step runs.
        </Alert>
      )}
      <ol className="steps">
        {p.steps.map((s, i) => (
          <li key={s.id} aria-label={`Step ${i + 1}`} aria-current={p.running === i + 1 ? "step" : undefined}>
            {!agent && together.includes(i + 1) && together.length > 1
              ? <Checkbox mb="xs" label={`Step ${i + 1}, together with others`} checked={chosen.includes(i + 1)} onChange={(e) => setLeft(e.currentTarget.checked ? left.filter((n) => n !== i + 1) : [...left, i + 1])} />
              : <Text fw={600} size="sm" mb="xs">Step {i + 1}{undecided(s) && s.impact === "destructive" && ": destructive, and so decided by itself"}</Text>}
            <ApprovalCard approval={s} inPlan={agent && s.impact !== "destructive" ? "whole" : "single"} />
          </li>
        ))}
      </ol>
      <Text size="xs" className="digest">The plan's SHA-256 <ExactBytes text={p.digest} />{sound && " ✓ computed here too, of all steps"}</Text>
      {sound === false && <Alert color="red" role="alert" title="The digest does not belong to these steps">Do not allow this. Tell whoever runs this control plane.</Alert>}
      <Decision plan={p} sound={sound === true} steps={chosen} open={open} />
    </Paper>
  );
}

/** Why this person's yes would not be the second of two, for any of these steps. */
function useNotSecond(p: Plan, steps: number[]): string | null {
  const { user } = useSession();
  const half = p.steps.filter((s) => s.state === "half_approved" && steps.includes(s.plan?.step ?? 0));
  if (half.some((s) => s.decisions[0]?.user_id === user.id)) return "You allowed this. Another person, who did not ask for it, has to before it runs.";
  return half.length > 0 && p.requested_by.user_id === user.id ? "You asked for this: the second yes is another person's." : null;
}

function Decision({ plan: p, sound, steps, open }: { plan: Plan; sound: boolean; steps: number[]; open: Approval[] }) {
  const queries = useQueryClient();
  const mayDecide = useMay("approval.decide");
  const { card, armed } = useArmed(p.digest + steps.join());
  const [denying, setDenying] = useState(false);
  const [reason, setReason] = useState("");
  const decide = useMutation({
    mutationFn: (how: "approve" | "deny") => post<Plan>(`/plans/${p.id}/${how}`, how === "approve" ? { digest: p.digest, steps } : { digest: p.digest, reason: reason.trim() }),
    onSettled: () => {
      for (const key of ["plan", "approval", "approvals"]) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const notSecond = useNotSecond(p, steps);
  const toStop = open.length > 0 || p.steps.some((s) => s.state === "approved");
  if (!toStop) return null;
  if (!mayDecide) return <Text size="sm" c="dimmed" mt="sm">Your role may look at this and not decide it.</Text>;
  return (
    <div ref={card} className="decision">
      <Failure error={decide.error instanceof Problem ? decide.error : null} />
      {notSecond && <Text size="sm" mt="sm">{notSecond}</Text>}
      {denying && <TextInput label="Reason (the requester and the Pilot see it)" value={reason} maxLength={500} autoFocus onChange={(e) => setReason(e.currentTarget.value)} />}
      <Group mt="sm">
        {!notSecond && steps.length > 0 && <Button color="indigo" disabled={!armed || !sound || decide.isPending} onClick={() => decide.mutate("approve")}>Allow {listed(steps)}</Button>}
        <Button color="red" variant={denying ? "filled" : "default"} disabled={!armed || decide.isPending}
                onClick={() => (denying ? decide.mutate("deny") : setDenying(true))}>{denying ? "Deny the plan now" : "Deny the plan"}</Button>
        {denying && <Button variant="subtle" onClick={() => setDenying(false)}>Back</Button>}
      </Group>
    </div>
  );
}
