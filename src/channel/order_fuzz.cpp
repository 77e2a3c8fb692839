// Orders and proofs as a helper gets them: nothing may crash, nothing may pass.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "channel/order.h"
#include "wire.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto order = channel::decode_order(text); order && channel::encode(*order) != text) std::abort();
  if (auto began = channel::decode_began(text); began && channel::encode(*began) != text) std::abort();
  wire::Order message;
  if (size > 1024 * 1024 || !message.ParseFromArray(data, static_cast<int>(size))) return 0;
  auto order = channel::from_wire(message);
  static const ManualClock clock{Instant(1'790'000'000'000'000)};
  static const channel::OrderVerifier verifier({ServerId{IdBytes{7}}, Bytes(32, 1), Bytes(32, 2), Bytes(1312, 3), std::string(64, 'c')}, clock);
  if (order && verifier.verify(*order)) std::abort();
  return 0;
}
