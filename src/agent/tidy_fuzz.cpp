// Whatever a machine writes becomes UTF-8 of at most so many bytes, and stays what it is when tidied again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "tidy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (std::size_t max : {std::size_t{16}, std::size_t{32}, caip::agent::kMaxUnitText, caip::agent::kMaxLine}) {
    const std::string out = caip::agent::tidy(text, max);
    if (out.size() > max || !caip::valid_utf8(out) || caip::agent::tidy(out, max) != out) std::abort();
  }
  return 0;
}
