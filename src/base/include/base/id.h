// base/id.h: opaque, prefixed identifiers. An Id<Tag> is 16 random bytes; its text is the
// tag's prefix and 26 characters of Crockford base32 in lower case ("srv_0k3…"). Ids of
// different tags do not mix.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip {

using IdBytes = std::array<std::uint8_t, 16>;
std::string id_text(std::string_view prefix, const IdBytes&);
std::optional<IdBytes> id_parse(std::string_view prefix, std::string_view text);

template <class Tag>
class Id {
 public:
  explicit Id(const IdBytes& bytes) : bytes_(bytes) {}
  static Result<Id> parse(std::string_view text) {
    if (auto b = id_parse(Tag::kPrefix, text)) return Id{*b};
    return fail(Code::malformed, "not an identifier of the form " + std::string(Tag::kPrefix) + "…");
  }
  std::string str() const { return id_text(Tag::kPrefix, bytes_); }
  const IdBytes& bytes() const { return bytes_; }
  auto operator<=>(const Id&) const = default;

 private:
  IdBytes bytes_;
};

}  // namespace caip

template <class Tag>
struct std::hash<caip::Id<Tag>> {
  std::size_t operator()(const caip::Id<Tag>& id) const noexcept {
    std::size_t h = 0;  // the bytes are random already
    for (std::size_t i = 0; i < sizeof h; ++i) h = (h << 8) | id.bytes()[i];
    return h;
  }
};
