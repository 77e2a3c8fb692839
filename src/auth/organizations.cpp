// Organisations: making them, naming them, and which of them a session acts in.
#include "accounts_impl.h"
#include "auth/team.h"

namespace caip::auth {

Result<std::vector<Person>> Team::organizations(const Session& session) const {
  auto tx = accounts_.impl_->database.begin_read();
  CAIP_TRY(rows, memberships_of(tx, session.user()));
  std::vector<Person> out;
  for (auto& m : rows) {
    if (m.disabled) continue;
    CAIP_TRY(name, Accounts::Impl::org_name(tx, m.org));
    out.push_back(Person{m.user.id, std::move(m.user.email), m.role, m.org, std::move(name)});
  }
  return out;
}

Result<bool> Accounts::Impl::may_found(storage::Reader& tx, const UserId& user) const {
  if (options.anyone_founds) return true;
  CAIP_TRY(owner, tx.one<bool>("SELECT 1 FROM memberships WHERE user = ?1 AND role = 'owner' AND disabled IS NULL AND org = (SELECT id FROM orgs ORDER BY rowid LIMIT 1)", user,
                               [](const storage::Row&) { return true; }));
  return owner.has_value();
}

Result<bool> Accounts::may_found(const Session& session) const {
  auto tx = impl_->database.begin_read();
  return impl_->may_found(tx, session.user());
}

// The entry belongs to the new organisation: the one that its founder came from is not told.
Result<Receipt<CreateOrganization>> Team::create(Authorized<CreateOrganization>&& permit) {
  auto& impl = *accounts_.impl_;
  const CreateOrganization action = permit.action();
  const Principal who = permit.principal();
  const UserId founder = *who.user;
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  bool may = false;
  {
    auto tx = impl.database.begin_read();
    CAIP_TRY(found, impl.may_found(tx, founder));
    may = found;
  }
  if (!may)
    return impl.refuse(action, who, Code::forbidden, "founding is for Owners of the first organisation",
                       "on this installation only Owners of its first organisation found others; ask one of them");
  auto tx = impl.database.begin_write();
  CAIP_TRY(still, impl.may_found(tx, founder));
  if (!still) return fail(Code::forbidden);
  CAIP_TRY(belongs, memberships_of(tx, founder));
  if (belongs.size() >= kMostOrganizations) return fail(Code::conflict, "a person belongs to at most 100 organisations");
  CAIP_CHECKED(tx.exec("INSERT INTO orgs (id, name, created) VALUES (?1, ?2, ?3)", action.organization, action.name.str(), now));
  CAIP_CHECKED(impl.insert_member(tx, action.organization, founder, Role::owner, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.org = action.organization});
}

Result<Receipt<RenameOrganization>> Team::rename(Authorized<RenameOrganization>&& permit) {
  auto& impl = *accounts_.impl_;
  const OrgId org = *permit.principal().org;
  const std::string name = permit.action().name.str();
  CAIP_TRY(spent, std::move(permit).spend(impl.clock.now()));
  auto tx = impl.database.begin_write();
  CAIP_TRY(before, impl.org_name(tx, org));
  CAIP_CHECKED(tx.exec("UPDATE orgs SET name = ?2 WHERE id = ?1", org, name));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"from", before.str()}}});
}

Result<Switched> Team::switch_to(Authorized<SwitchOrganization>&& permit) {
  auto& impl = *accounts_.impl_;
  const SwitchOrganization action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  std::optional<MemberRow> there;
  std::optional<SessionRow> row;
  bool disabled = false;
  {
    auto tx = impl.database.begin_read();
    CAIP_TRY(member, member_of(tx, action.organization, *who.user));
    CAIP_TRY(listed, listed_member(tx, action.organization, *who.user));
    disabled = listed && !member;
    CAIP_TRY(session, live_session(tx, action.session, now));
    there = std::move(member);
    row = std::move(session);
  }
  if (disabled) return impl.refuse(action, who, Code::forbidden, "disabled there", "your access to that organisation is disabled; ask one of its Owners");
  if (!there) return impl.refuse(action, who, Code::not_found, "not a member there", "no such organisation");
  if (!row) return not_signed_in();
  CAIP_TRY(minted, impl.mint(*there, action.session, row->expires));
  CAIP_TRY(spent, std::move(permit).spend(now));

  auto tx = impl.database.begin_write();
  CAIP_TRY(current, live_session(tx, action.session, now));
  CAIP_TRY(member, member_of(tx, action.organization, *who.user));  // again, in the writer's lane
  if (!current || !member || current->member.user.epoch != there->user.epoch) return not_signed_in();
  CAIP_CHECKED(tx.exec("UPDATE sessions SET org = ?2 WHERE id = ?1", action.session, action.organization));
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session = ?1", action.session));
  CAIP_CHECKED(impl.insert_refresh(tx, minted, action.session));
  CAIP_CHECKED(impl.mark_used(tx, action.organization, *who.user, now));
  CAIP_TRY(name, impl.org_name(tx, action.organization));
  CAIP_TRY(receipt, impl.ledger.commit(std::move(tx), std::move(spent), {.org = action.organization}));
  return Switched{std::move(receipt), Person{member->user.id, member->user.email, member->role, member->org, std::move(name)}, std::move(minted.tokens)};
}

}  // namespace caip::auth
