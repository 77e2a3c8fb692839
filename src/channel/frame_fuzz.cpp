// Frames and messages from an agent: first byte says how they are cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "channel/frame.h"
#include "inbox.h"
#include "wire.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  if (size == 0) return 0;
  const std::size_t step = data[0] % 64 + 1;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  channel::FrameReader reader;
  while (!rest.empty()) {
    reader.feed(rest.substr(0, step));
    rest.remove_prefix(std::min(step, rest.size()));
    for (;;) {
      auto body = reader.next();
      if (!body) return 0;
      if (!*body) break;
      if ((*body)->empty() || (*body)->size() > channel::kMaxFrame) std::abort();
      wire::ToServer message;
      if (!message.ParseFromString(**body)) continue;
      static_cast<void>(channel::read_hello(message.hello()));
      static_cast<void>(channel::read_held(message.held()));
      channel::read_metrics(message.report().metrics());
      if (auto units = channel::read_units(message.report().units()); !units) return 0;
      if (auto result = channel::read_result(message.result()); !result) return 0;
    }
  }
  return 0;
}
