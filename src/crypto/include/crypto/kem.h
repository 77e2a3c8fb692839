// crypto/kem.h: X25519MLKEM768 as a key encapsulation of its own (OpenSSL 3.5): whoever has the
// public key can make a shared secret that the holder of the private key finds again. The two
// halves' secrets come concatenated (64 bytes): put them through hkdf_sha256 with the ciphertext
// and the public key before use, never use them bare.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::crypto {

struct KemPair {
  Bytes public_key;         // 1216 bytes
  SecretBytes private_key;  // 2432 bytes
};
struct Encapsulated {
  Bytes ciphertext;    // 1120 bytes
  SecretBytes shared;  // 64 bytes
};

Result<KemPair> kem_generate();
Result<Encapsulated> kem_encapsulate(BytesView public_key);
// A changed ciphertext gives another secret (implicit rejection, FIPS 203), not an error.
Result<SecretBytes> kem_decapsulate(const SecretBytes& private_key, BytesView ciphertext);

}  // namespace caip::crypto
