// A new channel, or another credential for one. What is typed lives in the form and is forgotten with it.
import { Alert, Button, NativeSelect, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { post, type NotifyChannel } from "../api";
import { Copy, Failure } from "./common";

export const kinds: Record<string, string> = { email: "E-mail", slack: "Slack", discord: "Discord", telegram: "Telegram", webhook: "Webhook" };
const credentials: Record<string, { label: string; help: string; required: boolean }> = {
  email: { label: "Password", help: "Of the user at the mail server, if it wants one.", required: false },
  slack: { label: "Incoming webhook URL", help: "https://hooks.slack.com/services/…", required: true },
  discord: { label: "Webhook URL", help: "https://discord.com/api/webhooks/…", required: true },
  telegram: { label: "Bot token", help: "As BotFather gave it: 123456:ABC…", required: true },
  webhook: { label: "Signing secret", help: "whsec_…; leave it empty to have one made.", required: false },
};

type Created = NotifyChannel & { signing_secret?: string };

export function SigningSecret({ text, onDone }: { text: string; onDone: () => void }) {
  return (
    <Stack>
      <Alert color="blue" variant="light" title="Copy the signing secret now">It is shown this once. The receiver verifies with it that a message is ours.</Alert>
      <code className="public-half">{text}</code>
      <Copy text={text} what="signing secret" />
      <Button data-autofocus onClick={onDone}>I have it</Button>
    </Stack>
  );
}

function Credential({ kind, value, set }: { kind: string; value: string; set: (s: string) => void }) {
  const c = credentials[kind]!;
  return <TextInput label={c.label} description={`${c.help} It is not shown again, to anybody.`} type="password" autoComplete="new-password" required={c.required}
                    value={value} onChange={(e) => set(e.currentTarget.value)} />;
}

const noMail = { host: "", port: 587, security: "starttls", user: "", from: "", to: "" };

export function ChannelForm({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [kind, setKind] = useState("email");
  const [name, setName] = useState("");
  const [mail, setMail] = useState(noMail);
  const [chat, setChat] = useState("");
  const [url, setUrl] = useState("");
  const [credential, setCredential] = useState("");
  const store = useMutation({
    mutationFn: () => {
      const target = kind === "email" ? mail : kind === "telegram" ? { chat: chat.trim() } : kind === "webhook" ? { url: url.trim() } : {};
      return post<Created>("/notifications/channels", { kind, name: name.trim(), target, ...(credential && { credential: kind === "email" ? credential : credential.trim() }) });
    },
    gcTime: 0,
    onSuccess: async (made) => { setCredential(""); await queries.invalidateQueries({ queryKey: ["channels"] }); if (!made.signing_secret) onDone(); },
  });
  if (store.data?.signing_secret) return <SigningSecret text={store.data.signing_secret} onDone={onDone} />;
  const put = (more: Partial<typeof noMail>) => setMail({ ...mail, ...more });
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); store.mutate(); }}>
      <NativeSelect label="Kind" value={kind} onChange={(e) => { setKind(e.currentTarget.value); setCredential(""); }} data={Object.entries(kinds).map(([value, label]) => ({ value, label }))} />
      <TextInput label="Name" required data-autofocus maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)} description="What people here call it." />
      {kind === "email" && (
        <>
          <TextInput label="To" type="email" required value={mail.to} onChange={(e) => put({ to: e.currentTarget.value })} description="It gets a code first; nothing else is sent before that came back." />
          <TextInput label="From" type="email" required value={mail.from} onChange={(e) => put({ from: e.currentTarget.value })} />
          <TextInput label="Mail server" required value={mail.host} onChange={(e) => put({ host: e.currentTarget.value })} placeholder="mail.example.org" />
          <NativeSelect label="Security" value={mail.security} onChange={(e) => put({ security: e.currentTarget.value, port: e.currentTarget.value === "tls" ? 465 : 587 })}
                        data={[{ value: "starttls", label: "STARTTLS (port 587)" }, { value: "tls", label: "TLS (port 465)" }]} />
          <NumberInput label="Port" required min={1} max={65535} allowDecimal={false} hideControls value={mail.port} onChange={(v) => put({ port: Number(v) })} />
          <TextInput label="User" autoComplete="off" value={mail.user} onChange={(e) => put({ user: e.currentTarget.value })} />
        </>
      )}
      {kind === "telegram" && <TextInput label="Chat" required value={chat} onChange={(e) => setChat(e.currentTarget.value)} description="A number such as -1001234567890, or @name of a channel." />}
      {kind === "webhook" && <TextInput label="URL" required value={url} onChange={(e) => setUrl(e.currentTarget.value)} description="https://, on a public address. It gets what Standard Webhooks describes." />}
      <Credential kind={kind} value={credential} set={setCredential} />
      <Failure error={store.error} />
      <Button type="submit" loading={store.isPending}>Add</Button>
    </Stack>
  );
}

export function CredentialForm({ channel: c, onDone }: { channel: NotifyChannel; onDone: () => void }) {
  const queries = useQueryClient();
  const [credential, setCredential] = useState("");
  const store = useMutation({
    mutationFn: () => post<Created>(`/notifications/channels/${c.id}/credential`, credential ? { credential: c.kind === "email" ? credential : credential.trim() } : {}),
    gcTime: 0,
    onSuccess: async (changed) => { setCredential(""); await queries.invalidateQueries({ queryKey: ["channels"] }); if (!changed.signing_secret) onDone(); },
  });
  if (store.data?.signing_secret) return <SigningSecret text={store.data.signing_secret} onDone={onDone} />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); store.mutate(); }}>
      {c.kind === "webhook" && <Text size="sm">For a day both secrets sign, so that the receiver can be changed meanwhile.</Text>}
      <Credential kind={c.kind} value={credential} set={setCredential} />
      <Failure error={store.error} />
      <Button type="submit" disabled={!credential && c.kind !== "webhook"} loading={store.isPending}>Replace</Button>
    </Stack>
  );
}
