// Routes and the frame around the pages.
import { ActionIcon, Anchor, Badge, Button, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";
import { get, getAll, may, Problem, remove, showOrganization, type Approval, type Session } from "./api";
import { LiveProvider, useLive, usePoll } from "./live";
import { AccountPage } from "./pages/account";
import { ApprovalPage, ApprovalsPage, PlanPage } from "./pages/approvals";
import { AuditPage } from "./pages/audit";
import { CallbackPage } from "./pages/callback";
import { CommandLinePage } from "./pages/command-line";
import { InvitationPage } from "./pages/invitation";
import { ConfirmEmailPage, ForgotPage, NotMePage, ResetPage } from "./pages/letters";
import { NotificationsPage } from "./pages/notifications";
import { OrganizationsPage } from "./pages/organizations";
import { PilotPage } from "./pages/pilot";
import { SecretsPage } from "./pages/secrets";
import { ServerPage } from "./pages/server";
import { ServersPage } from "./pages/servers";
import { SitePage, SitesPage } from "./pages/sites";
import { SetupPage } from "./pages/setup";
import { SignInPage } from "./pages/sign-in";
import { TeamPage } from "./pages/team";
import { Failure, Fence, Page, Waiting } from "./parts/common";
import { Foreign } from "./parts/foreign";
import { StepUpDialog } from "./parts/step-up";
import { SessionContext, useSession } from "./session";

export function App() {
  const [path] = useLocation();
  if (path === "/setup") return <Plain><SetupPage /></Plain>;
  const back = path.match(/^\/sign-in\/callback\/([a-z0-9-]{1,32})$/);
  if (back?.[1]) return <Plain><CallbackPage provider={back[1]} /></Plain>;
  if (path === "/forgot") return <Plain><ForgotPage /></Plain>;
  if (path === "/reset") return <Plain><ResetPage /></Plain>;
  if (path === "/not-me") return <Plain><NotMePage /></Plain>;
  if (path === "/confirm-email") return <Plain><ConfirmEmailPage /></Plain>;
  if (path === "/invitation") return <Plain><InvitationPage /></Plain>;
  return <SignedIn />;
}

async function readSession() {
  const session = await get<Session>("/session");
  showOrganization(session.organization.id);
  return session;
}

function SignedIn() {
  const session = useQuery({ queryKey: ["session"], queryFn: readSession, staleTime: 60_000 });
  const setup = useQuery({
    queryKey: ["setup"], queryFn: () => get<{ needed: boolean }>("/setup"),
    enabled: session.error instanceof Problem && session.error.status === 401,
  });
  if (session.error instanceof Problem && session.error.status === 401) {
    if (setup.data?.needed) return <Redirect to="/setup" />;
    return <Plain><SignInPage /></Plain>;
  }
  if (!session.data)
    return <Plain>{session.error ? <Failure error={session.error} /> : <Waiting what="your session" />}</Plain>;
  return (
    <SessionContext.Provider value={session.data}>
      <LiveProvider><Frame><Pages /></Frame></LiveProvider>
      <StepUpDialog />
    </SessionContext.Provider>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/"><Redirect to="/servers" /></Route>
      <Route path="/servers"><ServersPage /></Route>
      <Route path="/servers/:id">{(p) => <ServerPage key={p.id} id={p.id} />}</Route>
      <Route path="/sites"><SitesPage /></Route>
      <Route path="/sites/:id">{(p) => <SitePage key={p.id} id={p.id} />}</Route>
      <Route path="/pilot"><PilotPage id={null} /></Route>
      <Route path="/pilot/:id">{(p) => <PilotPage id={p.id} />}</Route>
      <Route path="/approvals"><ApprovalsPage /></Route>
      <Route path="/approvals/:id">{(p) => <ApprovalPage id={p.id} />}</Route>
      <Route path="/plans/:id">{(p) => <PlanPage id={p.id} />}</Route>
      <Route path="/secrets"><SecretsPage part="values" /></Route>
      <Route path="/secrets/ssh"><SecretsPage part="ssh" /></Route>
      <Route path="/secrets/keys"><SecretsPage part="keys" /></Route>
      <Route path="/notifications"><NotificationsPage part="inbox" /></Route>
      <Route path="/notifications/channels"><NotificationsPage part="channels" /></Route>
      <Route path="/notifications/deliveries"><NotificationsPage part="deliveries" /></Route>
      <Route path="/members"><TeamPage part="members" /></Route>
      <Route path="/members/:part">{(p) => <TeamPage part={p.part} />}</Route>
      <Route path="/organizations"><OrganizationsPage /></Route>
      <Route path="/audit"><AuditPage /></Route>
      <Route path="/account"><AccountPage /></Route>
      <Route path="/command-line"><CommandLinePage /></Route>
      <Route><Page title="Not found"><Text>There is nothing at this address. <Anchor component={Link} href="/servers" underline="always">To the servers</Anchor></Text></Page></Route>
    </Switch>
  );
}

function Plain({ children }: { children: ReactNode }) {
  return <><div className="plain-tools"><SchemeButton /></div><main className="plain">{children}</main></>;
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });  // or else: a style element
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon variant="default" size="lg" onClick={() => setColorScheme(dark ? "light" : "dark")}
                aria-label={dark ? "Use light colours" : "Use dark colours"}>
      <span aria-hidden>{dark ? "☀" : "☾"}</span>
    </ActionIcon>
  );
}

function LiveMark() {
  const { state } = useLive();
  const text = state === "live" ? "live" : state === "stale" ? "stale, reconnecting" : "connecting";
  return <Badge role="status" variant="light" color={state === "live" ? "green" : state === "stale" ? "orange" : "gray"}>{text}</Badge>;
}

function NavLink({ to, children }: { to: string; children: ReactNode }) {
  const [path] = useLocation();
  const here = path === to || path.startsWith(`${to}/`);
  return <Link href={to} className="nav-link" aria-current={here ? "page" : undefined}>{children}</Link>;
}

function PendingCount() {
  const pending = useQuery({
    queryKey: ["approvals", "waiting"], refetchInterval: usePoll(),
    queryFn: () => Promise.all(["pending", "half_approved"].map((s) => getAll<Approval>(`/approvals?state=${s}`))),
  });
  const n = (pending.data ?? []).reduce((sum, list) => sum + list.data.length, 0);
  return n > 0 ? <Badge circle color="orange" variant="light" ml={6} aria-label={`${n} waiting`}>{n}</Badge> : null;
}

/** The bell: how many notices are unread; it leads to them. */
function Bell() {
  const unread = useQuery({ queryKey: ["unread"], queryFn: () => get<{ unread: number }>("/notifications/inbox/unread"), refetchInterval: usePoll() });
  const n = unread.data?.unread ?? 0;
  const many = n > 99 ? "99+" : String(n);  // the name says what is seen
  return (
    <Link href="/notifications" className="bell" aria-label={n > 0 ? `Notifications, ${many} unread` : "Notifications, none unread"}>
      <svg aria-hidden="true" width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2"><path d="M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4" /></svg>{n > 0 && <Badge size="sm" color="red" variant="filled" aria-hidden>{many}</Badge>}
    </Link>
  );
}

function Frame({ children }: { children: ReactNode }) {
  const session = useSession();
  const queries = useQueryClient();
  const [path, go] = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {  // keyboard and screen reader start at the new page, not where the old one was left
    if (first.current) first.current = false; else main.current?.focus();
  }, [path]);
  const signOut = async () => {
    await remove("/session").catch(() => undefined);
    queries.clear();
    go("/");
    window.location.reload();
  };
  return (
    <>
      <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>Skip to content</a>
      <header className="top">
        <Link href="/servers" className="brand"><img src="/favicon.svg" alt="" width="24" height="24" /> CloudAIPilot</Link>
        <nav aria-label="Main">
          <NavLink to="/servers">Servers</NavLink>
          {may(session, "site.view") && <NavLink to="/sites">Sites</NavLink>}
          {may(session, "pilot.use") && <NavLink to="/pilot">Pilot</NavLink>}
          {may(session, "approval.view") && <NavLink to="/approvals">Approvals<PendingCount /></NavLink>}
          {may(session, "secret.view") && <NavLink to="/secrets">Secrets</NavLink>}
          {may(session, "member.view") && <NavLink to="/members">Team</NavLink>}
          {may(session, "audit.view") && <NavLink to="/audit">Audit</NavLink>}
          <NavLink to="/account">Account</NavLink>
        </nav>
        <div className="top-right">
          <LiveMark />
          <Bell />
          <Link href="/organizations" className="org" title={`${session.role} of this organisation; change it here`}><Foreign text={session.organization.name} /></Link>
          <span className="who" title={session.role}><Foreign text={session.user.email} /></span>
          <SchemeButton />
          <Button size="xs" variant="default" onClick={() => void signOut()}>Sign out</Button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}><Fence key={path}>{children}</Fence></main>
    </>
  );
}
