// The half of Accounts that is about other people.
#include "accounts_impl.h"
#include "auth/accounts.h"
#include "outbox/outbox.h"

namespace caip::auth {

Result<Receipt<AddMember>> Accounts::add_member(Authorized<AddMember>&& permit, const SecretBytes& password) {
  const AddMember action = permit.action();
  const OrgId org = *permit.principal().org;
  const UserId by = *permit.principal().user;
  CAIP_CHECKED(acceptable(password, {.words = {action.email.str()}}));
  CAIP_TRY(hash, impl_->passwords.hash(password, by));
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_TRY(taken, user_by_email(tx, action.email));
  if (taken) return fail(Code::conflict, "this e-mail address has an account already; invite that person");
  CAIP_CHECKED(impl_->insert_user(tx, {action.user, action.email, hash, 1, now}));
  CAIP_CHECKED(tx.exec("UPDATE users SET made_by = ?2 WHERE id = ?1", action.user, by));
  CAIP_CHECKED(impl_->insert_member(tx, org, action.user, action.role, now));
  CAIP_CHECKED(impl_->drop_invitations(tx, org, action.email, now));
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_added, .org = org, .subject = action.email.str() + " as " + std::string(text(action.role))}, now));
  return impl_->ledger.commit(std::move(tx), std::move(spent));
}

Result<Receipt<ChangeRole>> Accounts::change_role(Authorized<ChangeRole>&& permit, std::optional<std::int64_t> expected) {
  const ChangeRole action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  bool above = false;
  std::function<void()> after;
  auto receipt = [&]() -> Result<Receipt<ChangeRole>> {
    auto tx = impl_->database.begin_write();
    CAIP_CHECKED(impl_->still(tx, who));
    CAIP_TRY(member, listed_member(tx, *who.org, action.user));
    if (!member) return fail(Code::not_found, "no such member");
    if (expected && *expected != member->version) return fail(Code::precondition_failed, "the member was changed meanwhile");
    above = member->role > who.role;
    if (above) return fail(Code::forbidden);
    if (action.role != Role::owner) CAIP_CHECKED(impl_->keep_an_owner(tx, *member));
    if (action.role != Role::owner && action.user != who.user) CAIP_CHECKED(impl_->keep_who_restores(tx, *member));
    if (member->role != action.role) {
      CAIP_CHECKED(impl_->set_role(tx, *who.org, action.user, action.role));
      CAIP_TRY(told, impl_->end_authority(tx, *who.org, action.user, now, !granted(action.role, Permission::token_own)));
      after = std::move(told);
      CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::role_changed, .org = *who.org,
                                      .subject = member->user.email.str() + ", " + std::string(text(member->role)) + ", is now " + std::string(text(action.role))}, now));
    }
    return impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"from", text(member->role)}}});
  }();
  if (above) return impl_->refuse(action, who, Code::forbidden, "a member of a higher role");
  if (receipt && after) after();
  return receipt;
}

void Accounts::on_authority_end(AuthorityEnd end) { impl_->authority_end = std::move(end); }

namespace {

// Whether they belong to another organisation that has somebody else: one that they founded for themselves does not count,
// or a thief would found one to keep what they added.
Result<bool> others_to_ask(storage::Reader& tx, const OrgId& org, const UserId& user) {
  CAIP_TRY(found, tx.one<bool>("SELECT 1 FROM memberships AS mine JOIN memberships AS others ON others.org = mine.org AND others.user <> mine.user"
                               " WHERE mine.user = ?1 AND mine.org <> ?2 LIMIT 1", user, org, [](const storage::Row&) { return true; }));
  return found.has_value();
}

struct Dropped {
  std::int64_t ended_sessions;
  std::int64_t identities, kept;  // accounts elsewhere
  std::string said(std::string_view who) const {
    std::string what = identities > 0 ? "all second factors, linked accounts and API tokens were removed " : "all second factors and API tokens were removed ";
    what += who;
    return kept > 0 ? what + "; linked accounts stay, as there is no password" : what;
  }
  json::object detail() const { return {{"ended_sessions", ended_sessions}, {"unlinked", identities}, {"kept_linked", kept}}; }
};

// All that a thief may have added to get in again: factors, tokens, and accounts at other services, unless they are the only
// way in.
Result<Dropped> drop_ways_in(storage::WriteTx& tx, const UserId& user, Instant now) {
  CAIP_TRY(ended, drop_factors(tx, user, now));
  CAIP_TRY(gone, tx.exec("DELETE FROM identities WHERE user = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND password <> '')", user));
  CAIP_TRY(kept, tx.one<std::int64_t>("SELECT count(*) FROM identities WHERE user = ?1", user, [](const storage::Row& r) { return r.integer(0); }));
  return Dropped{ended, gone, kept.value_or(0)};
}

}  // namespace

Result<Receipt<ResetFactors>> Accounts::reset_factors(Authorized<ResetFactors>&& permit) {
  const ResetFactors action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::string no = "a member of a higher role";
  {
    auto tx = impl_->database.begin_write();
    CAIP_CHECKED(impl_->still(tx, who));
    CAIP_TRY(member, listed_member(tx, *who.org, action.user));
    if (!member) return fail(Code::not_found, "no such member");
    CAIP_TRY(elsewhere, others_to_ask(tx, *who.org, action.user));
    if (elsewhere) no = "a member of other organisations, too";
    else if (member->role <= who.role) {
      CAIP_TRY(dropped, drop_ways_in(tx, action.user, now));
      CAIP_CHECKED(impl_->options.notices.changed(tx, action.user, dropped.said("by somebody who manages members"), now));
      return impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = dropped.detail()});
    }
  }
  return impl_->refuse(action, who, Code::forbidden, no, no);
}

Result<Receipt<ResetFactorsLocally>> Accounts::reset_factors(Authorized<ResetFactorsLocally>&& permit) {
  const ResetFactorsLocally action = permit.action();
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_TRY(dropped, drop_ways_in(tx, action.user, now));
  CAIP_CHECKED(impl_->options.notices.changed(tx, action.user, dropped.said("on the machine of the control plane"), now));
  return impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = dropped.detail()});
}

Result<Person> Accounts::person(const Session& session) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(member, member_of(tx, session.org(), session.user()));
  if (!member) return not_signed_in();
  CAIP_TRY(org_name, impl_->org_name(tx, member->org));
  return Person{member->user.id, member->user.email, member->role, member->org, std::move(org_name)};
}

namespace {
Member shown(MemberRow m) { return {m.user.id, std::move(m.user.email), m.role, m.version, m.joined, m.disabled}; }
}  // namespace

Result<Page<Member>> Accounts::members(const OrgId& org, const PageAsk& ask) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(rows, members_of(tx, org, ask));
  std::vector<Member> out;
  for (auto& row : rows) out.push_back(shown(std::move(row)));
  return page_of(std::move(out), ask);
}

Result<Member> Accounts::member(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(found, listed_member(tx, org, user));
  if (!found) return fail(Code::not_found, "no such member");
  return shown(*std::move(found));
}

Result<Role> Accounts::role_of(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(row, member_of(tx, org, user));
  if (!row) return fail(Code::not_found, "no such member");
  return row->role;
}

Result<std::string> Accounts::email_of(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(row, member_of(tx, org, user));
  if (!row) return fail(Code::not_found, "no such member");
  return row->user.email.str();
}

}  // namespace caip::auth
