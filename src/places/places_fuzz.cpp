// The database of places is somebody else's file: whatever is in it, an address has a network, and a country is two letters
// or none.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "places/places.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using caip::places::Places;
  if (size > 64 * 1024) return 0;
  const int fd = memfd_create("places", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (auto places = Places::open(path, path)) {
    for (const char* address : {"192.0.2.1", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::"}) {
      const auto place = places->of(address);
      if (place.network.empty() || (!place.country.empty() && place.country.size() != 2)) std::abort();
      for (const char c : place.country)
        if (c < 'A' || c > 'Z') std::abort();
    }
  }
  ::close(fd);
  return 0;
}
