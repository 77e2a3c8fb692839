// First use: the one-time token arrives in the fragment, which never leaves the browser by itself.
import { Alert, Anchor, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { get, postPlain } from "../api";
import { Failure, Waiting } from "../parts/common";

const fromFragment = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
// Out of the address bar and the history as soon as it is read.
if (fromFragment && window.location.pathname === "/setup") history.replaceState(null, "", "/setup");

export function SetupPage() {
  const [, go] = useLocation();
  const queries = useQueryClient();
  const needed = useQuery({ queryKey: ["setup"], queryFn: () => get<{ needed: boolean }>("/setup") });
  const [form, setForm] = useState({ token: fromFragment, email: "", password: "", again: "", organization: "" });
  const set = (k: keyof typeof form) => (e: React.ChangeEvent<HTMLInputElement>) => {
    const value = e.currentTarget.value;
    setForm((f) => ({ ...f, [k]: value }));
  };
  const differs = form.again !== "" && form.again !== form.password;
  const create = useMutation({
    mutationFn: async () => {
      const email = form.email.trim();
      await postPlain("/setup", { token: form.token.trim(), email, password: form.password, organization: form.organization.trim() });
      await postPlain("/sessions", { email, password: form.password, client: "browser" });
    },
    onSuccess: async () => { await queries.resetQueries(); go("/servers", { replace: true }); },
  });
  const toggle = { visibilityToggleButtonProps: { "aria-label": "Show password", tabIndex: 0 } };

  if (needed.isPending) return <Waiting what="set-up" />;
  if (needed.data && !needed.data.needed && !create.isPending && !create.isSuccess)
    return (
      <Alert className="narrow" color="gray" title="Set-up is done">
        This CloudAIPilot already has its Owner. <Anchor href="/" underline="always">Sign in</Anchor>
      </Alert>
    );
  return (
    <Paper withBorder p="lg" className="narrow" component="form"
           onSubmit={(e: React.FormEvent) => { e.preventDefault(); if (form.again === form.password) create.mutate(); }}>
      <Stack>
        <div><Title order={1} size="h3">Welcome to CloudAIPilot</Title>
          <Text c="dimmed" size="sm">Create the Owner: the account that may do everything and can add the others.</Text></div>
        {(!fromFragment || create.error) && (
          <PasswordInput label="Set-up token" name="token" required value={form.token} onChange={set("token")} {...toggle}
                         description="Printed when the server started; also in the file setup-token of its data folder." />
        )}
        <TextInput label="E-mail" name="email" type="email" autoComplete="username" required autoFocus value={form.email} onChange={set("email")} />
        <PasswordInput label="Password" name="password" autoComplete="new-password" required minLength={15}
                       description="At least 15 characters: four or five words do well."
                       value={form.password} onChange={set("password")} {...toggle} />
        <PasswordInput label="Password again" name="again" autoComplete="new-password" required value={form.again} onChange={set("again")}
                       error={differs ? "The two passwords differ." : null} {...toggle} />
        <TextInput label="Organisation" name="organization" required maxLength={64} value={form.organization} onChange={set("organization")} />
        <Failure error={create.error ?? needed.error} />
        <Button type="submit" loading={create.isPending}>Create the Owner</Button>
      </Stack>
    </Paper>
  );
}
