// crypto/kdf.h: keys from secrets. HKDF (RFC 5869) for secrets that are random already; Argon2id
// (RFC 9106) for what people choose.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::crypto {

SecretBytes hkdf_sha256(const SecretBytes& secret, BytesView salt, BytesView info);  // 32 bytes

struct Argon2Cost {
  std::uint32_t memory_kib = 256 * 1024;
  std::uint32_t passes = 3;
  std::uint32_t lanes = 4;  // computed one after the other: no threads in the keeper
};
// 32 bytes. Refuses costs outside 8 MiB..2 GiB, 1..64 passes, 1..16 lanes, so that a changed file
// can neither weaken a seal nor eat the machine.
Result<SecretBytes> argon2id(const SecretBytes& passphrase, BytesView salt, const Argon2Cost&);

}  // namespace caip::crypto
