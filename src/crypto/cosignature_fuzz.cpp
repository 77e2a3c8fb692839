// Verifier keys and signature lines from outside: what parses is written back the same.
#include "base/result.h"
#include "crypto/cosignature.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = crypto::parse_vkey(text)) CAIP_ASSERT(crypto::vkey(*key) == text);
  if (const auto line = crypto::parse_signature_line(text)) {
    CAIP_ASSERT(crypto::signature_line(*line) == text);
    static_cast<void>(crypto::cosigned_at({"x\n", {*line}}, {line->name, crypto::CosignatureType::ed25519, Bytes(32, 1)}));
  }
  return 0;
}
