// API tokens: for programs, with less than their maker may do. A value is shown once.
import { Button, Checkbox, Code, Group, Modal, NativeSelect, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, getAll, post, remove, type ApiToken, type List, type NewApiToken, type RoleRow } from "../api";
import { Ago, Copy, Failure, Waiting } from "../parts/common";
import { ExactBytes, Foreign } from "../parts/foreign";
import { useMay, useSession } from "../session";

export function Tokens() {
  const mayAll = useMay("token.view_all");
  const [everybody, setEverybody] = useState(false);
  const [making, setMaking] = useState(false);
  const tokens = useQuery({ queryKey: ["tokens", everybody], queryFn: () => getAll<ApiToken>(`/tokens${everybody ? "?all=true" : ""}`) });
  return (
    <Stack>
      <Group justify="space-between">
        {mayAll ? <Switch label="Everybody's" checked={everybody} onChange={(e) => setEverybody(e.currentTarget.checked)} /> : <span />}
        <Button onClick={() => setMaking(true)}>Make a token</Button>
      </Group>
      <Failure error={tokens.error} />
      {tokens.isPending && <Waiting what="tokens" />}
      {tokens.data?.data.length === 0 && <Text c="dimmed">No tokens. A program that uses the API needs one.</Text>}
      <ul className="rows" aria-label="API tokens">{tokens.data?.data.map((t) => <Row key={t.id} token={t} />)}</ul>
      <Modal opened={making} onClose={() => setMaking(false)} title="Make a token" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
        {making && <MakeForm onDone={() => setMaking(false)} />}
      </Modal>
    </Stack>
  );
}

function Row({ token: t }: { token: ApiToken }) {
  const queries = useQueryClient();
  const me = useSession().user.id;
  const mayAny = useMay("token.revoke_any");
  const revoke = useMutation({ mutationFn: () => remove(`/tokens/${t.id}`), onSettled: () => queries.invalidateQueries({ queryKey: ["tokens"] }) });
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={t.name} /></b>
        <Text size="sm" c="dimmed"><Foreign text={t.user.email} />, used <Ago at={t.last_used_at} />, ends <Ago at={t.expires_at} />{t.networks.length > 0 && <>, from <Foreign text={t.networks.join(", ")} /> alone</>}</Text>
        <Text size="sm"><Foreign text={t.scopes.join(", ")} /></Text>
      </div>
      {(t.user.id === me || mayAny) && <Button size="xs" variant="default" aria-label={`Revoke ${t.name}`} loading={revoke.isPending} onClick={() => revoke.mutate()}>Revoke</Button>}
      <Failure error={revoke.error} />
    </li>
  );
}

function MakeForm({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const permissions = useSession().permissions;
  const roles = useQuery({ queryKey: ["roles"], queryFn: () => get<List<RoleRow>>("/roles"), staleTime: Infinity });
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const [networks, setNetworks] = useState("");
  const [scopes, setScopes] = useState<string[]>(["server.view"]);
  const make = useMutation({
    mutationFn: () => post<NewApiToken>("/tokens", { name: name.trim(), days: Number(days), scopes, networks: networks.split(/[\s,]+/).filter(Boolean) }),
    gcTime: 0,
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  if (make.data)
    return (
      <Stack>
        <Text>Put this where the program reads it. It is not shown again, to anybody.</Text>
        <Code block className="bytes" tabIndex={0} aria-label="API token"><ExactBytes text={make.data.token} /></Code>
        <Group justify="end"><Copy text={make.data.token} what="API token" /><Button data-autofocus onClick={onDone}>Done</Button></Group>
      </Stack>
    );
  const offered = roles.data?.data.filter((r) => r.token && permissions.includes(r.permission)) ?? [];
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); make.mutate(); }}>
      <TextInput label="Name" required data-autofocus maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)} description="What it is for." />
      <NativeSelect label="Valid for" value={days} onChange={(e) => setDays(e.currentTarget.value)}
                    data={[{ value: "7", label: "7 days" }, { value: "30", label: "30 days" }, { value: "90", label: "90 days" }, { value: "365", label: "1 year" }]} />
      <TextInput label="Only from these networks" value={networks} onChange={(e) => setNetworks(e.currentTarget.value)} description="Such as 192.0.2.0/24 2001:db8::/32; empty: from anywhere." />
      <Checkbox.Group label="It may" required value={scopes} onChange={setScopes} description="Never more than you hold at that time; never decisions on what the AI proposes.">
        <Stack gap={6} mt="xs">{offered.map((r) => <Checkbox key={r.permission} value={r.permission} label={`${r.permission}: ${r.about}`} />)}</Stack>
      </Checkbox.Group>
      <Failure error={make.error ?? roles.error} />
      <Button type="submit" disabled={scopes.length === 0} loading={make.isPending}>Make it</Button>
    </Stack>
  );
}
