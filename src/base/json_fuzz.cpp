// What parses canonically writes back byte for byte; what parses at all, and has only our kind
// of numbers, has a canonical form that parses canonically. Shown text hides nothing.
#include <cstdint>

#include "base/json.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto value = caip::parse_canonical(text)) {
    CAIP_ASSERT(caip::canonical(*value) == text);
    CAIP_ASSERT(caip::parse_json(text).has_value());
  }
  CAIP_ASSERT(!caip::has_hidden(caip::shown(text)));
  return 0;
}
