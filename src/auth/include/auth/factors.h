// auth/factors.h: second factors: one-time codes by time (TOTP), recovery codes, passkeys. Thread-safe.
//
// The secret of an authenticator app is not stored: it is made from a random salt by the keeper, under a
// key that the database does not have. A code is accepted once, within a step (30 s) of now.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/notices.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/actions.h"
#include "proofs/authorized.h"
#include "proofs/receipt.h"
#include "proofs/session.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::secrets { class Keeper; }
namespace caip::audit { class Ledger; }

namespace caip::auth {

struct TotpOffer {
  std::string secret;  // base32, for typing in; shown once
  std::string uri;     // otpauth://, for a QR code
};

struct FactorState {
  std::optional<FactorId> totp;
  std::optional<Instant> totp_since;
  std::int64_t passkeys = 0;
  std::int64_t recovery_codes = 0;  // left
  bool any() const { return totp.has_value() || passkeys > 0; }
};

// Shown once, stored as hashes; empty when there were some already.
using RecoveryCodes = std::vector<std::string>;

// What a right code uses up.
struct FactorUse {
  FactorKind kind = FactorKind::totp;
  std::int64_t step = 0;
  Digest code = {};
};

// Six digits, which can be guessed; anything else is taken for a recovery code, which cannot (80 bits).
bool is_totp(std::string_view code);

class Factors {
 public:
  static constexpr std::size_t kCodes = 10;
  static constexpr Duration kOfferLifetime = std::chrono::minutes(10);

  Factors(storage::Database& database, audit::Ledger& ledger, secrets::Keeper& keeper, const Clock& clock, Notices notices = {})
      : database_(database), ledger_(ledger), keeper_(keeper), clock_(clock), notices_(notices) {}

  Result<FactorState> state(const UserId&) const;
  Result<FactorState> state(storage::Reader&, const UserId&) const;

  // Nothing is on before a code of it was given. Code::conflict when there is one already.
  Result<TotpOffer> offer_totp(const Session&, const Email&);
  // Code::invalid for a wrong code, Code::expired without an offer.
  Result<RecoveryCodes> add_totp(Authorized<AddFactor>&&, std::string_view code);
  // Adding and removing ends the person's other sessions.
  // An app or a passkey. With the last factor the recovery codes go.
  Result<Receipt<RemoveFactor>> remove(Authorized<RemoveFactor>&&);
  // The old ones end.
  Result<RecoveryCodes> renew_codes(Authorized<RenewRecoveryCodes>&&);

  // Whose code is this, if any? Changes nothing; use_up() does, in the transaction of what it was given
  // for, and fails when somebody was faster (replay).
  Result<std::optional<FactorUse>> recognise(storage::Reader&, const UserId&, std::string_view code) const;
  static Result<void> use_up(storage::WriteTx&, const UserId&, const FactorUse&);

  // With the first factor, whichever it is: fresh codes; none otherwise.
  static Result<RecoveryCodes> codes_if_none(storage::WriteTx&, const UserId&);

 private:
  struct Offered {
    Bytes salt;
    Instant until;
  };
  Result<SecretBytes> totp_secret(const UserId&, BytesView salt) const;
  static Result<RecoveryCodes> fresh_codes(storage::WriteTx&, const UserId&);
  storage::Database& database_;
  audit::Ledger& ledger_;
  secrets::Keeper& keeper_;
  const Clock& clock_;
  const Notices notices_;
  Guarded<std::map<UserId, Offered>> offers_;
};

}  // namespace caip::auth
