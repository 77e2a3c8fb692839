// Imported SSH keys: whatever arrives, it is an Ed25519 key that we can use, or it is refused.
#include "crypto/ed25519.h"
#include "crypto/ssh.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  const SecretBytes text(Bytes(data, data + size));
  if (const auto seed = crypto::ssh_private_key(text)) CAIP_ASSERT(seed->size() == 32 && crypto::SigningKey::from_seed(*seed));
  return 0;
}
