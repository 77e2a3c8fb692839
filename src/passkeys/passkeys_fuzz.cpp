// What a browser sends of an authenticator: none of it may get past without a signature.
#include "passkeys/webauthn.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  static const passkeys::Site site{"panel.example", "https://panel.example"};
  static const std::string made = R"({"type":"webauthn.create","challenge":"c","origin":"https://panel.example"})";
  static const std::string got = R"({"type":"webauthn.get","challenge":"c","origin":"https://panel.example"})";
  const BytesView input(data, size);
  if (auto c = passkeys::verify_registration(site, "c", made, input)) CAIP_ASSERT(!c->id.empty() && !c->public_key.empty());
  (void)passkeys::verify_registration(site, "c", text_of(input), input);
  const passkeys::Credential known{.id = Bytes{1}, .algorithm = -7, .public_key = Bytes(64, 1)};
  const std::size_t half = size / 2;
  CAIP_ASSERT(!passkeys::verify_assertion(site, "c", known, {got, Bytes(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(half)), Bytes(input.begin() + static_cast<std::ptrdiff_t>(half), input.end())}));
  return 0;
}
