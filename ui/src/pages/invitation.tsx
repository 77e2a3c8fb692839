// Where an invitation's link leads. The token arrives in the fragment, which browsers do not send;
// looking at the page changes nothing, only the button does.
import { Alert, Anchor, Button, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, postPlain, Problem, type Offer, type Session } from "../api";
import { Ago, Failure, Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { ProviderButtons } from "../parts/providers";
import { SignInPage } from "./sign-in";

const token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
// Out of the address bar and the history as soon as it is read.
if (token && window.location.pathname === "/invitation") history.replaceState(null, "", "/invitation");

export function InvitationPage() {
  const offer = useQuery({ queryKey: ["offer"], queryFn: () => postPlain<Offer>("/invitations/look", { token }), enabled: token !== "", retry: false });
  if (!token) return <Alert className="narrow" color="gray" title="No invitation">Open the whole link that you were sent, to its last character. If you have joined already, <Anchor href="/" underline="always">sign in</Anchor>.</Alert>;
  if (offer.error) return <Stack className="narrow"><Failure error={offer.error} /><Text>Whoever invited you can give you another link. If you have joined already, <Anchor href="/" underline="always">sign in</Anchor>.</Text></Stack>;
  if (!offer.data) return <Waiting what="the invitation" />;
  return offer.data.has_account ? <Join offer={offer.data} /> : <NewAccount offer={offer.data} />;
}

function Words({ offer: o }: { offer: Offer }) {
  return (
    <div>
      <Title order={1} size="h3">Join <Foreign text={o.organization} /></Title>
      <Text c="dimmed" size="sm"><Foreign text={o.invited_by} /> invites <b><Foreign text={o.email} /></b> as {o.role}. The invitation is for this address alone, works once, and ends <Ago at={o.expires_at} />.</Text>
    </div>
  );
}

function NewAccount({ offer: o }: { offer: Offer }) {
  const [password, setPassword] = useState("");
  const accept = useMutation({
    mutationFn: async () => {
      await postPlain("/invitations/accept", { token, password });
      await postPlain("/sessions", { email: o.email, password, client: "browser" });
    },
    onSuccess: () => window.location.assign("/"),
  });
  return (
    <Paper withBorder p="lg" className="narrow" component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); accept.mutate(); }}>
      <Stack>
        <Words offer={o} />
        <input type="hidden" name="email" autoComplete="username" value={o.email} />
        <PasswordInput label="Password" name="password" autoComplete="new-password" required value={password} onChange={(e) => setPassword(e.currentTarget.value)}
                       description="Of the account that is made for you: at least 15 characters, four or five words do well. If this address has an account that belongs to no organisation, its password."
                       visibilityToggleButtonProps={{ "aria-label": "Show password", tabIndex: 0 }} />
        <Failure error={accept.error} />
        <Button type="submit" loading={accept.isPending}>Join</Button>
        <ProviderButtons invitation={token} />
      </Stack>
    </Paper>
  );
}

function Join({ offer: o }: { offer: Offer }) {
  const session = useQuery({ queryKey: ["session"], queryFn: () => get<Session>("/session"), retry: false });
  const join = useMutation({
    mutationFn: async () => {
      const joined = await post<{ organization: { id: string } }>("/invitations/join", { token });
      await postPlain("/session/organization", { organization_id: joined.organization.id });
    },
    onSuccess: () => window.location.assign("/"),
  });
  if (session.isPending) return <Waiting what="your session" />;
  if (session.error instanceof Problem && session.error.status === 401)
    return <Stack><Paper className="narrow"><Words offer={o} /><Text mt="sm">Sign in as <b><Foreign text={o.email} /></b> first.</Text></Paper><SignInPage invitation={token} /></Stack>;
  if (!session.data) return <Failure error={session.error} />;
  const right = session.data.user.email === o.email;
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Words offer={o} />
        {!right && <Text>You are signed in as <b><Foreign text={session.data.user.email} /></b>. <Anchor href="/" underline="always">Sign out</Anchor>, then open the link again.</Text>}
        <Failure error={join.error} />
        {right && <Button loading={join.isPending} onClick={() => join.mutate()}>Join</Button>}
      </Stack>
    </Paper>
  );
}
