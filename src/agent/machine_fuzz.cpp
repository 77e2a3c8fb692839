// What processes may make of the kernel's files about them: read or refused, never more than was there.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "machine.h"
#include "sockets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto p = caip::agent::parse_process(text); p && (p->name.size() > size || !text.contains(p->name))) std::abort();
  static_cast<void>(caip::agent::parse_uid(text));
  const std::string unit = caip::agent::unit_of(caip::agent::group_path(text));
  if (!unit.empty() && (!text.contains(unit) || unit.contains('/'))) std::abort();
  std::vector<caip::agent::Listening> sockets;
  static_cast<void>(caip::agent::take_answer(text, true, sockets));
  if (sockets.size() > size / 72) std::abort();  // each takes an inet_diag_msg at least
  return 0;
}
