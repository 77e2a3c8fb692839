#include "signature.h"

#include "crypto/mac.h"

namespace caip::notifications {

namespace {
constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kLeast = 24, kMost = 64;
}  // namespace

std::optional<SecretBytes> signing_key(std::string_view whsec) {
  if (!whsec.starts_with(kPrefix)) return std::nullopt;
  auto key = from_base64(whsec.substr(kPrefix.size()));
  if (!key || key->size() < kLeast || key->size() > kMost) return std::nullopt;
  return SecretBytes(std::move(*key));
}

Result<std::string> webhook_signature(const std::vector<SecretBytes>& secrets, std::string_view id, std::int64_t timestamp, std::string_view body) {
  const std::string message = std::string(id) + "." + std::to_string(timestamp) + "." + std::string(body);
  std::string out;
  for (const auto& secret : secrets) {
    std::optional<SecretBytes> key;
    secret.expose(Use::named_use, [&](BytesView b) { key = signing_key(text_of(b)); });
    if (!key) return fail(Code::invalid, "the channel's secret is no signing secret");
    out += (out.empty() ? "v1," : " v1,") + base64(crypto::hmac_sha256(*key, view(message)));
  }
  return out;
}

}  // namespace caip::notifications
