// Access tokens: JWS compact form (RFC 7515, 7519), EdDSA (RFC 8037), one fixed header. Private.
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::auth {

struct Claims {
  UserId user;
  OrgId org;
  SessionId session;
  std::int64_t epoch;
  Instant issued;   // whole seconds
  Instant expires;  // whole seconds
};

std::string jwt_input(const Claims&);  // header.payload, what is signed
std::string jwt_finish(std::string input, BytesView signature);

// Every failure is Code::unauthenticated. Only the exact header that jwt_input() writes is
// accepted, so no other algorithm can be named; the payload must be canonical.
Result<Claims> jwt_open(std::string_view token, BytesView public_key, Instant now);
// Whether the times of a token are good now; part of jwt_open, and needed again for one that was opened before.
bool jwt_current(const Claims&, Instant now);
inline constexpr std::size_t kMostToken = 1024;

inline std::unexpected<Error> not_signed_in() { return fail(Code::unauthenticated, "sign in first"); }

}  // namespace caip::auth
