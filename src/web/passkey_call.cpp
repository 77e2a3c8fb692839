#include "passkey_call.h"

#include "cookies.h"

namespace caip::web {

Result<Bytes> bytes_member(Members& m, std::string_view name, std::size_t most) {
  CAIP_TRY(text, m.string(name, most));
  auto bytes = from_base64url(text);
  if (!bytes) return fail(Code::malformed, std::string(name) + " is base64url");
  return *std::move(bytes);
}

Result<std::string> text_member(Members& m, std::string_view name, std::size_t most) {
  CAIP_TRY(bytes, bytes_member(m, name, most));
  return std::string(text_of(bytes));
}

http::Response challenged(const auth::PasskeyChallenge& c, json::object body) {
  body["challenge"] = c.challenge;
  body["site"] = c.site;
  http::Response r = json_reply(201, body);
  set_cookie(r, kChallengeCookie, c.token, auth::Passkeys::kChallengeLifetime, Site::strict);
  return r;
}

const std::vector<Field>& passkey_fields() {
  static const std::vector<Field> fields{{"credential", "string"}, {"client_data", "string"}, {"authenticator_data", "string"}, {"signature", "string"}};
  return fields;
}

Result<PasskeyAnswer> passkey_answer(Call& call) {
  Members m(call.body);
  CAIP_TRY(credential, bytes_member(m, "credential", 1400));
  CAIP_TRY(client_data, text_member(m, "client_data", 12'000));
  CAIP_TRY(data, bytes_member(m, "authenticator_data", 6000));
  CAIP_TRY(signature, bytes_member(m, "signature", 1400));
  CAIP_CHECKED(m.finish());
  return PasskeyAnswer{cookie(call.request, kChallengeCookie).value_or(""), std::move(credential), {std::move(client_data), std::move(data), std::move(signature)}};
}

Error not_accepted(const Error& error) {
  if (error.code != Code::bad_credentials) return error;
  return Error{Code::forbidden, "the passkey was not accepted; sign in another way"};
}

}  // namespace caip::web
