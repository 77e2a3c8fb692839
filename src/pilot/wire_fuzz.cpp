// What caip-pilotd sends to caipd, after a model's text may have taken it over.
#include <cstdint>

#include "base/bytes.h"
#include "wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  if (const auto event = pilot::decode_event(text_of({data, size}))) CAIP_ASSERT(pilot::decode_event(pilot::encode_event(*event)));
  if (const auto request = pilot::decode_request(text_of({data, size})))
    CAIP_ASSERT(pilot::decode_request(pilot::encode_request(request->provider, request->messages, request->offer)));
  return 0;
}
