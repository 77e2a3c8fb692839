// What providers send: key sets, ID tokens (also as if a provider had signed them), descriptions, GitHub's answers.
#include "crypto/ed25519.h"
#include "federation/discovery.h"
#include "federation/github.h"
#include "federation/id_token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  using namespace caip::federation;
  static const auto key = crypto::SigningKey::from_seed(SecretBytes(Bytes(32, 7))).value();
  static const KeySet keys = KeySet::parse(R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":")" + base64url(key.public_key()) + "\"}]}").value();
  const Expected expected{.issuer = "https://id.example.com", .client_id = "c", .nonce = "n", .access_token = "a", .hosted_domain = "", .now = Instant{1'790'000'000'000'000}};
  const std::string_view input = text_of(BytesView(data, size));
  // No fuzzer forges a signature.
  CAIP_ASSERT(!verify_id_token(input, keys, expected));
  (void)KeySet::parse(input);
  (void)parse_discovery(input, "https://id.example.com");
  Claimed nobody{.subject = "42"};
  (void)add_userinfo(input, nobody);
  (void)parse_github_token(input);
  (void)parse_github_user(input);
  (void)parse_github_emails(input);

  const auto line = input.find('\n');  // header, line end, claims
  if (line == input.npos) return 0;
  const std::string body = base64url(view(input.substr(0, line))) + "." + base64url(view(input.substr(line + 1)));
  const auto who = verify_id_token(body + "." + base64url(key.sign(view(body))), keys, expected);
  if (who) CAIP_ASSERT(!who->subject.empty() && who->subject.size() <= 255);
  return 0;
}
