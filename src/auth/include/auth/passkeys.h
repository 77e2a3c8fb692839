// auth/passkeys.h: passkeys of people here. One alone signs its owner in: the authenticator has verified
// who holds it. Challenges are in memory, for five minutes, bound to a browser, used once. Thread-safe.
#pragma once
#include <list>
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
  bool suspended = false;  // signs nobody in by itself any more
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
  bool second = false;  // behind another proof, where a suspended one counts, too
};

class Passkeys {
 public:
  static constexpr std::size_t kMostOfOne = 16;
  static constexpr std::size_t kMostChallenges = 8192;
  static constexpr std::size_t kMostChallengesOfOne = 64;  // one network's, or one person's registrations
  static constexpr Duration kChallengeLifetime = std::chrono::minutes(5);

  Passkeys(storage::Database& database, audit::Ledger& ledger, const Clock& clock, passkeys::Site site, Notices notices = {})
      : database_(database), ledger_(ledger), clock_(clock), site_(std::move(site)), notices_(notices) {}

  Result<std::vector<PasskeyInfo>> list(const UserId&) const;
  // Whoever asks for too many loses their own oldest.
  Result<PasskeyChallenge> challenge(const std::optional<UserId>& for_registration, std::string_view address);
  // For a step-up of this session, by any passkey of its person's; not_found: they have none that counts.
  Result<PasskeyChallenge> challenge_again(const Session&);
  // Recovery codes come with the first factor; nothing otherwise.
  Result<RecoveryCodes> add(Authorized<AddFactor>&&, std::string_view token, std::string_view name, std::string_view client_data, BytesView attestation);
  // What its owner calls it. Code::not_found for another person's, and for what has no name.
  Result<Receipt<RenameFactor>> rename(Authorized<RenameFactor>&&, std::string_view name);
  // A refusal (Code::bad_credentials) is on the record with its reason, in the log of the person whose passkey it
  // is, and says nothing of it here. A counter that went back suspends the passkey: it may have been copied. A suspended one
  // is accepted of its person alone who has taken the first step (Accounts::first_step_of): whoever has a copy has not.
  Result<PasskeyUse> recognise(const Principal&, std::string_view token, BytesView credential, const passkeys::Assertion&, const std::optional<UserId>& first_step = {});
  // The same of a step-up: another person's passkey, or a challenge of another session, is refused in this person's log.
  Result<PasskeyUse> recognise_again(const Session&, std::string_view token, BytesView credential, const passkeys::Assertion&);
  static Result<void> use_up(storage::WriteTx&, const PasskeyUse&, Instant now);

 private:
  struct Waiting {
    Digest token;
    std::string challenge;
    std::optional<UserId> user;  // of a registration
    std::optional<SessionId> session;  // of a step-up
    std::string owner;           // whose room it takes: that person's, or a network's
    Instant until;
  };
  struct Known;
  static Result<std::optional<Known>> by_credential(storage::Reader&, BytesView credential);
  std::unexpected<Error> refuse(const Principal&, const std::optional<Known>&, const Error&);
  // Which one was given: nothing for a sign-in.
  struct Purpose {
    std::optional<UserId> user = {};
    std::optional<SessionId> session = {};
  };
  void keep(Waiting fresh);
  Result<Waiting> take(std::string_view token, const Purpose&);
  std::unexpected<Error> refuse(Denied denied, const std::optional<Known>&, const Error&);
  storage::Database& database_;
  audit::Ledger& ledger_;
  const Clock& clock_;
  passkeys::Site site_;
  const Notices notices_;
  Guarded<std::list<Waiting>> waiting_;  // oldest first
};

}  // namespace caip::auth
