// A person in an organisation, for checks that begin with what is stored (an approval's requester).
#include "accounts_impl.h"
#include "rows.h"

namespace caip::auth {

Result<Person> Accounts::find(const Email& email) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(user, user_by_email(tx, email));
  if (!user) return fail(Code::not_found, "no account has this e-mail address");
  CAIP_TRY(member, last_used(tx, user->id));
  if (!member) return fail(Code::not_found, "this account belongs to no organisation");
  return find(tx, member->org, user->id);
}

Result<Person> Accounts::find(const OrgId& org, const UserId& user) const {
  auto tx = impl_->database.begin_read();
  return find(tx, org, user);
}

Result<Person> Accounts::find(storage::Reader& tx, const OrgId& org, const UserId& user) const {
  CAIP_TRY(found, member_of(tx, org, user));
  if (!found) return fail(Code::not_found, "no such person");
  CAIP_TRY(name, Impl::org_name(tx, org));
  return Person{user, found->user.email, found->role, org, std::move(name)};
}

}  // namespace caip::auth
