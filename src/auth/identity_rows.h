// Accounts at other services, as they are linked: by issuer and subject. Private.
#pragma once
#include <optional>

#include "proofs/external_identity.h"
#include "rows.h"

namespace caip::auth {

struct LinkedIdentity {
  IdentityId id;
  UserId user;
};
Result<std::optional<LinkedIdentity>> link_of(storage::Reader&, const ExternalIdentity&);
// The caller has looked whether it is linked already.
Result<void> insert_identity(storage::WriteTx&, const LinkedIdentity&, const ExternalIdentity&, Instant now);

}  // namespace caip::auth
