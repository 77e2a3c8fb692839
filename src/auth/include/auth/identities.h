// auth/identities.h: accounts at other services that are linked to people here, by issuer and subject and
// never by e-mail address. Thread-safe.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "auth/notices.h"
#include "base/result.h"
#include "base/time.h"
#include "model/actions.h"
#include "proofs/authorized.h"
#include "proofs/external_identity.h"
#include "proofs/receipt.h"

namespace caip::storage { class Database; class Reader; }
namespace caip::audit { class Ledger; }

namespace caip::auth {

struct Identity {
  IdentityId id;
  std::string provider;
  std::string shown;  // what its owner calls it there; text from outside
  Instant linked;
  std::optional<Instant> used;
};

struct Methods {  // how somebody can sign in
  bool password = false;
  std::vector<Identity> identities = {};
};

class Identities {
 public:
  static constexpr std::size_t kMostOfOne = 16;

  Identities(storage::Database& database, audit::Ledger& ledger, const Clock& clock, Notices notices = {})
      : database_(database), ledger_(ledger), clock_(clock), notices_(notices) {}

  Result<Methods> methods(const UserId&) const;
  // Code::conflict when it is linked already, here or to somebody else (which of the two is not said), or
  // when there are kMostOfOne.
  Result<Receipt<LinkIdentity>> link(Authorized<LinkIdentity>&&, const ExternalIdentity&);
  // Code::conflict for the last way to sign in, Code::not_found for somebody else's.
  Result<Receipt<UnlinkIdentity>> unlink(Authorized<UnlinkIdentity>&&);

 private:
  storage::Database& database_;
  audit::Ledger& ledger_;
  const Clock& clock_;
  const Notices notices_;
};

}  // namespace caip::auth
