#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "device.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string device = caip::auth::device_of({reinterpret_cast<const char*>(data), size});
  if (device.empty() || device.size() > 40) std::abort();
  for (const char c : device)
    if (c < ' ' || c > '~') std::abort();
  return 0;
}
