// auth/hand_over.h: a signed-in browser lets one more program of its person in: the command line, which can show neither
// a passkey's dialog nor a provider's page. An authorization code with a proof key (RFC 7636, S256): it is made for one
// challenge, works once and within a minute, and is worth nothing without the verifier, which never left the program.
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::auth {

// SHA-256 of the verifier (RFC 7636, section 4.2: base64url without padding, 43 characters). Errors: invalid.
class Challenge {
 public:
  static Result<Challenge> parse(std::string_view);
  bool fits(std::string_view verifier) const;  // 43 to 128 characters, as section 4.1 has them

 private:
  explicit Challenge(const Digest& d) : digest_(d) {}
  Digest digest_;
};

struct HandOverCode {
  std::string text;  // 32 random bytes
  Instant until;
};

// Who let whom in: what a code was exchanged for.
struct HandedOver {
  UserId user;
  OrgId org;          // in which that one acts, and the new one will
  SessionId session;  // the one that said yes
};

}  // namespace caip::auth
