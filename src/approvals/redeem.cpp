// redeem.cpp: from an approval to a warrant, and the ends of an approval.
#include "base/log.h"
#include "crypto/hash.h"
#include "outbox/outbox.h"
#include "parts.h"

namespace caip::approvals {
namespace {

constexpr const char* kGone = "somebody whom it rested on left, or has another role, or it was not them";
constexpr const char* kMoved = "whether the server counts as production has changed since";

// The rights as they are now, not as they were when the proposal or the decision was made.
Result<Member> still_may(const World& world, storage::Reader& tx, const UserId& user, const Approval& a, Permission needs, std::string_view who) {
  auto member = world.member_within(tx, a.org, user);
  if (!member || member->org != a.org) return fail(Code::forbidden, "the " + std::string(who) + " has no access any more");
  if (!granted(member->role, needs))
    return fail(Code::forbidden, "the " + std::string(who) + ", now a " + std::string(text(member->role)) + ", lacks " +
                                     std::string(text(needs)));
  return *std::move(member);
}

}  // namespace

Result<void> ApprovalGate::Parts::still_decides(storage::Reader& tx, const UserId& user, const Approval& a, std::string_view who) const {
  CAIP_TRY(member, still_may(world, tx, user, a, needs_of(widen(a.action)), who));
  if (!granted(member.role, Permission::approval_decide)) return fail(Code::forbidden, "the " + std::string(who) + " may no longer decide");
  return {};
}

Result<Member> ApprovalGate::Parts::people(storage::Reader& tx, const Approval& a) const {
  CAIP_TRY(requester, still_may(world, tx, a.requester, a, needs_of(widen(a.action)), "requester"));
  CAIP_CHECKED(still_decides(tx, a.decided_by.value(), a, "approver"));
  CAIP_CHECKED(by_enough(tx, a));
  return requester;
}

Result<Warrant> ApprovalGate::redeem(storage::WriteTx& tx, const ApprovalId& id, const OperationId& operation) {
  Parts& p = *parts_;
  CAIP_TRY(a, p.must_find(tx, id));
  if (a.state != State::approved) return fail(Code::already_decided, "it is " + std::string(text(a.state)) + " already");
  if (p.clock.now() >= a.expires_at) return fail(Code::expired, "the approval has expired");
  CAIP_TRY(turn, p.its_turn(tx, a));
  if (!turn) return fail(Code::in_progress, "a step of the plan before it has not completed as planned");
  CAIP_TRY(off, p.switched_off(tx, a));
  if (off) return std::unexpected(*std::move(off));
  if (encode(a.action) != a.bytes || crypto::sha256(caip::view(a.bytes)) != a.digest)
    return fail(Code::digest_mismatch, "what was approved is not what stands there");
  CAIP_TRY(requester, p.people(tx, a));
  const auto target = p.world.target(server_of(a));
  if (!target || target->org != a.org) return fail(Code::not_found, "the server is gone");
  CAIP_TRY(production, p.world.production_within(tx, a.org, server_of(a)));
  if (production != a.production) return fail(Code::forbidden, kMoved);

  a.operation = operation;
  CAIP_CHECKED(p.move(tx, a, Event::redeem));
  Principal who;
  who.source = Source::pilot;
  who.org = a.org;
  who.user = a.requester;
  who.role = requester.role;
  return Warrant(Badge<ApprovalGate>{}, a.id, a.action, a.bytes, a.digest, std::move(who), a.first_by.value_or(*a.decided_by), a.expires_at,
                 a.first_by ? a.decided_by : std::nullopt);
}

Result<std::expected<Passed, Error>> ApprovalGate::passes(const ApprovalId& id) {
  auto tx = parts_->db.begin_read();
  CAIP_TRY(a, parts_->must_find(tx, id));
  CAIP_TRY(now, parts_->stand(tx, a));
  if (auto off = now.shut()) return std::expected<Passed, Error>(std::unexpect, *std::move(off));
  if (now.write.production != a.production) return std::expected<Passed, Error>(std::unexpect, Error{Code::forbidden, kMoved});
  if (!a.outcome.empty()) return std::expected<Passed, Error>(std::unexpect, Error{Code::forbidden, a.outcome});  // somebody's authority ended (end_of)
  if (auto people = parts_->people(tx, a); !people) {
    if (people.error().code != Code::forbidden) return std::unexpected<Error>(std::move(people).error());
    return std::expected<Passed, Error>(std::unexpect, std::move(people).error());
  }
  CAIP_TRY(two, parts_->asks_for_two(tx, a));
  return std::expected<Passed, Error>(Passed{std::move(now.settings), now.write, a.second_person || two, a.first_by ? a.decided_by : std::nullopt});
}

Result<void> ApprovalGate::finish(storage::WriteTx& tx, const ApprovalId& id, bool ok, std::string outcome, std::string surprise) {
  auto found = parts_->must_find(tx, id);
  if (!found && found.error().code != Code::storage_failed && found.error().code != Code::not_found)  // it cannot be read, and its order ends all the same
    return table::end_unreadable(tx, id.str(), outcome);
  CAIP_TRY(a, std::move(found));
  a.outcome = std::move(outcome);
  if (a.plan && ok) a.surprise = std::move(surprise);
  return parts_->move(tx, a, ok ? Event::succeed : Event::fail);
}

void ApprovalGate::updated(const ApprovalId& id) {
  if (auto a = find(id)) parts_->tell(*a);
}

Result<void> ApprovalGate::block(const ApprovalId& id, const Error& why) {
  return parts_->end(id, Event::block, audit::Ending::blocked, why.detail.empty() ? std::string(code_title(why.code)) : why.detail);
}

Result<void> ApprovalGate::Parts::end(const ApprovalId& id, Event event, audit::Ending ending, const std::string& outcome) {
  auto tx = db.begin_write();
  CAIP_TRY(a, must_find(tx, id));
  a.outcome = outcome;
  CAIP_CHECKED(move(tx, a, event));
  auto permit = authorizer.authorize_system(ExpireApproval{id}, a.org);
  if (!permit) return fail(Code::internal, permit.error().reason);
  CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
  json::object detail{{"approval", id.str()}, {"digest", hex(a.digest)}, {"reason", outcome}};
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.result = ending, .detail = std::move(detail)}));
  static_cast<void>(receipt);
  tell(a);
  return {};
}

Result<void> ApprovalGate::Parts::end_within(storage::WriteTx& tx, Approval& a, Event event, audit::Ending ending, const std::string& why) const {
  CAIP_CHECKED(move(tx, a, event));
  auto permit = authorizer.authorize_system(ExpireApproval{a.id}, a.org);
  if (!permit) return fail(Code::internal, permit.error().reason);
  CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
  CAIP_CHECKED(ledger.append(tx, std::move(spent), {.result = ending, .detail = {{"approval", a.id.str()}, {"digest", hex(a.digest)}, {"reason", why}}}));
  return {};
}

std::function<void()> ApprovalGate::Parts::tell_later(const std::vector<Approval>& ended) {
  return [this, ended] {
    for (const Approval& a : ended) tell(a);
  };
}

Result<std::function<void()>> ApprovalGate::end_of(storage::WriteTx& tx, const OrgId& org, const UserId& user) {
  CAIP_TRY(open, table::undone_of(tx, org, user));
  for (Approval& a : open) {
    a.outcome = "its requester left, or has another role";
    CAIP_CHECKED(parts_->end_within(tx, a, Event::expire, audit::Ending::expired, a.outcome));
  }
  CAIP_TRY(others, table::undone_of(tx, org, std::nullopt));
  for (Approval& a : others) {
    if (a.first_by != user && a.decided_by != user) continue;
    if (a.state == State::half_approved) CAIP_CHECKED(parts_->lapse(tx, a));
    else {
      a.outcome = kGone;
      CAIP_CHECKED(parts_->end_within(tx, a, Event::block, audit::Ending::blocked, a.outcome));
    }
    open.push_back(std::move(a));
  }
  CAIP_TRY(running, table::in_state(tx, State::executing));
  for (const Approval& a : running)  // its order may not have been sent yet: then it is not
    if (a.org == org && (a.requester == user || a.first_by == user || a.decided_by == user)) CAIP_CHECKED(table::hold(tx, a.id, kGone));
  return parts_->tell_later(open);
}

Result<std::function<void()>> ApprovalGate::deny_all(storage::WriteTx& tx, const OrgId& org, const std::optional<UserId>& by, const std::string& why, const Which& which) {
  CAIP_TRY(open, table::undone_of(tx, org, std::nullopt));
  if (which) std::erase_if(open, [&](const Approval& a) { return !which(a); });
  for (Approval& a : open) {
    const bool open_still = undecided(a.state);
    if (open_still) {
      a.decided_by = by;
      a.decided_at = parts_->clock.now();
    }
    (open_still ? a.reason : a.outcome) = why;
    CAIP_CHECKED(open_still ? parts_->end_within(tx, a, Event::deny, audit::Ending::denied, why)
                           : parts_->end_within(tx, a, Event::block, audit::Ending::blocked, why));
  }
  return parts_->tell_later(open);
}

Result<void> ApprovalGate::hold(storage::WriteTx& tx, const OrgId& org, const std::string& why, const Which& which) {
  CAIP_TRY(running, table::in_state(tx, State::executing));
  for (const Approval& a : running)
    if (a.org == org && which(a)) CAIP_CHECKED(table::hold(tx, a.id, why));
  return {};
}

Result<void> ApprovalGate::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM approvals WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM plans WHERE org = ?1", org));
  return {};
}

// Without decoding what cannot be decoded.
void ApprovalGate::Parts::end_unreadable() const {
  auto found = [&] {
    auto tx = db.begin_read();
    return table::unreadable(tx);
  }();
  if (!found) return;
  for (const auto& one : *found) {
    constexpr std::string_view kWhy = "what stands in the database is no approval that can be read";
    log::error("an approval that cannot be read is ended", {{"approval", one.id}, {"why", one.why}});
    auto tx = db.begin_write();
    const auto id = ApprovalId::parse(one.id);
    const auto org = OrgId::parse(one.org);
    auto permit = authorizer.authorize_system(ExpireApproval{id.value_or(ApprovalId{IdBytes{}})}, org ? std::optional(*org) : std::nullopt);
    if (!permit || !table::end_unreadable(tx, one.id, kWhy)) continue;
    if (org && !outbox::raise(tx, {.kind = EventKind::approval_expired, .org = *org, .subject = "a proposal that cannot be read", .link = one.id}, clock.now())) continue;
    auto spent = std::move(*permit).spend(clock.now());
    if (spent) static_cast<void>(ledger.commit(std::move(tx), *std::move(spent), {.result = audit::Ending::blocked, .detail = {{"reason", kWhy}}}));
  }
}

void ApprovalGate::expire_due() {
  parts_->end_unreadable();
  parts_->hold_due();  // before what is late: what it waited for is why it ends
  for (const State state : kUndone) {
    auto open = in_state(state);
    if (!open) continue;
    for (const Approval& a : *open)
      if (parts_->clock.now() >= a.expires_at)  // somebody faster is no harm
        static_cast<void>(parts_->end(a.id, Event::expire, audit::Ending::expired, "nobody allowed it in time"));
  }
}

}  // namespace caip::approvals
