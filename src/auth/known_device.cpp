#include "known_device.h"

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "secrets/keeper.h"

namespace caip::auth {

// Apart from the MACs of passwords and of commands by its first line.
Result<std::string> KnownDevices::seal(std::string_view id, const UserId& user, std::string_view family) const {
  const std::string text = "caip device v1\n" + std::string(id) + '\n' + user.str() + '\n' + std::string(family);
  CAIP_TRY(mac, keeper_.pepper_hmac(view(text)));
  return std::string(id) + '.' + base64url(mac);
}

Result<std::string> KnownDevices::make(const UserId& user, std::string_view family) const {
  return seal(base64url(crypto::random_bytes(16)), user, family);
}

Result<std::optional<std::string>> KnownDevices::known(std::string_view token, const UserId& user, std::string_view family) const {
  if (token.empty() || token.size() > kMostDeviceToken) return std::optional<std::string>{};
  const std::string_view id = token.substr(0, token.find('.'));
  CAIP_TRY(right, seal(id, user, family));
  if (!crypto::equal_ct(crypto::sha256(view(right)), crypto::sha256(view(token)))) return std::optional<std::string>{};
  return std::optional(std::string(id));
}

}  // namespace caip::auth
