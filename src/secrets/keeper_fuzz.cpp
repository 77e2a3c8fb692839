// Requests to caip-keeper: whatever arrives, there is an answer, and it is one frame.
#include <cstdlib>
#include <filesystem>

#include "keeper_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  static const ManualClock clock{Instant(1'790'000'000'000'000)};
  static const secrets::Core keeper = [] {
    char name[] = "/tmp/caip-fuzz-XXXXXX";
    auto opened = secrets::open_core(std::string(mkdtemp(name)) + "/keys", clock, {}).value();
    std::filesystem::remove_all(name);  // the keys are in memory now
    return opened;
  }();
  const Bytes out = secrets::answer(*keeper, BytesView(data, size));
  CAIP_ASSERT(!out.empty() && out.size() <= secrets::kMaxFrame);
  return 0;
}
