// The half of Accounts that is about other people.
#include "accounts_impl.h"
#include "auth/accounts.h"
#include "outbox/outbox.h"

namespace caip::auth {

Result<Receipt<AddMember>> Accounts::add_member(Authorized<AddMember>&& permit, const SecretBytes& password) {
  const AddMember action = permit.action();
  const OrgId org = *permit.principal().org;
  CAIP_CHECKED(acceptable(password, {.words = {action.email.str()}}));
  CAIP_TRY(hash, impl_->passwords.hash(password));
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_TRY(taken, user_by_email(tx, action.email));
  if (taken) return fail(Code::conflict, "this e-mail address has an account already");
  CAIP_CHECKED(impl_->insert_user(tx, {action.user, org, action.email, action.role, hash, 1, 1, now}));
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_added, .org = org, .subject = action.email.str() + " as " + std::string(text(action.role))}, now));
  return impl_->ledger.commit(std::move(tx), std::move(spent));
}

Result<Receipt<ChangeRole>> Accounts::change_role(Authorized<ChangeRole>&& permit, std::optional<std::int64_t> expected) {
  const ChangeRole action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  bool above = false;
  auto receipt = [&]() -> Result<Receipt<ChangeRole>> {
    auto tx = impl_->database.begin_write();
    CAIP_TRY(member, user_by_id(tx, *who.org, action.user));
    if (!member) return fail(Code::not_found, "no such member");
    if (expected && *expected != member->version) return fail(Code::precondition_failed, "the member was changed meanwhile");
    above = member->role > who.role;
    if (above) return fail(Code::forbidden);
    if (member->role == Role::owner && action.role != Role::owner) {
      CAIP_TRY(owners, count_owners(tx, *who.org));
      if (owners <= 1) return fail(Code::conflict, "an organisation keeps at least one owner");
    }
    if (member->role != action.role) {
      CAIP_CHECKED(tx.exec("UPDATE users SET role = ?2, version = version + 1, epoch = epoch + 1 WHERE id = ?1", action.user, text(action.role)));
      CAIP_CHECKED(tx.exec("UPDATE sessions SET ended = ?2 WHERE user = ?1 AND ended IS NULL", action.user, now));
      CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?1)", action.user));
      CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::role_changed, .org = *who.org,
                                      .subject = member->email.str() + ", " + std::string(text(member->role)) + ", is now " + std::string(text(action.role))}, now));
    }
    return impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"from", text(member->role)}}});
  }();
  if (above) return impl_->refuse(action, who, Code::forbidden, "a member of a higher role");
  return receipt;
}

Result<Person> Accounts::person(const Session& session) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(user, user_by_id(tx, session.org(), session.user()));
  if (!user) return not_signed_in();
  CAIP_TRY(org_name, impl_->org_name(tx, user->org));
  return Person{user->id, user->email, user->role, user->org, std::move(org_name)};
}

namespace {
Member member_of(UserRow u) { return {u.id, std::move(u.email), u.role, u.version, u.created}; }
}  // namespace

Result<Page<Member>> Accounts::members(const OrgId& org, const PageAsk& ask) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(users, users_of(tx, org, ask));
  std::vector<Member> out;
  for (auto& u : users) out.push_back(member_of(std::move(u)));
  return page_of(std::move(out), ask);
}

Result<Member> Accounts::member(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(found, user_by_id(tx, org, user));
  if (!found) return fail(Code::not_found, "no such member");
  return member_of(*std::move(found));
}

Result<Role> Accounts::role_of(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(row, user_by_id(tx, org, user));
  if (!row) return fail(Code::not_found, "no such member");
  return row->role;
}

Result<std::string> Accounts::email_of(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(row, user_by_id(tx, org, user));
  if (!row) return fail(Code::not_found, "no such member");
  return row->email.str();
}

}  // namespace caip::auth
