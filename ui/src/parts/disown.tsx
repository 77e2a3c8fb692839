// "This was not me", of a session of one's own: from the session list, and from the notice of a new sign-in. What it does is
// said before it is done; it ends this session too, so the sign-in page is what comes then.
import { Button, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { act, get } from "../api";
import { Failure, Waiting } from "./common";

export function DisownButton({ session, label }: { session: string; label: string }) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Button size="xs" variant="default" color="red" aria-label={label} onClick={() => setAsking(true)}>This was not me</Button>
      <Modal opened={asking} onClose={() => setAsking(false)} title="This was not me" closeButtonProps={{ "aria-label": "Close" }}>
        {asking && <Ask session={session} />}
      </Modal>
    </>
  );
}

function Ask({ session }: { session: string }) {
  const methods = useQuery({ queryKey: ["identities"], queryFn: () => get<{ password: boolean }>("/account/identities") });
  const [form, setForm] = useState({ password: "", again: "" });
  const disown = useMutation({ mutationFn: () => act(`/sessions/${session}/disown`, form.password ? { password: form.password } : {}), onSuccess: () => window.location.assign("/") });
  const needed = methods.data?.password ?? false, differs = form.again !== "" && form.again !== form.password;
  const field = (k: keyof typeof form) => ({
    value: form[k], required: needed, autoComplete: "new-password", visibilityToggleButtonProps: { "aria-label": "Show password", tabIndex: 0 },
    onChange: (e: React.ChangeEvent<HTMLInputElement>) => { const value = e.currentTarget.value; setForm((f) => ({ ...f, [k]: value })); },
  });
  if (methods.isPending) return <Waiting what="how you sign in" />;
  return (
    <Stack component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); if (form.password === form.again) disown.mutate(); }}>
      <Text size="sm">All your sessions end, this one too. What was added to your account in that one is undone: second factors, linked services, API tokens, another
        address. The way in that it took is shut, and your invitations and proposals end. The Owners of your organisations are told.</Text>
      <PasswordInput label="New password" data-autofocus description={needed ? "At least 15 characters, and not the one of now: whoever signed in may know it." : "You have none. Choose one if that sign-in took your only way in."} {...field("password")} />
      <PasswordInput label="New password again" error={differs ? "The two passwords differ." : null} {...field("again")} />
      <Failure error={methods.error ?? disown.error} />
      <Button type="submit" color="red" loading={disown.isPending}>End everything and sign me out</Button>
    </Stack>
  );
}
