// Making, changing and deleting a site.
import { Button, Checkbox, List, Modal, NativeSelect, NumberInput, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get, patchAnswered, post, removeAnswered, type Operation, type Server, type Site, type SiteDeletion } from "../api";
import { Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { ended, OperationLine, useFollowed } from "./operation";

export const restoreSite = (id: string) => removeAnswered<Operation>(`/sites/${encodeURIComponent(id)}/deletion`);

/** One on each line; of another script the browser makes the written form (xn--…), as it does in its address bar. */
function domainsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean).map((d) => {
    try { return /[^\x20-\x7e]/.test(d) ? new URL(`http://${d}`).hostname : d; } catch { return d; }
  });
}

/** Follows what was asked for; when it has succeeded, `onDone`. */
function useOrder(ask: () => Promise<Operation>, onDone: () => void) {
  const queries = useQueryClient();
  const send = useMutation({ mutationFn: ask });
  const operation = useFollowed(send.data);
  const over = ended(operation), good = operation?.status === "succeeded";
  useEffect(() => {
    if (!over) return;
    void Promise.all([["sites"], ["site"]].map((queryKey) => queries.invalidateQueries({ queryKey }))).then(() => { if (good) onDone(); });
  }, [over, good]);
  return { send, operation, busy: send.isPending || (operation !== undefined && !over) };
}

function Choices({ kind, domains, setDomains, port, setPort, redirect, setRedirect }: {
  kind: Site["kind"]; domains: string; setDomains: (v: string) => void; port: string | number; setPort: (v: string | number) => void; redirect: boolean; setRedirect: (v: boolean) => void;
}) {
  return (
    <>
      <Textarea label="Domains" required autosize minRows={2} value={domains} spellCheck={false} onChange={(e) => setDomains(e.currentTarget.value)}
                description="One on each line, the site's own first. Their DNS has to lead to the server." />
      {domainsIn(domains).length > 1 && <Checkbox label="Further domains lead to the first" checked={redirect} onChange={(e) => setRedirect(e.currentTarget.checked)} />}
      {kind === "proxy" && <NumberInput label="Port" required min={1024} max={65535} allowDecimal={false} value={port} onChange={setPort} description="What listens there on the server's own loopback address." />}
    </>
  );
}

export function CreateSite({ opened, onClose, servers }: { opened: boolean; onClose: () => void; servers: Server[] }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Make a site" closeButtonProps={{ "aria-label": "Close" }}>
      {opened && <CreateForm servers={servers.filter((s) => s.online)} onDone={onClose} />}
    </Modal>
  );
}

function CreateForm({ servers, onDone }: { servers: Server[]; onDone: () => void }) {
  const [name, setName] = useState("");
  const [server, setServer] = useState(servers[0]?.id ?? "");
  const [kind, setKind] = useState<Site["kind"]>("static");
  const [domains, setDomains] = useState("");
  const [port, setPort] = useState<string | number>(3000);
  const [redirect, setRedirect] = useState(false);
  const body = () => ({ server_id: server, name: name.trim(), kind, domains: domainsIn(domains), redirect: redirect && domainsIn(domains).length > 1, ...(kind === "proxy" && { port: Number(port) }) });
  const { send, operation, busy } = useOrder(() => post<Operation>("/sites", body()), onDone);
  if (servers.length === 0) return <Text>There is no server online that a site could be on.</Text>;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); send.mutate(); }}>
      <TextInput label="Name" required data-autofocus maxLength={63} pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" value={name} description="Lower-case letters, digits and hyphens." onChange={(e) => setName(e.currentTarget.value)} />
      <NativeSelect label="Server" value={server} onChange={(e) => setServer(e.currentTarget.value)} data={servers.map((s) => ({ value: s.id, label: s.name }))} description="nginx has to run there." />
      <NativeSelect label="Kind" value={kind} onChange={(e) => setKind(e.currentTarget.value as Site["kind"])} data={[{ value: "static", label: "Files of a folder" }, { value: "proxy", label: "What listens on a port" }]} />
      <Choices {...{ kind, domains, setDomains, port, setPort, redirect, setRedirect }} />
      <Failure error={send.error} />
      <OperationLine operation={operation} error={null} />
      <Button type="submit" loading={busy}>Make it</Button>
    </Stack>
  );
}

export function EditSite({ site, opened, onClose }: { site: Site; opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Change the site" closeButtonProps={{ "aria-label": "Close" }}>
      {opened && <EditForm site={site} onDone={onClose} />}
    </Modal>
  );
}

function EditForm({ site: s, onDone }: { site: Site; onDone: () => void }) {
  const [domains, setDomains] = useState(s.domains.join("\n"));
  const [port, setPort] = useState<string | number>(s.port ?? 3000);
  const [redirect, setRedirect] = useState(s.redirect);
  const body = () => ({ domains: domainsIn(domains), redirect: redirect && domainsIn(domains).length > 1, ...(s.kind === "proxy" && { port: Number(port) }) });
  const { send, operation, busy } = useOrder(() => patchAnswered<Operation>(`/sites/${s.id}`, body()), onDone);
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); send.mutate(); }}>
      <Choices kind={s.kind} {...{ domains, setDomains, port, setPort, redirect, setRedirect }} />
      <Text size="sm" c="dimmed">nginx tries it first. Where it does not take it, or a domain does not answer, all stays as it is.</Text>
      <Failure error={send.error} />
      <OperationLine operation={operation} error={null} />
      <Button type="submit" loading={busy}>Change it</Button>
    </Stack>
  );
}

export function DeleteSite({ site, opened, onClose }: { site: Site; opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Delete a site" closeButtonProps={{ "aria-label": "Close" }}>
      {opened && <DeleteForm site={site} onDone={onClose} />}
    </Modal>
  );
}

function DeleteForm({ site: s, onDone }: { site: Site; onDone: () => void }) {
  const facts = useQuery({ queryKey: ["site-deletion", s.id], queryFn: () => get<SiteDeletion>(`/sites/${s.id}/deletion`), gcTime: 0 });
  const [typed, setTyped] = useState("");
  const [days, setDays] = useState<string | number>(7);
  const { send, operation, busy } = useOrder(() => post<Operation>(`/sites/${s.id}/deletion`, { name: typed.trim(), hours: Number(days) * 24 }), onDone);
  const d = facts.data;
  if (!d) return facts.error ? <Failure error={facts.error} /> : <Waiting what="what goes with it" />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); send.mutate(); }}>
      <Text>This deletes <b><Foreign text={d.name} /></b>, first so that it can be undone.</Text>
      <List size="sm" spacing={4}>
        <List.Item>At once: nginx serves <Foreign text={d.domains.join(", ")} /> no more. Other sites notice nothing.</List.Item>
        <List.Item>Until its end stay, out of reach: {d.files ? "its files, " : ""}its user, its name and its domains. Owners and Admins restore it as it was.</List.Item>
        <List.Item>At its end the server removes {d.files ? "the files, " : ""}its user and its configuration for good, by itself. The log keeps what was done.</List.Item>
        {s.kind === "proxy" && <List.Item>What listens on port {s.port} is not touched.</List.Item>}
      </List>
      <NumberInput label="Days until its end" required min={1} max={Math.floor(d.most_hours / 24)} allowDecimal={false} value={days} onChange={setDays} />
      <TextInput label={`Type ${d.name} to delete it`} required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={send.error} />
      <OperationLine operation={operation} error={null} />
      <Button type="submit" color="red" disabled={typed.trim() !== d.name} loading={busy}>Delete it</Button>
    </Stack>
  );
}
