// What a server's agent proves itself with, and what may be done about it.
import { Alert, Badge, Button, Group, Modal, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, type Enrolment, type Server, type ServerKey } from "../api";
import { absolute } from "../format";
import { usePoll } from "../live";
import { useMay } from "../session";
import { Ago, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";
import { InstallCommand } from "./install-command";

const path = (s: Server) => `/servers/${encodeURIComponent(s.id)}/key`;

function state(s: Server, k: ServerKey): { text: string; color: string } {
  if (k.state === "revoked") return { text: "Key revoked", color: "red" };
  if (k.state === "quarantined") return { text: "Quarantined", color: "red" };
  if (s.leaves_at) return { text: "Disconnected", color: "red" };
  return s.online ? { text: "Post-quantum active", color: "green" } : { text: "Not connected", color: "gray" };
}

export function Security({ server: s }: { server: Server }) {
  const poll = usePoll();
  const key = useQuery({
    queryKey: ["server-key", s.id, s.online], queryFn: () => get<ServerKey>(path(s)),
    refetchInterval: (q) => (q.state.data?.check.state === "running" || q.state.data?.rotation_asked ? 1000 : poll),
  });
  const k = key.data;
  if (!k) return key.error ? <Failure error={key.error} /> : <Waiting what="its key" />;
  const now = state(s, k);
  return (
    <Stack>
      {k.state !== "good" && <Doubt server={s} k={k} />}
      <Paper withBorder p="md">
        <dl className="facts">
          <dt>State</dt><dd><Badge color={now.color} variant="light">{now.text}</Badge></dd>
          <dt>Key exchange</dt><dd>{k.group ? <Foreign text={k.group} /> : "-"}</dd>
          <dt>Signature</dt><dd>{k.signature ? <Foreign text={k.signature} /> : "-"}</dd>
          <dt>Certificate</dt><dd>{k.certificate_from && k.certificate_until ? <>from <Ago at={k.certificate_from} />, ends <Ago at={k.certificate_until} />{!k.renews && " (its agent does not renew it)"}</> : "not known"}</dd>
          <dt>Key in use since</dt><dd><Ago at={k.key_since} />{k.rotation_asked && " (a new one was asked for)"}</dd>
          <dt>SHA-256 of the key</dt><dd className="bytes">{k.key ? <Foreign text={k.key} /> : "goes by its certificate"}</dd>
          <dt>Last check</dt><dd><LastCheck k={k} /></dd>
        </dl>
      </Paper>
      <Actions server={s} k={k} />
    </Stack>
  );
}

function Doubt({ server: s, k }: { server: Server; k: ServerKey }) {
  return (
    <Alert color="red" variant="light" title={k.state === "revoked" ? "Its key was revoked" : "Two hold its key"}>
      <Text size="sm">
        {k.state === "revoked" ? <>Nobody is let in as <Foreign text={s.name} /> any more.</>
          : <>Two machines were connected as <Foreign text={s.name} /> at the same time, with one key, and nobody can tell from here which of them it is: neither is let in any more. Find the copy first.</>}
        {" "}The way back is an install command that replaces it, run on the server as root.
      </Text>
    </Alert>
  );
}

function LastCheck({ k }: { k: ServerKey }) {
  const c = k.check;
  if (c.state === "running") return <span role="status">Checking: a fresh handshake, and a challenge for its key…</span>;
  if (c.state === "never" || !c.at) return <span>never</span>;
  if (c.state === "failed") return <span>failed <Ago at={c.at} />{c.why && <>: <Foreign text={c.why} /></>}</span>;
  return (
    <span>
      passed <Ago at={c.at} />: <Foreign text={`${c.group}, handshake and challenge signed by ${c.signature}`} />
      {c.key === k.key ? " with the key above" : " with another key than the one above"}{c.milliseconds !== undefined && `, in ${c.milliseconds} ms`}
    </span>
  );
}

function Actions({ server: s, k }: { server: Server; k: ServerKey }) {
  const queries = useQueryClient();
  const mayKey = useMay("server.key"), mayCheck = useMay("server.check"), mayEnrol = useMay("server.enrol");
  const [asking, setAsking] = useState<"revoke" | "command" | null>(null);
  const again = () => Promise.all([["server-key"], ["server"], ["servers"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
  const act = useMutation({ mutationFn: (what: string) => post<ServerKey>(`${path(s)}/${what}`, {}), onSuccess: again });
  const good = k.state === "good" && !s.leaves_at;
  const close = () => { setAsking(null); void again(); };
  return (
    <>
      <Failure error={act.error} />
      <Group gap="xs">
        {mayCheck && <Button size="xs" loading={act.isPending && act.variables === "check"} disabled={!s.online || k.check.state === "running"} onClick={() => act.mutate("check")}>Run end-to-end check</Button>}
        {mayKey && good && <Button size="xs" variant="default" loading={act.isPending && act.variables === "rotate"} disabled={k.rotation_asked} onClick={() => act.mutate("rotate")}>Rotate keys</Button>}
        {mayEnrol && !s.leaves_at && <Button size="xs" variant="default" onClick={() => setAsking("command")}>Regenerate install command</Button>}
        {mayKey && good && <Button size="xs" color="red" variant="default" onClick={() => setAsking("revoke")}>Revoke the key</Button>}
      </Group>
      <Modal opened={asking !== null} onClose={close} size="lg" title={asking === "revoke" ? "Revoke a server's key" : "Regenerate the install command"} closeButtonProps={{ "aria-label": "Close" }}>
        {asking === "revoke" && <Revoke server={s} onDone={close} />}
        {asking === "command" && <Regenerate server={s} onClose={close} />}
      </Modal>
    </>
  );
}

function Revoke({ server: s, onDone }: { server: Server; onDone: () => void }) {
  const [typed, setTyped] = useState("");
  const act = useMutation({ mutationFn: () => post<ServerKey>(`${path(s)}/revoke`, {}), onSuccess: onDone });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); act.mutate(); }}>
      <Text>The agent of <b><Foreign text={s.name} /></b> is thrown out at once and let in no more; orders under way to it end. This cannot be taken back: the way back is an install command, run there as root.</Text>
      <TextInput label={`Type ${s.name} to revoke its key`} required data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
      <Failure error={act.error} />
      <Button type="submit" color="red" disabled={typed.trim() !== s.name} loading={act.isPending}>Revoke it</Button>
    </Stack>
  );
}

function Regenerate({ server: s, onClose }: { server: Server; onClose: () => void }) {
  const create = useMutation({ mutationFn: () => post<Enrolment>("/enrolments", { name: s.name, replace: true }) });
  if (create.data) return <InstallCommand enrolment={create.data} onClose={onClose} />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); create.mutate(); }}>
      <Text>The machine that runs the command takes the place of <b><Foreign text={s.name} /></b>, with a new key; what holds the old one is let in no more from then on. Until {absolute(new Date(Date.now() + 1_800_000).toISOString())} it works once.</Text>
      <Failure error={create.error} />
      <Button type="submit" loading={create.isPending}>Make the install command</Button>
    </Stack>
  );
}
