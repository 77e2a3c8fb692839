// plain_digest.h: a digest in a request: 64 hex digits. Private.
#pragma once
#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::web {

inline Result<Digest> parse_digest(const std::string& text) {
  auto bytes = from_hex(text);
  Digest digest{};
  if (!bytes || bytes->size() != digest.size()) return fail(Code::malformed, "digest is 64 hex digits");
  std::ranges::copy(*bytes, digest.begin());
  return digest;
}

}  // namespace caip::web
