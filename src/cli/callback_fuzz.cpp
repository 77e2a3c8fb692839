#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "browser.h"

// Whatever a browser, or anybody on this computer, asks the waiting command line for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  const auto answer = caip::cli::brought(target, "s1");
  if (answer.ours && !target.starts_with("/callback?")) std::abort();
  if (answer.code && (!answer.ours || answer.code->empty())) std::abort();
  return 0;
}
