// What opens as a succession is signed by both keys it names, and is followed from the one and from no other.
#include <cstddef>
#include <cstdint>

#include "crypto/succession.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  const auto text = text_of({data, size});
  if (const auto s = crypto::open_succession(text)) {
    CAIP_ASSERT(crypto::follow({s->old_key, s->generation - 1}, s->key, text).has_value());
    CAIP_ASSERT(!crypto::follow({s->new_key, s->generation}, s->key, text).has_value());
  }
  return 0;
}
