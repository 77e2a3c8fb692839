#include "auth/team.h"

#include "accounts_impl.h"
#include "outbox/outbox.h"

namespace caip::auth {
namespace {

// Nothing, or why this member must not go or be changed by somebody of that role.
std::optional<Error> unchangeable(const std::optional<MemberRow>& member, Role by, std::optional<std::int64_t> expected) {
  if (!member) return Error{Code::not_found, "no such member"};
  if (expected && *expected != member->version) return Error{Code::precondition_failed, "the member was changed meanwhile"};
  if (member->role > by) return Error{Code::forbidden, "a member of a higher role"};
  return std::nullopt;
}

}  // namespace

template <Action A, class Do>
Result<Receipt<A>> Team::change(Authorized<A>&& permit, std::optional<std::int64_t> expected, const Do& act) {
  auto& impl = *accounts_.impl_;
  const A action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<Error> no;
  std::function<void()> after;
  auto receipt = [&]() -> Result<Receipt<A>> {
    auto tx = impl.database.begin_write();
    CAIP_CHECKED(impl.still(tx, who));
    CAIP_TRY(member, listed_member(tx, *who.org, action.user));
    if ((no = unchangeable(member, who.role, expected))) return std::unexpected(*no);
    CAIP_TRY(told, act(tx, *member, now));
    after = std::move(told);
    return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", member->user.email.str()}, {"role", text(member->role)}}});
  }();
  if (no && no->code != Code::precondition_failed) return impl.refuse(action, who, no->code, no->detail, no->detail);
  if (receipt && after) after();
  return receipt;
}

template <Action A>
Result<Receipt<A>> Team::end_membership(Authorized<A>&& permit, std::optional<std::int64_t> expected) {
  auto& impl = *accounts_.impl_;
  return change(std::move(permit), expected, [&](storage::WriteTx& tx, const MemberRow& m, Instant now) -> Result<std::function<void()>> {
    CAIP_CHECKED(impl.keep_an_owner(tx, m));
    if constexpr (std::is_same_v<A, RemoveMember>) CAIP_CHECKED(impl.keep_who_restores(tx, m));
    CAIP_CHECKED(impl.drop_invitations(tx, m.org, m.user.email, now));
    CAIP_TRY(told, impl.end_authority(tx, m.org, m.user.id, now, true));
    CAIP_CHECKED(tx.exec("DELETE FROM memberships WHERE org = ?1 AND user = ?2", m.org, m.user.id));
    const char* how = std::is_same_v<A, LeaveOrganization> ? " (left)" : " (removed)";
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_removed, .org = m.org, .subject = m.user.email.str() + how}, now));
    return told;
  });
}

Result<Receipt<RemoveMember>> Team::remove(Authorized<RemoveMember>&& permit, std::int64_t expected) {
  if (permit.action().user == permit.principal().user) return fail(Code::conflict, "to go yourself, leave the organisation");
  return end_membership(std::move(permit), expected);
}

Result<Receipt<LeaveOrganization>> Team::leave(Authorized<LeaveOrganization>&& permit) { return end_membership(std::move(permit), std::nullopt); }

namespace {

Result<void> stamp(storage::WriteTx& tx, const MemberRow& m, std::optional<Instant> disabled) {
  CAIP_CHECKED(tx.exec("UPDATE memberships SET disabled = ?3, version = version + 1 WHERE org = ?1 AND user = ?2", m.org, m.user.id, disabled));
  return {};
}

}  // namespace

Result<Receipt<DisableMember>> Team::disable(Authorized<DisableMember>&& permit, std::int64_t expected) {
  auto& impl = *accounts_.impl_;
  return change(std::move(permit), expected, [&](storage::WriteTx& tx, const MemberRow& m, Instant now) -> Result<std::function<void()>> {
    if (m.disabled) return fail(Code::conflict, "this member is disabled already");
    CAIP_CHECKED(impl.keep_an_owner(tx, m));
    CAIP_CHECKED(impl.keep_who_restores(tx, m));
    CAIP_CHECKED(stamp(tx, m, now));
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_disabled, .org = m.org, .subject = m.user.email.str() + " is disabled"}, now));
    return impl.end_authority(tx, m.org, m.user.id, now, false);
  });
}

Result<Receipt<EnableMember>> Team::enable(Authorized<EnableMember>&& permit, std::int64_t expected) {
  return change(std::move(permit), expected, [](storage::WriteTx& tx, const MemberRow& m, Instant now) -> Result<std::function<void()>> {
    if (!m.disabled) return fail(Code::conflict, "this member is not disabled");
    CAIP_CHECKED(stamp(tx, m, std::nullopt));
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_disabled, .org = m.org, .subject = m.user.email.str() + " is enabled again"}, now));
    return [] {};
  });
}

Result<Receipt<TransferOwnership>> Team::transfer(Authorized<TransferOwnership>&& permit, std::int64_t expected) {
  auto& impl = *accounts_.impl_;
  const UserId heir = permit.action().user;
  const TransferOwnership action = permit.action();
  const Principal who = permit.principal();
  if (heir == *who.user) return fail(Code::conflict, "you are an Owner already");
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<Error> no;
  std::vector<std::function<void()>> after;
  auto receipt = [&]() -> Result<Receipt<TransferOwnership>> {
    auto tx = impl.database.begin_write();
    CAIP_CHECKED(impl.still(tx, who));
    CAIP_TRY(member, listed_member(tx, *who.org, heir));
    if ((no = unchangeable(member, who.role, expected))) return std::unexpected(*no);
    if (member->disabled) return fail(Code::conflict, "this member is disabled; enable them first");
    // The heir first: at no point is there no owner.
    for (const auto& [user, role] : {std::pair{heir, Role::owner}, std::pair{*who.user, Role::admin}}) {
      CAIP_TRY(told, impl.end_authority(tx, *who.org, user, now, false));
      after.push_back(std::move(told));
      CAIP_CHECKED(impl.set_role(tx, *who.org, user, role));
    }
    return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"from", text(member->role)}}});
  }();
  if (no && no->code != Code::precondition_failed) return impl.refuse(action, who, no->code, no->detail, no->detail);
  if (receipt)
    for (const auto& tell : after) tell();
  return receipt;
}

}  // namespace caip::auth
