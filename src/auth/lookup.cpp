// A person by id alone, for checks that begin with what is stored (an approval's requester).
#include "accounts_impl.h"
#include "rows.h"

namespace caip::auth {

Result<Person> Accounts::find(const UserId& user) const {
  auto tx = impl_->database.begin_read();
  return find(tx, user);
}

Result<Person> Accounts::find(storage::Reader& tx, const UserId& user) const {
  auto row = tx.one<Result<OrgId>>("SELECT org FROM users WHERE id = ?1", user,
                                   [](const storage::Row& r) -> Result<OrgId> { return r.id<OrgId>(0); });
  if (!row) return std::unexpected<Error>(std::move(row).error());
  if (!*row) return fail(Code::not_found, "no such person");
  CAIP_TRY(org, **row);
  CAIP_TRY(found, user_by_id(tx, org, user));
  if (!found) return fail(Code::not_found, "no such person");
  CAIP_TRY(name, Impl::org_name(tx, org));
  return Person{user, found->email, found->role, org, std::move(name)};
}

}  // namespace caip::auth
