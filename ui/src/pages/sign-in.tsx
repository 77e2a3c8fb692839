import { Anchor, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { postPlain } from "../api";
import { Failure } from "../parts/common";
import { PasskeyButton } from "../parts/passkeys";
import { ProviderButtons } from "../parts/providers";
import { SecondStep, type FirstStep } from "../parts/second-step";

// invitation: the token of its link, where signing in by another service accepts it.
export function SignInPage({ invitation }: { invitation?: string }) {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => postPlain<FirstStep>("/sessions", { email: email.trim(), password, client: "browser" }),
    onSuccess: (first) => (first.second_factor ? undefined : queries.resetQueries()),
  });
  if (signIn.data?.second_factor) return <SecondStep onDone={() => void queries.resetQueries()} onBack={() => { setPassword(""); signIn.reset(); }} />;
  return (
    <Paper withBorder p="lg" className="narrow" component="form"
           onSubmit={(e: React.FormEvent) => { e.preventDefault(); signIn.mutate(); }}>
      <Stack>
        <div><Title order={1} size="h3">Sign in to CloudAIPilot</Title>
          <Text c="dimmed" size="sm">With the e-mail address and password of your account.</Text></div>
        <TextInput label="E-mail" name="email" type="email" autoComplete="username" required autoFocus
                   value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
        <PasswordInput label="Password" name="password" autoComplete="current-password" required
                       value={password} onChange={(e) => setPassword(e.currentTarget.value)}
                       visibilityToggleButtonProps={{ "aria-label": "Show password", tabIndex: 0 }} />
        <Failure error={signIn.error} />
        <Button type="submit" loading={signIn.isPending}>Sign in</Button>
        <Anchor component={Link} href="/forgot" size="sm" underline="always">Forgot your password?</Anchor>
        <ProviderButtons {...(invitation && { invitation })} />
        <PasskeyButton onDone={() => void queries.resetQueries()} />
      </Stack>
    </Paper>
  );
}
