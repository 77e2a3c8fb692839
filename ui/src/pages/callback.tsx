// Where a provider sends the browser back to. The code leaves the address at once and goes to the server
// in a POST: nothing happens by a link alone.
import { Anchor, Alert, Button, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { useLocation } from "wouter";
import { get, postPlain, Problem } from "../api";
import { Waiting } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { takePurpose } from "../parts/providers";
import { SecondStep, type FirstStep } from "../parts/second-step";
import { codeOf } from "../parts/step-up";

const prefix = "/sign-in/callback/";
const isCallback = window.location.pathname.startsWith(prefix);
const returned = new URLSearchParams(isCallback ? window.location.search : "");
const purpose = isCallback ? takePurpose() : "sign-in";
if (isCallback) history.replaceState(null, "", window.location.pathname);

const texts = ["state", "code", "error", "iss"] as const;
function body(provider: string, factorCode: string) {
  const out: Record<string, string> = { provider, state: "", ...(factorCode && { factor_code: factorCode }) };
  for (const name of texts) { const value = returned.get(name); if (value !== null) out[name] = value; }
  return out;
}

const finished = { "sign-in": "/sign-in/callbacks", link: "/account/identities", "step-up": "/session/step-up/callbacks", invitation: "/invitations/callbacks" };
const words = {
  "sign-in": { waiting: "your session", failed: "You are not signed in", href: "/", back: "Back to sign-in" },
  link: { waiting: "the linked account", failed: "The account was not linked", href: "/account", back: "Back to Account security" },
  invitation: { waiting: "your place in the organisation", failed: "The invitation was not accepted", href: "/", back: "To the sign-in" },
  "step-up": { waiting: "the proof that it is you", failed: "It was not shown that it is you", href: "/", back: "Back" },
};

export function CallbackPage({ provider }: { provider: string }) {
  const [, go] = useLocation();
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const ways = useQuery({ queryKey: ["step-up-ways"], queryFn: () => get<{ code: boolean; app: boolean }>("/session/step-up"), enabled: purpose === "step-up", gcTime: 0 });
  const complete = purpose !== "step-up" || (ways.data !== undefined && (!ways.data.code || code !== ""));
  const finish = useQuery({  // once, however often this is drawn
    queryKey: ["callback"], retry: false, staleTime: Infinity, refetchOnWindowFocus: false, enabled: complete,
    queryFn: () => postPlain<{ next?: string } & FirstStep>(finished[purpose], body(provider, code)),
  });
  const leave = useCallback((next: string) => {
    go(next, { replace: true });
    void queries.resetQueries({ predicate: (q) => q.queryKey[0] !== "callback" });
  }, [go, queries]);
  useEffect(() => { if (finish.data?.next && purpose !== "step-up") leave(finish.data.next); }, [finish.data, leave]);
  if (finish.data?.next && purpose === "step-up") return <SteppedUp onGo={() => leave(finish.data.next ?? "/")} />;
  if (finish.data?.second_factor) return <SecondStep onDone={() => leave("/")} onBack={() => leave("/")} />;
  if (ways.error ?? finish.error) return <DidNotWork error={(ways.error ?? finish.error)!} />;
  if (ways.data && !complete) return <CodeToo about={codeOf(ways.data)} onCode={setCode} />;
  return <Waiting what={words[purpose].waiting} />;
}

function CodeToo({ about, onCode }: { about: string; onCode: (code: string) => void }) {
  const [code, setCode] = useState("");
  return (
    <Paper withBorder p="lg" className="narrow" component="form" onSubmit={(e: React.FormEvent) => { e.preventDefault(); onCode(code.trim()); }}>
      <Stack>
        <Title order={1} size="h3">And a code</Title>
        <TextInput label="Code" description={about} name="code" required autoFocus autoComplete="one-time-code"
                   value={code} onChange={(e) => setCode(e.currentTarget.value)} />
        <Button type="submit">Continue</Button>
      </Stack>
    </Paper>
  );
}

// What was about to be done is not done by coming back: that would be a page of another site acting.
function SteppedUp({ onGo }: { onGo: () => void }) {
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Title order={1} size="h3">It is you</Title>
        <Text size="sm">For five minutes nothing asks again. Go back and do once more what you were about to do.</Text>
        <Button autoFocus onClick={onGo}>Go back</Button>
      </Stack>
    </Paper>
  );
}

function DidNotWork({ error }: { error: Error }) {
  const detail = error instanceof Problem && error.detail ? error.detail : error.message;
  const said = words[purpose];
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Title order={1} size="h3">{said.failed}</Title>
        <Alert color="red" variant="light" role="alert" title="It did not work">
          <Text size="sm"><Foreign text={detail} /></Text>
          {error instanceof Problem && <Text size="xs" c="dimmed"><Foreign text={`${error.code} · ${error.requestId}`} /></Text>}
        </Alert>
        <Anchor href={said.href} underline="always">{said.back}</Anchor>
      </Stack>
    </Paper>
  );
}
