// Any text as a URL, a network, an address: read or refused, and never a way to a private literal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "outbound/client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static const caip::outbound::Client client({});
  const bool fine = client.acceptable(text).has_value();
  for (const char* inside : {"https://127.0.0.1/", "https://[::1]/", "https://user@"})
    if (fine && text.starts_with(inside)) std::abort();
  if (auto address = caip::outbound::Address::parse(text)) static_cast<void>(caip::outbound::is_public(*address));
  if (auto network = caip::outbound::Network::parse(text)) static_cast<void>(network->contains(*caip::outbound::Address::parse("8.8.8.8")));
  return 0;
}
