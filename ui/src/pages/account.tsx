// Account security: where one is signed in, one's password, and how long sessions of the organisation last.
import { Badge, Button, Group, Modal, NumberInput, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { get, getAll, putPlain, remove, type OpenSession, type SessionLimits } from "../api";
import { AddressOfAccount } from "../parts/address";
import { Ago, Failure, Page, placeOf, Waiting } from "../parts/common";
import { Devices } from "../parts/devices";
import { DisownButton } from "../parts/disown";
import { SecondFactors } from "../parts/factors";
import { Foreign } from "../parts/foreign";
import { History } from "../parts/history";
import { SignInMethods } from "../parts/sign-in-methods";
import { useMay } from "../session";

export function AccountPage() {
  return (
    <Page title="Account security">
      <Stack gap="xl">
        <Sessions />
        <Part title="Devices you are known on"><Devices /></Part>
        <Part title="E-mail address"><AddressOfAccount /></Part>
        <Password />
        <SecondFactors />
        <SignInMethods />
        <History />
        <Limits />
      </Stack>
    </Page>
  );
}

function Part({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Group justify="space-between" mb="xs"><Title order={2} size="h4">{title}</Title>{aside}</Group>
      {children}
    </section>
  );
}

function Sessions() {
  const queries = useQueryClient();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => getAll<OpenSession>("/sessions") });
  const [asking, setAsking] = useState(false);
  const again = () => queries.invalidateQueries({ queryKey: ["sessions"] });
  const others = useMutation({ mutationFn: () => remove("/sessions"), onSuccess: async () => { await again(); setAsking(false); } });
  const all = sessions.data?.data ?? [];
  return (
    <Part title="Where you are signed in"
          aside={all.length > 1 && <Button size="xs" variant="default" onClick={() => setAsking(true)}>End all others</Button>}>
      <Failure error={sessions.error} />
      {sessions.isPending && <Waiting what="your sessions" />}
      <ul className="rows" aria-label="Your sessions">{all.map((s) => <SessionRow key={s.id} held={s} onEnded={again} />)}</ul>
      {all.length === 1 && <Text size="sm" c="dimmed">Nowhere else. A session you do not know would be listed here, with a button to end it.</Text>}
      <Modal opened={asking} onClose={() => setAsking(false)} title="End all other sessions" closeButtonProps={{ "aria-label": "Close" }}>
        <Stack>
          <Text>Everywhere but here you will have to sign in again. If you do not know one of them, say so at that one instead: This was not me.</Text>
          <Failure error={others.error} />
          <Button data-autofocus loading={others.isPending} onClick={() => others.mutate()}>End them now</Button>
        </Stack>
      </Modal>
    </Part>
  );
}

function SessionRow({ held: s, onEnded }: { held: OpenSession; onEnded: () => Promise<void> }) {
  const end = useMutation({ mutationFn: () => remove(`/sessions/${s.id}`), onSuccess: onEnded });
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={s.device} /></b> {s.current && <Badge variant="light" color="green">this one</Badge>}
        <Text size="sm" c="dimmed">from <Foreign text={s.address} /> (<Foreign text={placeOf(s)} />), last used <Ago at={s.last_used_at} />, signed in <Ago at={s.created_at} /></Text>
        <Failure error={end.error} />
      </div>
      {!s.current && (
        <Group gap="xs">
          <DisownButton session={s.id} label={`This was not me: the session of ${s.device} from ${s.address}`} />
          <Button size="xs" variant="default" loading={end.isPending} aria-label={`End the session of ${s.device} from ${s.address}`} onClick={() => end.mutate()}>End</Button>
        </Group>
      )}
    </li>
  );
}

function Password() {
  const queries = useQueryClient();
  const [form, setForm] = useState({ password: "", again: "" });
  const change = useMutation({
    mutationFn: () => putPlain("/account/password", { password: form.password }),
    onSuccess: async () => { setForm({ password: "", again: "" }); await queries.invalidateQueries({ queryKey: ["sessions"] }); },
  });
  const differs = form.again !== "" && form.again !== form.password;
  const field = (k: keyof typeof form) => ({
    value: form[k], required: true, autoComplete: "new-password", visibilityToggleButtonProps: { "aria-label": "Show password", tabIndex: 0 },
    onChange: (e: React.ChangeEvent<HTMLInputElement>) => { const value = e.currentTarget.value; setForm((f) => ({ ...f, [k]: value })); },
  });
  return (
    <Part title="Password">
      <Stack component="form" maw={420} onSubmit={(e: React.FormEvent) => { e.preventDefault(); if (form.password === form.again) change.mutate(); }}>
        <PasswordInput label="New password" description="At least 15 characters: four or five words do well. Your other sessions end." {...field("password")} />
        <PasswordInput label="New password again" error={differs ? "The two passwords differ." : null} {...field("again")} />
        <Failure error={change.error} />
        {change.isSuccess && <Text size="sm" role="status">The password was changed.</Text>}
        <Group><Button type="submit" loading={change.isPending}>Change the password</Button></Group>
      </Stack>
    </Part>
  );
}

function Limits() {
  const mayManage = useMay("organization.session_limits");
  const limits = useQuery({ queryKey: ["session-limits"], queryFn: () => get<SessionLimits>("/organization/session-limits") });
  return (
    <Part title="How long sessions last">
      <Failure error={limits.error} />
      {limits.isPending && <Waiting what="the limits" />}
      {limits.data && (mayManage ? <SetLimits now={limits.data} /> : <Text size="sm">{hours(limits.data.idle_minutes)} without use, {hours(limits.data.lifetime_minutes)} in any case.</Text>)}
    </Part>
  );
}

const hours = (minutes: number) => `${+(minutes / 60).toFixed(1)} hours`;

function SetLimits({ now }: { now: SessionLimits }) {
  const queries = useQueryClient();
  const [idle, setIdle] = useState(now.idle_minutes / 60);
  const [lifetime, setLifetime] = useState(now.lifetime_minutes / 60);
  const set = useMutation({
    mutationFn: () => putPlain("/organization/session-limits", { idle_minutes: Math.round(idle * 60), lifetime_minutes: Math.round(lifetime * 60) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["session-limits"] }),
  });
  return (
    <Stack component="form" maw={420} onSubmit={(e: React.FormEvent) => { e.preventDefault(); set.mutate(); }}>
      <NumberInput label="Without use, hours" description="For everyone in the organisation, 0.5 to 12" min={0.5} max={12} step={0.5} hideControls
                   value={idle} onChange={(v) => setIdle(Number(v))} />
      <NumberInput label="In any case, hours" description="From the sign-in, 1 to 168" min={1} max={168} hideControls
                   value={lifetime} onChange={(v) => setLifetime(Number(v))} />
      <Failure error={set.error} />
      <Group><Button type="submit" variant="default" loading={set.isPending}
                     disabled={idle * 60 === now.idle_minutes && lifetime * 60 === now.lifetime_minutes}>Set the limits</Button></Group>
    </Stack>
  );
}
