// A passkey's challenge and its answer, for a sign-in and for a step-up. Bytes travel as base64url, as browsers give
// them. Private.
#pragma once
#include "auth/passkeys.h"
#include "base/json.h"
#include "web/router.h"

namespace caip::web {

inline constexpr std::string_view kChallengeCookie = "__Host-caip_passkey";

Result<Bytes> bytes_member(Members&, std::string_view name, std::size_t most);
Result<std::string> text_member(Members&, std::string_view name, std::size_t most);

http::Response challenged(const auth::PasskeyChallenge&, json::object body);

struct PasskeyAnswer {
  std::string token;  // of the challenge: this browser's cookie
  Bytes credential;
  passkeys::Assertion said;
};
const std::vector<Field>& passkey_fields();
Result<PasskeyAnswer> passkey_answer(Call&);
// Whatever was wrong with it, one text: the reason is in the log.
Error not_accepted(const Error&);

}  // namespace caip::web
