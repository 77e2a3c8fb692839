#include "federation/key_set.h"

#include <algorithm>

#include "members.h"

namespace caip::federation {
namespace {

constexpr std::size_t kMostText = 256 * 1024;
constexpr std::size_t kMostKeys = 64;
constexpr std::size_t kMostNumber = 1400;  // base64url of 8192 bits

// Said to be for something else than checking signatures?
bool for_signatures(const json::object& o) {
  if (const auto* use = o.if_contains("use"); use && (!use->is_string() || use->get_string() != "sig")) return false;
  const auto* ops = o.if_contains("key_ops");
  if (!ops) return true;
  return ops->is_array() && std::ranges::any_of(ops->get_array(), [](const json::value& v) { return v.is_string() && v.get_string() == "verify"; });
}

std::optional<Algorithm> algorithm_of(const json::object& o) {
  const auto type = text_in(o, "kty", 16), curve = text_in(o, "crv", 16);
  if (type == "RSA") return Algorithm::rs256;
  if (type == "EC" && curve == "P-256") return Algorithm::es256;
  if (type == "OKP" && curve == "Ed25519") return Algorithm::eddsa;
  return std::nullopt;
}

Result<crypto::PublicKey> key_of(const json::object& o, Algorithm algorithm) {
  const auto number = [&](std::string_view name) { return bytes_in(o, name, kMostNumber).value_or(Bytes()); };
  switch (algorithm) {
    case Algorithm::rs256: return crypto::PublicKey::rsa(number("n"), number("e"));
    case Algorithm::es256: return crypto::PublicKey::p256(number("x"), number("y"));
    case Algorithm::eddsa: return crypto::PublicKey::ed25519(number("x"));
  }
  return fail(Code::malformed);
}

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view text) {
  if (text == "RS256") return Algorithm::rs256;
  if (text == "ES256") return Algorithm::es256;
  if (text == "EdDSA" || text == "Ed25519") return Algorithm::eddsa;  // RFC 9864 has the second name
  return std::nullopt;
}

Result<KeySet> KeySet::parse(std::string_view text) {
  if (text.size() > kMostText) return fail(Code::too_large, "the provider's key set is too large");
  CAIP_TRY(set, parse_object(text));
  const auto* keys = set.if_contains("keys");
  if (!keys || !keys->is_array() || keys->get_array().size() > kMostKeys) return fail(Code::malformed, "the provider's key set is not one");
  KeySet out;
  for (const auto& item : keys->get_array()) {
    if (!item.is_object() || !for_signatures(item.get_object())) continue;
    const auto& o = item.get_object();
    const auto algorithm = algorithm_of(o);
    if (!algorithm) continue;
    if (o.contains("alg") && parse_algorithm(text_in(o, "alg", 32).value_or("")) != algorithm) continue;
    if (o.contains("kid") && !text_in(o, "kid", 256)) continue;
    if (auto key = key_of(o, *algorithm)) out.keys_.push_back({text_in(o, "kid", 256), *algorithm, *std::move(key)});
  }
  if (out.keys_.empty()) return fail(Code::malformed, "the provider's key set has no key that we use");
  return out;
}

std::optional<crypto::PublicKey> KeySet::find(const std::optional<std::string>& name, Algorithm algorithm) const {
  std::optional<crypto::PublicKey> found;
  for (const auto& k : keys_) {
    if (k.algorithm != algorithm || (name && k.name != name)) continue;
    if (found) return std::nullopt;  // which of them is not for us to guess
    found = k.key;
  }
  return found;
}

}  // namespace caip::federation
