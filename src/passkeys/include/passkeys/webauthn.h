// passkeys/webauthn.h: WebAuthn Level 2 sections 7.1 and 7.2. What is refused gets Code::bad_credentials with
// a reason for the log that holds nothing of the input.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::passkeys {

struct Site {
  std::string id;      // "panel.example": the host that browsers find us by
  std::string origin;  // "https://panel.example:8443", exactly
};

struct Credential {
  Bytes id;
  int algorithm = 0;  // COSE: -7 ES256, -8 EdDSA, -257 RS256
  Bytes public_key;   // libfido2's form
  std::int64_t count = 0;  // signatures made, where the authenticator counts
};

inline constexpr std::size_t kMostId = 1023;  // section 5.8.3

Result<Credential> verify_registration(const Site&, std::string_view challenge, std::string_view client_data, BytesView attestation);

struct Assertion {
  std::string client_data;  // JSON, as the browser signed it
  Bytes authenticator_data;
  Bytes signature;
};

// The new count. A count that does not grow, under a good signature, is a copied authenticator (section 6.1.1): Code::conflict.
Result<std::int64_t> verify_assertion(const Site&, std::string_view challenge, const Credential&, const Assertion&);

}  // namespace caip::passkeys
