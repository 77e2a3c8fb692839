#include "auth/team.h"

#include "accounts_impl.h"

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

template <Action A>
Result<Receipt<A>> Team::end_membership(Authorized<A>&& permit, std::optional<std::int64_t> expected) {
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
    CAIP_TRY(member, member_of(tx, *who.org, action.user));
    if ((no = unchangeable(member, who.role, expected))) return std::unexpected(*no);
    CAIP_CHECKED(impl.keep_an_owner(tx, *member));
    CAIP_CHECKED(impl.drop_invitations(tx, *who.org, member->user.email, now));
    CAIP_TRY(told, impl.end_authority(tx, *who.org, action.user, now, true));
    after = std::move(told);
    CAIP_CHECKED(tx.exec("DELETE FROM memberships WHERE org = ?1 AND user = ?2", *who.org, action.user));
    return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", member->user.email.str()}, {"role", text(member->role)}}});
  }();
  if (no && no->code != Code::precondition_failed) return impl.refuse(action, who, no->code, no->detail, no->detail);
  if (receipt && after) after();
  return receipt;
}

Result<Receipt<RemoveMember>> Team::remove(Authorized<RemoveMember>&& permit, std::int64_t expected) {
  if (permit.action().user == permit.principal().user) return fail(Code::conflict, "to go yourself, leave the organisation");
  return end_membership(std::move(permit), expected);
}

Result<Receipt<LeaveOrganization>> Team::leave(Authorized<LeaveOrganization>&& permit) { return end_membership(std::move(permit), std::nullopt); }

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
    CAIP_TRY(member, member_of(tx, *who.org, heir));
    if ((no = unchangeable(member, who.role, expected))) return std::unexpected(*no);
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
