// crypto/mac.h: HMAC-SHA-384.
#pragma once
#include "base/bytes.h"
#include "crypto/secret.h"

namespace caip::crypto {

Bytes hmac_sha384(const SecretBytes& key, BytesView message);

}  // namespace caip::crypto
