// crypto/succession.h: a key hands over to the next one. A succession names both, is signed by both
// (the old one: that this is its successor; the new one: that somebody has it), and is kept for ever:
// whoever pinned a key once follows the chain to the one of today, however long they were away.
//
// Exact bytes: canonical JSON of the members below and the two signatures, at most kMostSuccession.
// What is signed begins with kSuccessionPrefix, which nothing else that these keys sign does.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace caip::crypto {

inline constexpr std::size_t kMostSuccession = 16 * 1024;
inline constexpr std::string_view kSuccessionPrefix = "caip succession v1\n";

// checkpoint and order are Ed25519, cosign is ML-DSA-44.
enum class SuccessionKey : std::uint8_t { checkpoint, cosign, order };
std::string_view text(SuccessionKey) noexcept;
Result<SuccessionKey> parse_succession_key(std::string_view);

struct Succession {
  SuccessionKey key = SuccessionKey::order;
  std::uint32_t generation = 2;  // of the new key
  Bytes old_key, new_key;        // public
  std::uint64_t size = 0;        // of the log that has this succession as its last entry: from here on the new key signs
  Instant at;
  bool operator==(const Succession&) const = default;
};

Bytes succession_message(const Succession&);  // what both keys sign
std::string succession_text(const Succession&, BytesView old_signature, BytesView new_signature);
// malformed: not exactly such bytes; forbidden: one of the two signatures is wrong.
Result<Succession> open_succession(std::string_view text);

// A key that somebody goes by. Its generation is 0 while they do not know it: a pinned first key.
struct HeldKey {
  Bytes key;
  std::uint32_t generation = 0;
  bool operator==(const HeldKey&) const = default;
};
// The key to go by from now on. forbidden when it is not the held key that hands over, or to a
// generation that is not the next.
Result<HeldKey> follow(const HeldKey&, SuccessionKey, std::string_view text);

}  // namespace caip::crypto
