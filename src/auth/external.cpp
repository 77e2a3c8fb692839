// Signing in by what a provider says.
#include "accounts_impl.h"
#include "auth/accounts.h"
#include "base/text.h"

namespace caip::auth {
namespace {

struct Link {
  IdentityId id;
  UserId user;
};

Result<std::optional<Link>> link_of(storage::Reader& tx, const ExternalIdentity& who) {
  CAIP_TRY(found, tx.one<Result<Link>>("SELECT id, user FROM identities WHERE issuer = ?1 AND subject = ?2", who.issuer(), who.subject(),
                                       [](const storage::Row& r) -> Result<Link> {
    CAIP_TRY(id, r.id<IdentityId>(0));
    CAIP_TRY(user, r.id<UserId>(1));
    return Link{id, user};
  }));
  if (!found) return std::optional<Link>{};
  CAIP_TRY(link, *std::move(found));
  return std::optional<Link>{link};
}

constexpr const char* kNotLinked =
    "this account is not linked to anybody here. Sign in with your password and link it under Account security, or ask an "
    "administrator to invite you";

}  // namespace

Result<Step<SignInWith>> Accounts::sign_in_with(Authorized<SignInWith>&& permit, const ExternalIdentity& who, std::string_view device_token) {
  const SignInWith action = permit.action();
  const Principal principal = permit.principal();
  std::optional<Link> link;
  std::optional<UserRow> user;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, link_of(tx, who));
    link = found;
    if (link) {
      CAIP_TRY(owner, user_by_id(tx, link->user));
      user = std::move(owner);
    }
  }
  if (!link || !user) return impl_->refuse(action, principal, Code::forbidden, "linked to nobody", kNotLinked);
  return impl_->admit(std::move(permit), *user, device_token, "identity:" + link->id.str(), [&](storage::WriteTx& tx, Instant now) -> Result<void> {
    // Unlinked since it was looked up? Then it lets nobody in.
    CAIP_TRY(still, tx.exec("UPDATE identities SET used = ?3, shown = ?4 WHERE issuer = ?1 AND subject = ?2 AND user = ?5", who.issuer(), who.subject(), now,
                            cut(who.shown(), 254), user->id));
    if (still != 1) return fail(Code::conflict, "the account changed; try again");
    return {};
  }, {}, link->id);
}

}  // namespace caip::auth
