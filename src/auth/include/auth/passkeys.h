// auth/passkeys.h: passkeys of people here. One alone signs its owner in: the authenticator has verified
// who holds it. Challenges are in memory, for five minutes, bound to a browser, used once. Thread-safe.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/factors.h"
#include "base/guarded.h"
#include "passkeys/webauthn.h"

namespace caip::auth {

struct PasskeyInfo {
  FactorId id;
  std::string name;
  Instant added;
  std::optional<Instant> used;
};

struct PasskeyChallenge {
  std::string token;      // the browser's, in a cookie
  std::string challenge;  // base64url
  std::string site;       // rpId
  std::vector<std::string> known;  // base64url: credentials that this person has already
};

// A passkey answered; use_up() counts it in the transaction of what it was used for.
struct PasskeyUse {
  UserId user;
  FactorId factor;
  std::int64_t before;
  std::int64_t count;
};

class Passkeys {
 public:
  static constexpr std::size_t kMostOfOne = 16;
  static constexpr std::size_t kMostChallenges = 8192;
  static constexpr Duration kChallengeLifetime = std::chrono::minutes(5);

  Passkeys(storage::Database& database, audit::Ledger& ledger, const Clock& clock, passkeys::Site site)
      : database_(database), ledger_(ledger), clock_(clock), site_(std::move(site)) {}

  Result<std::vector<PasskeyInfo>> list(const UserId&) const;
  Result<PasskeyChallenge> challenge(const std::optional<UserId>& for_registration);
  // Recovery codes come with the first factor; nothing otherwise.
  Result<RecoveryCodes> add(Authorized<AddFactor>&&, std::string_view token, std::string_view name, std::string_view client_data, BytesView attestation);
  Result<PasskeyUse> recognise(std::string_view token, BytesView credential, const passkeys::Assertion&);
  static Result<void> use_up(storage::WriteTx&, const PasskeyUse&, Instant now);

 private:
  struct Waiting {
    std::string challenge;
    std::optional<UserId> user;  // of a registration
    Instant until;
  };
  Result<Waiting> take(std::string_view token, const std::optional<UserId>& user);
  storage::Database& database_;
  audit::Ledger& ledger_;
  const Clock& clock_;
  passkeys::Site site_;
  Guarded<std::map<Digest, Waiting>> waiting_;
};

}  // namespace caip::auth
