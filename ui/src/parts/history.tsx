// What happened to my account: sign-ins, what failed, what was changed, and by whom. Everything in it is foreign text.
import { Badge, Button, Group, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { get, type AccountEvent, type List } from "../api";
import { Ago, Failure, Waiting } from "./common";
import { Foreign } from "./foreign";

const words: Record<string, string> = {
  "owner.create": "The organisation was founded", "session.sign_in": "Sign-in with the password", "session.sign_in_with": "Sign-in with another service",
  "session.hand_over": "A program was let in from the browser", "session.sign_in_by_session": "Sign-in of a program, let in from the browser",
  "session.second_factor": "Second step, or passkey", "session.sign_out": "Sign-out", "session.step_up": "Proof that it is you", "session.end": "A session was ended",
  "session.end_others": "All other sessions were ended", "device.forget": "A device was forgotten", "session.switch_organization": "Switched organisation", "identity.link": "An account was linked",
  "identity.unlink": "An account was unlinked", "factor.add": "A second factor was added", "factor.remove": "A second factor was removed",
  "factor.reset": "Second factors were reset", "factor.reset_locally": "Second factors were reset on the machine", "factor.renew_recovery_codes": "New recovery codes",
  "account.change_password": "The password was changed", "account.request_reset": "A new password was asked for", "account.reset_password": "The password was reset",
  "account.request_verification": "A letter to confirm the address", "account.change_email": "Another e-mail address was asked for",
  "account.confirm_email": "The e-mail address was confirmed", "account.confirm_new_email": "The new e-mail address was confirmed", "account.disown_sign_in": "A sign-in was disowned", "session.disown": "A sign-in was disowned", "factor.rename": "A passkey was renamed", "member.add": "The account was made",
  "member.change_role": "The role was changed", "member.disable": "The account was disabled", "member.enable": "The account was enabled",
  "ownership.transfer": "Ownership was handed over", "invitation.accept": "The invitation was accepted", "invitation.join": "Joined the organisation",
  "token.create": "An API token was made", "token.revoke": "An API token was revoked",
};
const by = { self: "", other: "by somebody else", anonymous: "by nobody who was signed in", system: "on the machine itself" };

export function History() {
  const pages = useInfiniteQuery({
    queryKey: ["account-history"], initialPageParam: "",
    queryFn: ({ pageParam }) => get<List<AccountEvent>>(`/account/history?limit=20${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ""}`),
    getNextPageParam: (last) => last.next_cursor,
  });
  const all = pages.data?.pages.flatMap((p) => p.data) ?? [];
  return (
    <section aria-label="History">
      <Title order={2} size="h4" mb="xs">History</Title>
      <Text size="sm" c="dimmed">Sign-ins and changes of your account in this organisation, and what failed. Something that was not you? Say so at its session, above.</Text>
      <Failure error={pages.error} />
      {pages.isPending && <Waiting what="your history" />}
      <ul className="rows" aria-label="What happened to your account">{all.map((e) => <Event key={e.index} event={e} />)}</ul>
      {pages.data && all.length === 0 && <Text size="sm">Nothing among the newest entries.</Text>}
      {pages.hasNextPage && <Group mt="xs"><Button size="xs" variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>Show older</Button></Group>}
    </section>
  );
}

function Event({ event: e }: { event: AccountEvent }) {
  const bad = e.result === "blocked" || e.result === "failed";
  const facts = [e.what, by[e.by], e.address && `from ${e.address}`, e.reason].filter(Boolean).join(", ");
  return (
    <li>
      <div className="row-text">
        <b>{words[e.action] ?? <Foreign text={e.action} />}</b> {bad && <Badge variant="light" color="red">refused</Badge>}{e.result === "pending" && <Badge variant="light" color="gray">one step owed</Badge>}
        <Text size="sm" c="dimmed"><Ago at={e.at} />{facts && <>, <Foreign text={facts} /></>}</Text>
      </div>
    </li>
  );
}
