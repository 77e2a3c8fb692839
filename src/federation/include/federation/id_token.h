// federation/id_token.h: OpenID Connect Core 1.0 section 3.1.3.7. A token that fails one check is refused
// as a whole; the reason is for the log and holds nothing of the token.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "federation/key_set.h"

namespace caip::federation {

struct Expected {
  std::string issuer;         // exactly
  std::string client_id;
  std::string nonce;          // of this browser's attempt
  std::string access_token = {};   // that came with it, for at_hash
  std::string hosted_domain = {};  // Google's `hd`; empty: any
  std::optional<Instant> proven_since = {};  // they must have proven themselves at the provider after that, if it says when
  Instant now;
};

struct Claimed {
  std::string subject;               // 1 to 255 visible ASCII characters, case-sensitive
  std::optional<std::string> email = {};  // only with email_verified true
  std::string name = {};  // as shown to its owner: e-mail or name, may be empty
  bool anew = false;      // the provider says that they proved themselves since Expected::proven_since
};

inline constexpr std::size_t kMostIdToken = 16 * 1024;

// The userinfo endpoint's answer to the access token, for providers that leave the address out of the ID
// token (Core section 5.4). Adds to `who`; refused when it is about somebody else (section 5.3.2).
Result<void> add_userinfo(std::string_view text, Claimed& who);

// Code::not_found: the key set has no key for it, a newer one may. Everything else: Code::bad_credentials.
Result<Claimed> verify_id_token(std::string_view token, const KeySet&, const Expected&);

}  // namespace caip::federation
