// Who works here, who is invited, who may do what, and which programs act for whom.
import { Tabs } from "@mantine/core";
import { useLocation } from "wouter";
import { Page } from "../parts/common";
import { useMay } from "../session";
import { Invitations } from "./invitations";
import { Members } from "./members";
import { Roles } from "./roles";
import { Tokens } from "./tokens";

export function TeamPage({ part }: { part: string }) {
  const [, go] = useLocation();
  const parts = [
    { value: "members", label: "Members", may: useMay("member.view"), panel: <Members /> },
    { value: "invitations", label: "Invitations", may: useMay("invitation.view"), panel: <Invitations /> },
    { value: "roles", label: "Roles", may: useMay("role.view"), panel: <Roles /> },
    { value: "tokens", label: "API tokens", may: useMay("token.own"), panel: <Tokens /> },
  ].filter((p) => p.may);
  const shown = parts.some((p) => p.value === part) ? part : "members";
  return (
    <Page title="Team">
      <Tabs value={shown} onChange={(v) => go(v === "members" ? "/members" : `/members/${v}`)} keepMounted={false}>
        <Tabs.List>{parts.map((p) => <Tabs.Tab key={p.value} value={p.value}>{p.label}</Tabs.Tab>)}</Tabs.List>
        {parts.map((p) => <Tabs.Panel key={p.value} value={p.value} pt="md">{p.panel}</Tabs.Panel>)}
      </Tabs>
    </Page>
  );
}
