// federation/key_set.h: a provider's public keys (JWKS, RFC 7517).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/public_key.h"

namespace caip::federation {

enum class Algorithm : std::uint8_t { rs256, es256, eddsa };
std::optional<Algorithm> parse_algorithm(std::string_view);  // everything else is refused: none, HS256, RS512, …

class KeySet final {
 public:
  // At most 256 KiB. Keys that are not for signing, too weak or of another kind are left out, as RFC 7517
  // section 5 asks; a set without a usable key is an error.
  static Result<KeySet> parse(std::string_view text);
  // The key of that name and kind. Without a name: the only one of that kind, if it is the only one.
  std::optional<crypto::PublicKey> find(const std::optional<std::string>& name, Algorithm) const;
  std::size_t size() const { return keys_.size(); }

 private:
  struct Key {
    std::optional<std::string> name;  // kid
    Algorithm algorithm;
    crypto::PublicKey key;
  };
  std::vector<Key> keys_;
};

}  // namespace caip::federation
