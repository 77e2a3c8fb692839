// What an agent says of its own key, as far as it is read before anybody is asked: requests, vouchers, proofs.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "channel/agent_keys.h"
#include "crypto/certificates.h"
#include "wire.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  wire::ToServer message;
  if (size > 64 * 1024 || !message.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (auto offer = channel::from_wire(message.key())) {
    const auto asked = crypto::read_request(offer->request);
    if (asked && asked->key == Digest{}) std::abort();
  }
  if (auto proof = channel::from_wire(message.proof())) static_cast<void>(crypto::verify_with_key({proof->key, proof->signature}, Bytes(3, 1)));
  return 0;
}
