// Where a provider sends the browser back to. The code leaves the address at once and goes to the server
// in a POST: nothing happens by a link alone.
import { Anchor, Alert, Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect } from "react";
import { useLocation } from "wouter";
import { postPlain, Problem } from "../api";
import { Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { takePurpose } from "../parts/providers";
import { SecondStep, type FirstStep } from "../parts/second-step";

const prefix = "/sign-in/callback/";
const isCallback = window.location.pathname.startsWith(prefix);
const returned = new URLSearchParams(isCallback ? window.location.search : "");
const purpose = isCallback ? takePurpose() : "sign-in";
if (isCallback) history.replaceState(null, "", window.location.pathname);

const texts = ["state", "code", "error", "iss"] as const;
function body(provider: string) {
  const out: Record<string, string> = { provider, state: "" };
  for (const name of texts) { const value = returned.get(name); if (value !== null) out[name] = value; }
  return out;
}

export function CallbackPage({ provider }: { provider: string }) {
  const [, go] = useLocation();
  const queries = useQueryClient();
  const finish = useQuery({  // once, however often this is drawn
    queryKey: ["callback"], retry: false, staleTime: Infinity, refetchOnWindowFocus: false,
    queryFn: () => postPlain<{ next?: string } & FirstStep>(purpose === "link" ? "/account/identities" : "/sign-in/callbacks", body(provider)),
  });
  const leave = useCallback((next: string) => {
    go(next, { replace: true });
    void queries.resetQueries({ predicate: (q) => q.queryKey[0] !== "callback" });
  }, [go, queries]);
  useEffect(() => { if (finish.data?.next) leave(finish.data.next); }, [finish.data, leave]);
  if (finish.data?.second_factor) return <SecondStep onDone={() => leave("/")} onBack={() => leave("/")} />;
  if (finish.error) return <DidNotWork error={finish.error} />;
  return <Waiting what={purpose === "link" ? "the linked account" : "your session"} />;
}

function DidNotWork({ error }: { error: Error }) {
  const detail = error instanceof Problem && error.detail ? error.detail : error.message;
  const back = purpose === "link" ? { href: "/account", text: "Back to Account security" } : { href: "/", text: "Back to sign-in" };
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Title order={1} size="h3">{purpose === "link" ? "The account was not linked" : "You are not signed in"}</Title>
        <Alert color="red" variant="light" role="alert" title="It did not work">
          <Text size="sm"><Foreign text={detail} /></Text>
          {error instanceof Problem && <Text size="xs" c="dimmed"><Foreign text={`${error.code} · ${error.requestId}`} /></Text>}
        </Alert>
        <Anchor href={back.href} underline="always">{back.text}</Anchor>
      </Stack>
    </Paper>
  );
}
