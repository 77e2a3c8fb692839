// Where `caip login --browser` sends its person: a yes lets that program in as them. The code for it goes to a port of
// this computer, in the address of a page that the program itself answers; without the program's verifier it is nothing.
import { Alert, Button, Code, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { postPlain } from "../api";
import { Failure } from "../parts/common";
import { Foreign } from "../parts/foreign";
import { useSession } from "../session";

interface Asked { challenge: string; state: string; port: number }
const key = "caip-command-line";

function parse(text: string): Asked | null {
  const given = new URLSearchParams(text);
  const challenge = given.get("challenge") ?? "", state = given.get("state") ?? "", port = Number(given.get("port"));
  const random = /^[A-Za-z0-9_-]{43}$/;
  return random.test(challenge) && random.test(state) && Number.isInteger(port) && port >= 1024 && port <= 65535 ? { challenge, state, port } : null;
}

// Out of the address bar as soon as it is read; kept in this tab over a sign-in that leaves the page, for as long as the
// program waits. The newest link counts, also one that is pasted over an older one.
const patience = 5 * 60_000;
function read(): boolean {
  if (window.location.pathname !== "/command-line" || !window.location.hash) return false;
  sessionStorage.setItem(key, JSON.stringify({ asked: window.location.hash.slice(1), at: Date.now() }));
  history.replaceState(null, "", "/command-line");
  return true;
}
read();

function waiting(): Asked | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? "") as { asked: string; at: number };
    return Date.now() - kept.at < patience ? parse(kept.asked) : null;
  } catch { return null; }
}

// The first eight digits of the challenge, as the terminal shows them.
function check({ challenge }: Asked): string {
  const bytes = atob(challenge.slice(0, 8).replaceAll("-", "+").replaceAll("_", "/"));
  const digits = [...bytes].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return `${digits.slice(0, 4)}-${digits.slice(4, 8)}`;
}

function leave(asked: Asked, answer: Record<string, string>) {
  sessionStorage.removeItem(key);
  window.location.replace(`http://127.0.0.1:${asked.port}/callback?${new URLSearchParams({ ...answer, state: asked.state })}`);
}

export function CommandLinePage() {
  const session = useSession();
  const [asked, setAsked] = useState(waiting);
  useEffect(() => {
    const onHash = () => { if (read()) setAsked(waiting()); };
    window.addEventListener("hashchange", onHash);
    return () => window.removeEventListener("hashchange", onHash);
  }, []);
  const allow = useMutation({
    mutationFn: (a: Asked) => postPlain<{ code: string }>("/session/hand-overs", { challenge: a.challenge }),
    onSuccess: ({ code }, a) => leave(a, { code }),
  });
  if (!asked) return <Alert className="narrow" color="gray" title="Nothing waits for you here">Run <Code>caip login --browser</Code> and open the whole address that it shows.</Alert>;
  // Cookies know no ports: the program's port on 127.0.0.1 would be sent those of a site that is there, too.
  if (window.location.hostname === "127.0.0.1") return <Alert className="narrow" color="orange" title="Not at this address">Open the page by the name of the machine, as https://localhost: at 127.0.0.1 your browser would show your session to other programs.</Alert>;
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Title order={1} size="h3">Let the command line in?</Title>
        <Text>The program <Code>caip</Code> on this computer will be able to do all that you can do here, as <b><Foreign text={session.user.email} /></b>, until you sign it out or end its session under Account.</Text>
        <Alert color="orange" variant="light" title={<>Only if your terminal shows <Code>{check(asked)}</Code></>}>If you have not just started it yourself, or somebody sent you here, deny it. Nothing happens then.</Alert>
        <Failure error={allow.error} />
        <Group>
          <Button loading={allow.isPending || allow.isSuccess} onClick={() => allow.mutate(asked)}>Let it in</Button>
          <Button variant="default" onClick={() => leave(asked, { error: "access_denied" })}>Deny</Button>
        </Group>
      </Stack>
    </Paper>
  );
}
