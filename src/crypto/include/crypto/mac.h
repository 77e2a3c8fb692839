// crypto/mac.h: HMAC (RFC 2104).
#pragma once
#include "base/bytes.h"
#include "crypto/secret.h"

namespace caip::crypto {

Bytes hmac_sha384(const SecretBytes& key, BytesView message);
Bytes hmac_sha256(const SecretBytes& key, BytesView message);  // for webhooks, whose standard says so

}  // namespace caip::crypto
