#include "cursors.h"

#include "crypto/mac.h"
#include "crypto/random.h"

namespace caip::web {
namespace {

constexpr std::size_t kTag = 16;
constexpr std::size_t kNumber = 8;
constexpr std::size_t kMost = 512;

Bytes encoded(const Place& place) {
  Bytes out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(place.number) >> shift));
  const BytesView id = view(place.id);
  out.insert(out.end(), id.begin(), id.end());
  return out;
}

Place decoded(BytesView bytes) {
  std::uint64_t number = 0;
  for (const std::uint8_t b : bytes.first(kNumber)) number = number << 8 | b;
  return {static_cast<std::int64_t>(number), std::string(text_of(bytes.subspan(kNumber)))};
}

}  // namespace

Cursors::Cursors() : key_(crypto::random_bytes(32)) {}

Bytes Cursors::tag(BytesView place, std::string_view scope) const {
  Bytes message(view(scope).begin(), view(scope).end());
  message.push_back(0);  // neither a path nor an id has one
  message.insert(message.end(), place.begin(), place.end());
  Bytes mac = crypto::hmac_sha384(key_, message);
  mac.resize(kTag);
  return mac;
}

std::string Cursors::seal(const Place& place, std::string_view scope) const {
  const Bytes body = encoded(place);
  Bytes out = tag(body, scope);
  out.insert(out.end(), body.begin(), body.end());
  return base64url(out);
}

Result<Place> Cursors::open(std::string_view cursor, std::string_view scope) const {
  const auto bytes = cursor.size() <= kMost ? from_base64url(cursor) : std::nullopt;
  if (bytes && bytes->size() >= kTag + kNumber) {
    const BytesView body = BytesView(*bytes).subspan(kTag);
    if (crypto::equal_ct(BytesView(*bytes).first(kTag), tag(body, scope))) return decoded(body);
  }
  return fail(Code::malformed, "not a cursor of this list, or of before a restart; begin the list anew");
}

}  // namespace caip::web
