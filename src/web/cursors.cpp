#include "cursors.h"

#include "crypto/mac.h"
#include "crypto/random.h"

namespace caip::web {
namespace {

constexpr std::size_t kTag = 16;
constexpr std::size_t kNumber = 8;
constexpr std::size_t kMost = 512;

std::string encoded(const Place& place) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<std::uint64_t>(place.number) >> shift);
  return out + place.id;
}

Place decoded(BytesView bytes) {
  std::uint64_t number = 0;
  for (const std::uint8_t b : bytes.first(kNumber)) number = number << 8 | b;
  return {static_cast<std::int64_t>(number), std::string(text_of(bytes.subspan(kNumber)))};
}

}  // namespace

Cursors::Cursors() : key_(crypto::random_bytes(32)) {}

std::string Cursors::tag(std::string_view place, std::string_view scope) const {
  // Between them a zero: neither a path nor an id has one.
  const std::string message = std::string(scope) + '\0' + std::string(place);
  return std::string(text_of(crypto::hmac_sha384(key_, view(message))).substr(0, kTag));
}

std::string Cursors::seal(const Place& place, std::string_view scope) const {
  const std::string body = encoded(place);
  return base64url(view(tag(body, scope) + body));
}

Result<Place> Cursors::open(std::string_view cursor, std::string_view scope) const {
  const auto bytes = cursor.size() <= kMost ? from_base64url(cursor) : std::nullopt;
  if (bytes && bytes->size() >= kTag + kNumber) {
    const BytesView body = BytesView(*bytes).subspan(kTag);
    if (crypto::equal_ct(BytesView(*bytes).first(kTag), view(tag(text_of(body), scope)))) return decoded(body);
  }
  return fail(Code::malformed, "not a cursor of this list, or of before a restart; begin the list anew");
}

}  // namespace caip::web
