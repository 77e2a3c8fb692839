// Where `caip login --browser` sends its person: a yes lets that program in as them. The code for it goes to a port of
// this computer, in the address of a page that the program itself answers; without the program's verifier it is nothing.
// `caip factor add-passkey` and `caip identity link` send theirs here, too: first that is done, and then the same yes
// lets the program go on, whose session a new passkey ends.
import { Alert, Button, Code, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { get, postPlain } from "../api";
import { Failure, Waiting } from "../parts/common";
import { AddPasskey } from "../parts/factors";
import { Foreign } from "../parts/foreign";
import { canPasskey } from "../parts/passkeys";
import { useSignInMethods } from "../parts/providers";
import { LinkButton, type Identities } from "../parts/sign-in-methods";
import { useSession } from "../session";

type Errand = "passkey" | "link" | null;
interface Asked { challenge: string; state: string; port: number; errand: Errand }
interface Kept { asked: string; at: number; linked?: string[]; done?: true }  // linked: the identities there were before; done: the errand, also after a reload
const key = "caip-command-line";

function parse(text: string): Asked | null {
  const given = new URLSearchParams(text);
  const challenge = given.get("challenge") ?? "", state = given.get("state") ?? "", port = Number(given.get("port"));
  const random = /^[A-Za-z0-9_-]{43}$/;
  const wanted = given.get("for");
  if (wanted !== null && wanted !== "passkey" && wanted !== "link") return null;
  return random.test(challenge) && random.test(state) && Number.isInteger(port) && port >= 1024 && port <= 65535 ? { challenge, state, port, errand: wanted } : null;
}

// Out of the address bar as soon as it is read; kept in this tab over a sign-in that leaves the page, for as long as the
// program waits. The newest link counts, also one that is pasted over an older one.
const patience = 5 * 60_000;
const keep = (k: Kept) => sessionStorage.setItem(key, JSON.stringify(k));
function kept(): Kept | null {
  try { return JSON.parse(sessionStorage.getItem(key) ?? "null") as Kept | null; } catch { return null; }
}
function read(): boolean {
  if (window.location.pathname !== "/command-line" || !window.location.hash) return false;
  keep({ asked: window.location.hash.slice(1), at: Date.now() });
  history.replaceState(null, "", "/command-line");
  return true;
}
read();

function waiting(): Asked | null {
  const k = kept();
  return k && Date.now() - k.at < patience ? parse(k.asked) : null;
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

const deny = (asked: Asked) => leave(asked, { error: "access_denied" });

function OnlyIf({ asked }: { asked: Asked }) {
  return <Alert color="orange" variant="light" title={<>Only if your terminal shows <Code>{check(asked)}</Code></>}>If you have not just started it yourself, or somebody sent you here, deny it. Nothing happens then.</Alert>;
}

function First({ asked, title, children }: { asked: Asked; title: string; children: React.ReactNode }) {
  const session = useSession();
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Title order={1} size="h3">{title}</Title>
        <Text>The program <Code>caip</Code> on this computer asked for it, for <b><Foreign text={session.user.email} /></b>, and waits for the end of it.</Text>
        <OnlyIf asked={asked} />
        {children}
        <Group><Button variant="default" onClick={() => deny(asked)}>Deny</Button></Group>
      </Stack>
    </Paper>
  );
}

function PasskeyFirst({ asked, onDone }: { asked: Asked; onDone: () => void }) {
  return (
    <First asked={asked} title="Add a passkey">
      {canPasskey() ? <AddPasskey onDone={onDone} /> : <Alert color="red" variant="light" title="This browser makes no passkeys">Open the same address in another browser on this computer.</Alert>}
    </First>
  );
}

// The other service's page is another page: what was linked before is remembered over it.
function LinkFirst({ asked, onDone }: { asked: Asked; onDone: () => void }) {
  const linked = useQuery({ queryKey: ["identities"], queryFn: () => get<Identities>("/account/identities") });
  const offered = useSignInMethods();
  const ids = linked.data?.identities.map((i) => i.id);
  useEffect(() => {
    const k = kept();
    if (!ids || !k) return;
    if (!k.linked) keep({ ...k, linked: ids });
    else if (ids.some((id) => !k.linked?.includes(id))) onDone();
  }, [ids, onDone]);
  return (
    <First asked={asked} title="Link an account at another service">
      <Failure error={linked.error ?? offered.error} />
      {(linked.isPending || offered.isPending) && <Waiting what="the services" />}
      {offered.data?.providers.length === 0 && <Alert color="gray" title="No other service is set up here">Whoever runs this control plane configures them: see the chapter on sign-in of the documentation.</Alert>}
      {linked.data && <Group gap="xs">{offered.data?.providers.map((p) => <LinkButton key={p.id} id={p.id} label={p.label} />)}</Group>}
    </First>
  );
}

const doneBefore = { passkey: "The passkey is added. Your other sessions have ended, and so has that of the program. ", link: "The account is linked. " };

export function CommandLinePage() {
  const session = useSession();
  const [asked, setAsked] = useState(waiting);
  const [done, setDone] = useState(() => kept()?.done === true);
  const onDone = useCallback(() => {
    const k = kept();
    if (k) keep({ ...k, done: true });
    setDone(true);
  }, []);
  useEffect(() => {
    const onHash = () => { if (read()) { setAsked(waiting()); setDone(false); } };
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
  if (asked.errand === "passkey" && !done) return <PasskeyFirst asked={asked} onDone={onDone} />;
  if (asked.errand === "link" && !done) return <LinkFirst asked={asked} onDone={onDone} />;
  return (
    <Paper withBorder p="lg" className="narrow">
      <Stack>
        <Title order={1} size="h3">Let the command line in?</Title>
        <Text>{asked.errand && doneBefore[asked.errand]}The program <Code>caip</Code> on this computer will be able to do all that you can do here, as <b><Foreign text={session.user.email} /></b>, until you sign it out or end its session under Account.</Text>
        <OnlyIf asked={asked} />
        <Failure error={allow.error} />
        <Group>
          <Button loading={allow.isPending || allow.isSuccess} onClick={() => allow.mutate(asked)}>Let it in</Button>
          <Button variant="default" onClick={() => deny(asked)}>Deny</Button>
        </Group>
      </Stack>
    </Paper>
  );
}
