#include "identity_rows.h"

#include "base/text.h"

namespace caip::auth {
namespace {

constexpr std::size_t kMostShown = 254;

}  // namespace

Result<std::optional<LinkedIdentity>> link_of(storage::Reader& tx, const ExternalIdentity& who) {
  CAIP_TRY(found, tx.one<Result<LinkedIdentity>>("SELECT id, user FROM identities WHERE issuer = ?1 AND subject = ?2", who.issuer(), who.subject(),
                                                 [](const storage::Row& r) -> Result<LinkedIdentity> {
    CAIP_TRY(id, r.id<IdentityId>(0));
    CAIP_TRY(user, r.id<UserId>(1));
    return LinkedIdentity{id, user};
  }));
  if (!found) return std::optional<LinkedIdentity>{};
  CAIP_TRY(link, *std::move(found));
  return std::optional<LinkedIdentity>{link};
}

Result<void> insert_identity(storage::WriteTx& tx, const LinkedIdentity& l, const ExternalIdentity& who, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO identities (id, user, provider, issuer, subject, shown, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                       l.id, l.user, who.provider(), who.issuer(), who.subject(), cut(who.shown(), kMostShown), now));
  return {};
}

}  // namespace caip::auth
