// Where letters lead, and where one is asked for. A link's token arrives in the fragment, which browsers do not send;
// looking at a page changes nothing, only its button does.
import { Anchor, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { act, postPlain, Problem, type Confirmation, type NewSignIn, type ResetOffer } from "../api";
import { Ago, Failure, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { useSignInMethods } from "../parts/providers";

const pages = ["/reset", "/confirm-email", "/not-me"];
const token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
// Out of the address bar and the history as soon as it is read.
if (token && pages.includes(window.location.pathname)) history.replaceState(null, "", window.location.pathname);

function Sheet({ title, about, children, onSubmit }: { title: ReactNode; about?: ReactNode; children?: ReactNode; onSubmit?: () => void }) {
  const body = (
    <Stack>
      <div><Title order={1} size="h3">{title}</Title>{about && <Text c="dimmed" size="sm">{about}</Text>}</div>
      {children}
    </Stack>
  );
  if (!onSubmit) return <Paper withBorder p="lg" className="narrow">{body}</Paper>;
  return <Paper withBorder p="lg" className="narrow" component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); onSubmit(); }}>{body}</Paper>;
}

const Home = ({ children }: { children: string }) => <Anchor href="/" underline="always">{children}</Anchor>;
const NoLink = () => <Sheet title="No link" about="Open the whole link that you were sent, to its last character."><Home>To the sign-in</Home></Sheet>;
function Dead({ error }: { error: unknown }) {
  return <Sheet title="This link does not work"><Failure error={error} /><Home>To the sign-in</Home></Sheet>;
}

export function ForgotPage() {
  const [email, setEmail] = useState("");
  const methods = useSignInMethods();
  const ask = useMutation({ mutationFn: () => postPlain("/password-resets", { email: email.trim() }) });
  if (methods.data && !methods.data.password_reset)
    return <Sheet title="Forgot your password?" about="This installation sends no mail, so it cannot send you a link. Ask whoever runs it to set a mail server in its configuration."><Home>To the sign-in</Home></Sheet>;
  if (ask.isSuccess)
    return (
      <Sheet title="Look into your mail" about={<>If <Foreign text={email.trim()} /> has an account, a link to choose a new password is on its way. It works once, for half an hour.</>}>
        <Text size="sm" role="status">Nothing there after some minutes? Look where your mail puts what it suspects, and ask again.</Text>
        <Home>To the sign-in</Home>
      </Sheet>
    );
  return (
    <Sheet title="Forgot your password?" about="A link to choose a new one is sent to the address of your account." onSubmit={() => ask.mutate()}>
      <TextInput label="E-mail" name="email" type="email" autoComplete="username" required autoFocus value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
      <Failure error={ask.error} />
      <Button type="submit" loading={ask.isPending}>Send the link</Button>
      <Home>To the sign-in</Home>
    </Sheet>
  );
}

export function ResetPage() {
  const offer = useQuery({ queryKey: ["reset"], queryFn: () => postPlain<ResetOffer>("/password-resets/look", { token }), enabled: token !== "", retry: false });
  if (!token) return <NoLink />;
  if (offer.error) return <Dead error={offer.error} />;
  return offer.data ? <Choose offer={offer.data} /> : <Waiting what="the link" />;
}

function Choose({ offer: o }: { offer: ResetOffer }) {
  const [form, setForm] = useState({ password: "", again: "" });
  const reset = useMutation({ mutationFn: () => act("/password-resets/redeem", { token, password: form.password }) });
  const differs = form.again !== "" && form.again !== form.password;
  const field = (k: keyof typeof form) => ({
    value: form[k], required: true, autoComplete: "new-password", visibilityToggleButtonProps: { "aria-label": "Show password", tabIndex: 0 },
    onChange: (e: React.ChangeEvent<HTMLInputElement>) => { const value = e.currentTarget.value; setForm((f) => ({ ...f, [k]: value })); },
  });
  if (reset.isSuccess)
    return <Sheet title="The password is changed" about={o.second_factor ? "All your sessions have ended. Sign in with it, and with your second factor." : "All your sessions have ended. Sign in with it."}><Home>Sign in</Home></Sheet>;
  return (
    <Sheet title="Choose a new password" about={<>For <Foreign text={o.email} />. All your sessions end.</>} onSubmit={() => { if (form.password === form.again) reset.mutate(); }}>
      <input type="hidden" name="email" autoComplete="username" value={o.email} />
      <PasswordInput label="New password" description={`At least ${o.second_factor ? 12 : 15} characters: four or five words do well.`} {...field("password")} />
      <PasswordInput label="New password again" error={differs ? "The two passwords differ." : null} {...field("again")} />
      <Failure error={reset.error} />
      <Button type="submit" loading={reset.isPending}>Change the password</Button>
    </Sheet>
  );
}

export function ConfirmEmailPage() {
  const link = useQuery({ queryKey: ["confirmation"], queryFn: () => postPlain<Confirmation>("/email-confirmations/look", { token }), enabled: token !== "", retry: false });
  const confirm = useMutation({ mutationFn: () => postPlain<Confirmation>(link.data?.change ? "/account/email-confirmations" : "/email-confirmations", { token }) });
  if (!token) return <NoLink />;
  if (confirm.data) return <Sheet title="Confirmed" about={<><Foreign text={confirm.data.email} /> is the address of your account.{confirm.data.new_password && " A letter with a link to choose a password is on its way there."}</>}><Home>To CloudAIPilot</Home></Sheet>;
  if (link.error) return <Dead error={link.error} />;
  if (!link.data) return <Waiting what="the link" />;
  return (
    <Sheet title="Confirm your address" onSubmit={() => confirm.mutate()}
           about={link.data.change ? <>From then on <b><Foreign text={link.data.email} /></b> is the address of the account that you are signed in to, and what you sign in with.</> : <>That <b><Foreign text={link.data.email} /></b>, the address of your account, is yours.</>}>
      {link.data.new_password && <Text size="sm">Somebody else made this account and knows its first password. So all its sessions end, what was set up in it goes, and a letter with a link to choose a password of your own follows.</Text>}
      {confirm.error instanceof Problem && [401, 403].includes(confirm.error.status)
        ? <Text size="sm" role="alert">An account gets another address only from whoever is signed in to it. In this browser, <Home>sign in to the account that asked for it</Home>, then open the link of the letter again: it still works. If you asked for nothing, close this page.</Text>
        : <Failure error={confirm.error} />}
      <Button type="submit" loading={confirm.isPending}>Confirm</Button>
    </Sheet>
  );
}

export function NotMePage() {
  const link = useQuery({ queryKey: ["new-sign-in"], queryFn: () => postPlain<NewSignIn>("/sign-ins/look", { token }), enabled: token !== "", retry: false });
  const disown = useMutation({ mutationFn: () => act("/sign-ins/disown", { token }) });
  if (!token) return <NoLink />;
  if (disown.isSuccess)
    return <Sheet title="Your account is shut" about="All sessions have ended, and the password lets nobody in. A letter with a link to choose a new one is on its way. The Owners of your organisation are told."><Home>To the sign-in</Home></Sheet>;
  if (link.error) return <Dead error={link.error} />;
  if (!link.data) return <Waiting what="the sign-in" />;
  return (
    <Sheet title="Was this not you?" onSubmit={() => disown.mutate()}
           about={<>A sign-in with <b><Foreign text={link.data.device} /></b> from <b><Foreign text={link.data.address} /></b>, <Ago at={link.data.at} />. If it was you, close this page.</>}>
      <Text size="sm">If it was not: all your sessions end, the password lets nobody in until you choose a new one by letter, and what was added to your account in that session goes, as does the way in that it took.</Text>
      <Failure error={disown.error} />
      <Button type="submit" color="red" loading={disown.isPending}>This was not me</Button>
    </Sheet>
  );
}
