#include "stream_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return caip::pilot::fuzz_stream(caip::pilot::kResponses, data, size); }
