#include "crypto/succession.h"

#include "base/json.h"
#include "base/text.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"

namespace caip::crypto {
namespace {

constexpr std::int64_t kMostNumber = (std::int64_t{1} << 53) - 1;
constexpr std::int64_t kMostGeneration = (std::int64_t{1} << 32) - 1;
constexpr std::size_t kMostText = 4096;  // an ML-DSA-44 signature has 3,228 characters

std::size_t key_size(SuccessionKey key) { return key == SuccessionKey::cosign ? kMldsaPublic : 32; }

bool holds(SuccessionKey key, BytesView public_key, BytesView message, BytesView signature) {
  return key == SuccessionKey::cosign ? mldsa44_verify(public_key, message, signature) : ed25519_verify(public_key, message, signature);
}

json::object statement(const Succession& s) {
  return {{"v", 1}, {"key", text(s.key)}, {"generation", s.generation}, {"old", base64(s.old_key)}, {"new", base64(s.new_key)},
          {"size", s.size}, {"at", s.at.str()}};
}

Result<Bytes> binary(Members& m, std::string_view name) {
  CAIP_TRY(coded, m.string(name, kMostText));
  auto bytes = from_base64(coded);
  if (!bytes) return fail(Code::malformed, "a succession: not base64");
  return *std::move(bytes);
}

}  // namespace

std::string_view text(SuccessionKey key) noexcept {
  switch (key) {
    case SuccessionKey::checkpoint: return "checkpoint";
    case SuccessionKey::cosign: return "cosign";
    case SuccessionKey::order: break;
  }
  return "order";
}

Result<SuccessionKey> parse_succession_key(std::string_view name) {
  for (const auto key : {SuccessionKey::checkpoint, SuccessionKey::cosign, SuccessionKey::order})
    if (text(key) == name) return key;
  return fail(Code::malformed, "a succession of an unknown key");
}

Bytes succession_message(const Succession& s) {
  const std::string all = std::string(kSuccessionPrefix) + canonical(statement(s));
  return {all.begin(), all.end()};
}

std::string succession_text(const Succession& s, BytesView old_signature, BytesView new_signature) {
  json::object all = statement(s);
  all["old_signature"] = base64(old_signature);
  all["new_signature"] = base64(new_signature);
  return canonical(all);
}

Result<Succession> open_succession(std::string_view in) {
  if (in.size() > kMostSuccession) return fail(Code::malformed, "a succession has at most 16 KiB");
  CAIP_TRY(value, parse_canonical(in));
  if (!value.is_object()) return fail(Code::malformed, "a succession is an object");
  Members m(value.get_object());
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_TRY(name, m.string("key", 16));
  CAIP_TRY(generation, m.integer("generation", 2, kMostGeneration));
  CAIP_TRY(size, m.integer("size", 1, kMostNumber));
  CAIP_TRY(at, m.string("at", 32));
  CAIP_TRY(old_key, binary(m, "old"));
  CAIP_TRY(new_key, binary(m, "new"));
  CAIP_TRY(old_signature, binary(m, "old_signature"));
  CAIP_TRY(new_signature, binary(m, "new_signature"));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(key, parse_succession_key(name));
  CAIP_TRY(time, Instant::parse(at));
  Succession s{.key = key, .generation = static_cast<std::uint32_t>(generation), .old_key = std::move(old_key), .new_key = std::move(new_key),
               .size = static_cast<std::uint64_t>(size), .at = time};
  if (s.old_key.size() != key_size(key) || s.new_key.size() != key_size(key) || s.old_key == s.new_key)
    return fail(Code::malformed, "a succession names two keys of its kind");
  if (succession_text(s, old_signature, new_signature) != in) return fail(Code::malformed, "a succession: not in its one form");
  const Bytes message = succession_message(s);
  if (!holds(key, s.old_key, message, old_signature)) return fail(Code::forbidden, "a succession that the old key did not sign");
  if (!holds(key, s.new_key, message, new_signature)) return fail(Code::forbidden, "a succession that the new key did not sign");
  return s;
}

Result<HeldKey> follow(const HeldKey& held, SuccessionKey key, std::string_view in) {
  CAIP_TRY(s, open_succession(in));
  if (s.key != key || s.old_key != held.key) return fail(Code::forbidden, "a succession of another key than the one held");
  if (held.generation != 0 && s.generation != held.generation + 1) return fail(Code::forbidden, "a succession to a generation that is not the next");
  return HeldKey{std::move(s.new_key), s.generation};
}

}  // namespace caip::crypto
