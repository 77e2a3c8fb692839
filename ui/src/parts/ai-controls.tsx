// What the organisation's AI may do at all. Stopping is one click, always in sight; switching on asks who is there (the
// step-up dialog comes from the request itself).
import { Alert, Button, Group, Modal, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, putPlain, type Ai, type Limit, type Protection } from "../api";
import { absolute } from "../format";
import { usePoll } from "../live";
import { useMay } from "../session";
import { ProviderSetting } from "./ai-provider";
import { Ago, Failure } from "./common";
import { Foreign } from "./foreign";

type Turn = "stop" | "start" | "forbid-writes" | "allow-writes" | "protect-production";

export function useAi() {
  return useQuery({ queryKey: ["ai"], queryFn: () => get<Ai>("/ai"), refetchInterval: usePoll() });
}

function useTurn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (how: Turn) => post<Ai>(`/ai/${how}`, {}),
    onSuccess: async (now) => {
      await queries.cancelQueries({ queryKey: ["ai"] });  // an older answer would say what was
      queries.setQueryData(["ai"], now);
    },
  });
}

function By({ ai }: { ai: Ai }) {
  if (!ai.changed_at) return null;
  return <>Switched <Ago at={ai.changed_at} />{ai.changed_by?.email && <> by <b><Foreign text={ai.changed_by.email} /></b></>}. </>;
}

/** In the head of the Pilot page: the brake, and the way to the rest. */
export function AiButtons({ ai }: { ai: Ai }) {
  const [opened, setOpened] = useState(false);
  const mayStop = useMay("ai.stop");
  const turn = useTurn();
  return (
    <>
      {mayStop && ai.on && <Button size="xs" color="red" loading={turn.isPending} onClick={() => turn.mutate("stop")}>Stop the AI</Button>}
      <Button size="xs" variant="default" onClick={() => setOpened(true)}>AI settings</Button>
      <Failure error={turn.error} />
      <Modal opened={opened} onClose={() => setOpened(false)} title="AI settings" closeButtonProps={{ "aria-label": "Close" }}>
        <Settings ai={ai} />
      </Modal>
    </>
  );
}

/** Where the AI may not do everything: which setting that is, and who changes it. */
export function AiNotice({ ai }: { ai: Ai }) {
  const mayControl = useMay("ai.control");
  const turn = useTurn();
  if (ai.on && ai.writes) return null;
  return (
    <Alert mb="sm" color={ai.on ? "yellow" : "red"} role="status" title={ai.on ? "The AI proposes no changes" : "The AI is stopped"}>
      <Text size="sm" mb="xs">
        <By ai={ai} />
        {ai.on ? "It looks and explains. " : "No question gets in, its answers ended, and what it had proposed was denied. "}
        {!mayControl && "An Owner or Admin switches it on again."}
      </Text>
      {mayControl && <Button size="xs" loading={turn.isPending} onClick={() => turn.mutate(ai.on ? "allow-writes" : "start")}>{ai.on ? "Allow changes to be proposed" : "Start the AI"}</Button>}
      <Failure error={turn.error} />
    </Alert>
  );
}

/** While it is off, everybody who sees the Pilot sees that, and until when. */
export function ProtectionNotice({ protection: p }: { protection: Protection }) {
  const mayControl = useMay("ai.control");
  const turn = useTurn();
  if (p.on) return null;
  return (
    <Alert mb="sm" color="orange" role="status" title="Production Protection is off">
      <Text size="sm" mb="xs">
        Until {absolute(p.off_until ?? "")} the AI may propose changes on production servers. {p.switched_off_by?.email && <>Switched off by <b><Foreign text={p.switched_off_by.email} /></b>: </>}
        <Foreign text={p.reason ?? ""} />
      </Text>
      {mayControl && <Button size="xs" loading={turn.isPending} onClick={() => turn.mutate("protect-production")}>Protect production again</Button>}
      <Failure error={turn.error} />
    </Alert>
  );
}

function Setting({ title, says, children }: { title: string; says: string; children: React.ReactNode }) {
  return (
    <Group justify="space-between" align="flex-start">
      <div><Text fw={600}>{title}</Text><Text size="sm" c="dimmed">{says}</Text></div>
      {children}
    </Group>
  );
}

function Settings({ ai }: { ai: Ai }) {
  const mayStop = useMay("ai.stop"), mayControl = useMay("ai.control");
  const turn = useTurn();
  const button = (how: Turn, text: string, may: boolean) =>
    may && <Button size="xs" variant={how === "stop" ? "filled" : "default"} {...(how === "stop" && { color: "red" })} loading={turn.isPending} onClick={() => turn.mutate(how)}>{text}</Button>;
  return (
    <Stack>
      <Setting title={`AI: ${ai.on ? "on" : "stopped"}`} says="Stopped, it answers nobody in this organisation and proposes nothing.">
        {ai.on ? button("stop", "Stop", mayStop) : button("start", "Start", mayControl)}
      </Setting>
      <Setting title={`Write actions: ${ai.writes ? "may be proposed" : "off"}`} says="Off, it looks and explains. Even where it may propose, nothing runs before a person allows it.">
        {ai.writes ? button("forbid-writes", "Switch off", mayControl) : button("allow-writes", "Allow", mayControl)}
      </Setting>
      <Operations ai={ai} may={mayControl} />
      <Setting title={`Production Protection: ${ai.production_protection.on ? "on" : "off"}`}
               says="On, the AI proposes nothing on servers whose environment is production or unknown, whoever asks. An Owner switches it off for a while; it is on again by itself.">
        {!ai.production_protection.on && button("protect-production", "Switch on", mayControl)}
      </Setting>
      {ai.production_protection.on && <Unprotect />}
      <SecondPerson asked={ai.second_person} />
      <ProviderSetting />
      {ai.limits.map((l) => <LimitForm key={l.limit} limit={l} may={mayControl} />)}
      <Text size="sm"><By ai={ai} />{mayControl ? "Switching on asks once more who you are." : "Owners and Admins change these."}</Text>
      <Failure error={turn.error} />
    </Stack>
  );
}

/** An Owner's too: what it asks for protects against a single wrong yes. */
function SecondPerson({ asked }: { asked: boolean }) {
  const queries = useQueryClient();
  const may = useMay("production.release");
  const set = useMutation({
    mutationFn: (required: boolean) => putPlain("/ai/second-person", { required }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["ai"] }),
  });
  return (
    <>
      <Setting title={`Second person: ${asked ? "asked for" : "off"}`}
               says="Asked for, what the AI proposes for production, or is destructive, runs once two people allowed it; the second is not who asked. Cards that wait for two keep waiting for two.">
        {may && <Button size="xs" variant="default" loading={set.isPending} onClick={() => set.mutate(!asked)}>{asked ? "One is enough" : "Ask for two"}</Button>}
      </Setting>
      <Failure error={set.error} />
    </>
  );
}

const limitTitles: Record<string, string> = { steps_per_run: "Steps of one answer", steps_per_plan: "Steps of one plan" };

function LimitForm({ limit: l, may }: { limit: Limit; may: boolean }) {
  const queries = useQueryClient();
  const [value, setValue] = useState<string | null>(null);  // while it is being changed
  const set = useMutation({
    mutationFn: () => putPlain("/ai/limits", { limit: l.limit, value: Number(value) }),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["ai"] }); setValue(null); },
  });
  const title = limitTitles[l.limit] ?? l.limit;
  return (
    <>
      <Setting title={`${title}: ${l.value}`} says={`The most ${l.about}. At the limit it stops and says so. ${l.unset} where nobody set another number.`}>
        {may && value === null && <Button size="xs" variant="default" aria-label={`Change ${title}`} onClick={() => setValue(String(l.value))}>Change</Button>}
      </Setting>
      {value !== null && (
        <Group component="form" align="flex-end" aria-label={title} onSubmit={(e: React.FormEvent) => { e.preventDefault(); set.mutate(); }}>
          <TextInput label={title} description={`${l.least} to ${l.most}`} type="number" min={l.least} max={l.most} required value={value} onChange={(e) => setValue(e.currentTarget.value)} />
          <Button type="submit" size="xs" loading={set.isPending}>Save</Button>
          <Button size="xs" variant="default" onClick={() => setValue(null)}>Leave it</Button>
        </Group>
      )}
      <Failure error={set.error} />
    </>
  );
}

function Operations({ ai, may }: { ai: Ai; may: boolean }) {
  const queries = useQueryClient();
  const set = useMutation({
    mutationFn: (body: { operation: string; on: boolean }) => putPlain("/ai/operations", body),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["ai"] }),
  });
  const row = (name: string, says: string, on: boolean) => (
    <li key={name}>
      <div className="row-text"><b><Foreign text={name} /></b>: {on ? "may be proposed" : "off"}<Text size="sm" c="dimmed"><Foreign text={says} /></Text></div>
      {may && <Button size="compact-xs" variant="default" aria-label={`${on ? "Switch off" : "Allow"} ${name}`} loading={set.isPending && set.variables.operation === name}
                      onClick={() => set.mutate({ operation: name, on: !on })}>{on ? "Switch off" : "Allow"}</Button>}
    </li>
  );
  const categories = [...new Set(ai.operations.map((o) => o.category))];
  return (
    <ul className="rows" aria-label="What the AI may propose">
      {categories.flatMap((c) => {
        const of = ai.operations.filter((o) => o.category === c);
        return [row(c, "all of these", of[0]?.category_on ?? false), ...of.map((o) => row(o.operation, o.about, o.on))];
      })}
      {set.error && <li><Failure error={set.error} /></li>}
    </ul>
  );
}

const spans = [["15", "15 minutes"], ["60", "An hour"], ["240", "4 hours"], ["1440", "24 hours"]];

/** An Owner's, with a reason that everybody is told who answers for the servers. */
function Unprotect() {
  const queries = useQueryClient();
  const may = useMay("production.release");
  const [asking, setAsking] = useState(false);
  const [minutes, setMinutes] = useState("60");
  const [reason, setReason] = useState("");
  const off = useMutation({
    mutationFn: () => post<Ai>("/ai/unprotect-production", { minutes: Number(minutes), reason: reason.trim() }),
    onSuccess: (now) => { queries.setQueryData(["ai"], now); setAsking(false); setReason(""); },
  });
  if (!may) return null;
  if (!asking) return <Group><Button size="xs" color="red" variant="default" onClick={() => setAsking(true)}>Switch Production Protection off for a while</Button></Group>;
  return (
    <Stack component="form" aria-label="Switch Production Protection off" onSubmit={(e: React.FormEvent) => { e.preventDefault(); off.mutate(); }}>
      <NativeSelect label="For" value={minutes} onChange={(e) => setMinutes(e.currentTarget.value)} data={spans.map(([value, label]) => ({ value: value ?? "", label: label ?? "" }))} />
      <TextInput label="Why" description="Every Owner and Admin is told, and it stands in the log." required maxLength={500} value={reason} onChange={(e) => setReason(e.currentTarget.value)} />
      <Group>
        <Button type="submit" size="xs" color="red" loading={off.isPending} disabled={!reason.trim()}>Switch off</Button>
        <Button size="xs" variant="default" onClick={() => setAsking(false)}>Leave it on</Button>
      </Group>
      <Failure error={off.error} />
    </Stack>
  );
}
