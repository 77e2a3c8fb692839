// federation/discovery.h: what an OpenID provider says of itself (OpenID Connect Discovery 1.0).
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::federation {

struct Discovery {
  std::string authorize = {};  // authorization_endpoint
  std::string token = {};
  std::string keys = {};  // jwks_uri
  std::string userinfo = {};  // may be missing
  bool says_issuer = false;  // the callback carries `iss` (RFC 9207)
  bool says_when = false;    // its ID tokens can say when somebody proved themselves there (auth_time)
  bool basic = false;        // the secret goes into the Authorization header, not into the form
};

// At most 64 KiB. Refused: another issuer than the one that was asked (mix-up), an address that is not https.
Result<Discovery> parse_discovery(std::string_view text, std::string_view issuer);

// https, or http to this machine itself; no user, no fragment.
bool good_endpoint(std::string_view url);

}  // namespace caip::federation
