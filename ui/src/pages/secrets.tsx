// Secrets: names are shown, values go in and are never shown, also not to who typed them a moment ago.
import { Badge, Button, Group, Modal, NativeSelect, Stack, Tabs, Text, Textarea, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { get, post, put, removeVersion, type KeyInventory, type List, type Secret, type StoredKey } from "../api";
import { Ago, Copy, Failure, Page, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { More } from "../parts/more";
import { useMay, useSession } from "../session";

export const kinds: Record<string, string> = {
  env_value: "Environment value", cloud_key: "Cloud key", notification: "Notification credential", ai_provider: "AI provider key", ssh_key: "SSH key",
};
// What the server would refuse is not offered; the server decides all the same.
const handled = (role: string) =>
  Object.keys(kinds).filter((k) => role === "owner" || (role === "admin" && k !== "ai_provider") || (role === "member" && k === "env_value"));

export function SecretsPage({ part }: { part: string }) {
  const [, go] = useLocation();
  const mayKeys = useMay("key.view");
  return (
    <Page title="Secrets">
      <Tabs value={part} onChange={(v) => go(v === "values" ? "/secrets" : `/secrets/${v}`)} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="values">Values</Tabs.Tab>
          <Tabs.Tab value="ssh">SSH keys</Tabs.Tab>
          {mayKeys && <Tabs.Tab value="keys">Keys and rotation</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="values" pt="md"><Secrets choices={["env_value", "cloud_key", "notification", "ai_provider"]} /></Tabs.Panel>
        <Tabs.Panel value="ssh" pt="md"><Secrets choices={["ssh_key"]} /></Tabs.Panel>
        {mayKeys && <Tabs.Panel value="keys" pt="md"><Keys /></Tabs.Panel>}
      </Tabs>
    </Page>
  );
}

function Secrets({ choices }: { choices: string[] }) {
  const role = useSession().role;
  const [kind, setKind] = useState(choices[0]!);
  const [adding, setAdding] = useState(false);
  const secrets = useInfiniteQuery({
    queryKey: ["secrets", kind], initialPageParam: "",
    queryFn: ({ pageParam }) => get<List<Secret>>(`/secrets?kind=${kind}&limit=50${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ""}`),
    getNextPageParam: (last) => last.next_cursor,
  });
  const all = secrets.data?.pages.flatMap((p) => p.data) ?? [];
  const mine = handled(role).includes(kind);
  return (
    <Stack>
      <Group justify="space-between" align="end">
        {choices.length > 1
          ? <NativeSelect label="Kind" value={kind} onChange={(e) => setKind(e.currentTarget.value)} data={choices.map((k) => ({ value: k, label: kinds[k]! }))} />
          : <Text c="dimmed" size="sm">Private halves are never shown. Put the public half into authorized_keys.</Text>}
        {mine && <Button onClick={() => setAdding(true)}>{kind === "ssh_key" ? "Add an SSH key" : "Add a secret"}</Button>}
      </Group>
      <Failure error={secrets.error} />
      {secrets.isPending && <Waiting what="secrets" />}
      {secrets.data && all.length === 0 && <Text c="dimmed">None of this kind yet.</Text>}
      <ul className="rows" aria-label={kinds[kind]}>
        {all.map((s) => <SecretRow key={s.id} secret={s} mine={mine} />)}
      </ul>
      <More query={secrets} />
      <Modal opened={adding} onClose={() => setAdding(false)} title={kinds[kind]} closeButtonProps={{ "aria-label": "Close" }}>
        {adding && <ValueForm kind={kind} onDone={() => setAdding(false)} />}
      </Modal>
    </Stack>
  );
}

function SecretRow({ secret: s, mine }: { secret: Secret; mine: boolean }) {
  const [open, setOpen] = useState<"replace" | "delete" | null>(null);
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={s.name} /></b>
        <Text size="sm" c="dimmed">version {s.version}, {s.replaced_at ? <>replaced <Ago at={s.replaced_at} /></> : <>added <Ago at={s.created_at} /></>}{s.placed_on > 0 && `, in ${s.placed_on} ${s.placed_on === 1 ? "file" : "files"} on servers`}</Text>
        {s.public_key && <div className="public-half"><code><Foreign text={s.public_key} /></code> <Copy text={s.public_key} what={`public key of ${s.name}`} /></div>}
      </div>
      {mine && (
        <Group gap="xs">
          <Button size="xs" variant="default" aria-label={`Replace ${s.name}`} onClick={() => setOpen("replace")}>Replace</Button>
          <Button size="xs" variant="default" color="red" aria-label={`Delete ${s.name}`} onClick={() => setOpen("delete")}>Delete</Button>
        </Group>
      )}
      <Modal opened={open !== null} onClose={() => setOpen(null)} title={open === "delete" ? "Delete for good" : "Replace the value"} closeButtonProps={{ "aria-label": "Close" }}>
        {open === "replace" && <ValueForm kind={s.kind} replaces={s} onDone={() => setOpen(null)} />}
        {open === "delete" && <DeleteForm secret={s} onDone={() => setOpen(null)} />}
      </Modal>
    </li>
  );
}

// The value lives in this form and is forgotten with it.
function ValueForm({ kind, replaces, onDone }: { kind: string; replaces?: Secret; onDone: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(replaces?.name ?? "");
  const [value, setValue] = useState("");
  const [imported, setImported] = useState(false);
  const ssh = kind === "ssh_key";
  const store = useMutation({
    mutationFn: () => {
      const body = ssh && !imported ? {} : { value };
      return replaces ? put<Secret>(`/secrets/${replaces.id}`, body, replaces.version) : post<Secret>("/secrets", { kind, name: name.trim(), ...body });
    },
    gcTime: 0,
    onSuccess: async () => { setValue(""); await queries.invalidateQueries({ queryKey: ["secrets"] }); onDone(); },
  });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); store.mutate(); }}>
      {!replaces && <TextInput label="Name" required data-autofocus value={name} maxLength={64} onChange={(e) => setName(e.currentTarget.value)}
                               description="Letters, digits, _ . - ; names are not secret." />}
      {ssh && <NativeSelect label="Private key" value={imported ? "import" : "make"} onChange={(e) => setImported(e.currentTarget.value === "import")}
                            data={[{ value: "make", label: "Make a new Ed25519 key" }, { value: "import", label: "Import one" }]} />}
      {ssh && imported && <Textarea label="Ed25519 private key" required rows={6} value={value} spellCheck={false} autoComplete="off" onChange={(e) => setValue(e.currentTarget.value)}
                                    description="OpenSSH or PEM, without a passphrase. It is not shown again." />}
      {!ssh && <TextInput label="Value" type="password" required autoComplete="new-password" value={value} onChange={(e) => setValue(e.currentTarget.value)}
                          description="It is not shown again, to anybody." />}
      <Failure error={store.error} />
      <Button type="submit" loading={store.isPending}>{replaces ? "Replace" : "Store"}</Button>
    </Stack>
  );
}

function DeleteForm({ secret: s, onDone }: { secret: Secret; onDone: () => void }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useState("");
  const erase = useMutation({
    mutationFn: () => removeVersion(`/secrets/${s.id}`, s.version),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["secrets"] }); onDone(); },
  });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); erase.mutate(); }}>
      <Text>What uses <b><Foreign text={s.name} /></b> stops working. Its key is destroyed: no backup of the database brings the value back.</Text>
      {s.placed_on > 0 && <Text c="red">A value of it is in {s.placed_on} {s.placed_on === 1 ? "file" : "files"} on servers. It stays there until that is placed again without it, or removed.</Text>}
      <TextInput label="Type its name" required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={erase.error} />
      <Button type="submit" color="red" disabled={typed !== s.name} loading={erase.isPending}>Delete for good</Button>
    </Stack>
  );
}

function Keys() {
  const found = useQuery({ queryKey: ["keys"], queryFn: () => get<KeyInventory>("/secrets/inventory"), refetchInterval: 5000 });
  const mayRotate = useMay("key.rotate");
  return (
    <Stack>
      <Failure error={found.error} />
      {found.isPending && <Waiting what="keys" />}
      <ul className="rows" aria-label="Keys">
        {found.data?.keys.map((k) => <KeyRow key={`${k.key}-${k.generation}`} held={k} mayRotate={mayRotate} />)}
      </ul>
      {found.data && (
        <>
          <ul className="rows" aria-label="Classes of secrets">
            {found.data.classes.map((c) => (
              <li key={c.kind}><div className="row-text">{kinds[c.kind] ?? <Foreign text={c.kind} />}</div><span>{c.count} stored, opened only for <code><Foreign text={c.use} /></code></span></li>
            ))}
          </ul>
          <Text size="sm">Seals of the root key, any one opens: <Foreign text={found.data.seals.map((s) => s.kind).join(", ")} />. They are changed on the server, with <code>caip-keeper seal</code>.</Text>
          {!found.data.memory_locked && <Text size="sm" c="red" role="alert">The keeper's memory is not locked: it may reach the swap space.</Text>}
        </>
      )}
    </Stack>
  );
}

const purposes: Record<string, string> = {
  root: "wraps every other key", data: "encrypts stored secrets", jwt: "signs who is signed in", checkpoint: "signs the audit log",
  cosign: "signs the audit log too, post-quantum", order: "signs orders to servers", ca: "signs what browsers and the command line are shown", agent_ca: "signs on the agents' channel, post-quantum", pepper: "mixed into every password hash",
};
// Servers know these by heart.
const authorities = new Set(["ca", "agent_ca"]);
const handsOver = new Set(["checkpoint", "cosign", "order"]);

function KeyRow({ held: k, mayRotate }: { held: StoredKey; mayRotate: boolean }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const rotate = useMutation({
    mutationFn: () => post("/secrets/rotations", { key: k.key }),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: ["keys"] }); setAsking(false); },
  });
  const current = k.state === "current";
  return (
    <li>
      <div className="row-text">
        <b><Foreign text={k.key} /></b> {purposes[k.key] && <Text span size="sm">{purposes[k.key]}</Text>} {!current && <Badge variant="light" color="orange">previous</Badge>}
        <Text size="sm" c="dimmed">
          <Foreign text={k.algorithm} />, generation {k.generation}, {k.age_days} days old{k.secrets !== null && `, ${k.secrets} ${k.secrets === 1 ? "secret" : "secrets"}`}
          {k.next_rotation_at && <>, next rotation {k.next_rotation_at.slice(0, 10)}</>}{k.ends_at && <>, ends {k.ends_at.slice(0, 16).replace("T", " ")} UTC</>}
          {current && k.servers_waiting ? <>, {k.servers_waiting} {k.servers_waiting === 1 ? "server has" : "servers have"} a certificate of the one before</> : null}
          {!current && k.servers_waiting !== null && <>, destroyed when {k.servers_waiting} more {k.servers_waiting === 1 ? "server knows" : "servers know"} the new one</>}
        </Text>
      </div>
      {mayRotate && current && k.rotates && <Button size="xs" variant="default" aria-label={`Rotate ${k.key}`} onClick={() => setAsking(true)}>Rotate</Button>}
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Rotate the key ${k.key}`} closeButtonProps={{ "aria-label": "Close" }}>
        <Stack>
          <Text>A new key is used from now on. The old one is destroyed when nothing is left under it. Everything goes on meanwhile.</Text>
          {handsOver.has(k.key) && <Text size="sm">The old key names the new one in the log. Servers learn of it at once, those that are away when they come back; until all have, the old key stays.</Text>}
          {authorities.has(k.key) && <Text size="sm">The old key certifies the new one and is destroyed at once. Whoever trusts the old authority follows; install commands that were made before have to be made again.</Text>}
          <Failure error={rotate.error} />
          <Button data-autofocus loading={rotate.isPending} onClick={() => rotate.mutate()}>Rotate now</Button>
        </Stack>
      </Modal>
    </li>
  );
}
