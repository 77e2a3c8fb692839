// crypto/ssh.h: SSH keys, Ed25519 only (RFC 8709). Text forms are those of OpenSSH.
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::crypto {

// The 32-byte seed of an unencrypted private key: "-----BEGIN OPENSSH PRIVATE KEY-----"
// (PROTOCOL.key of OpenSSH) or PKCS#8 in PEM, which OpenSSL reads. At most 16 KiB. Encrypted keys
// and keys that do not match their own public half are refused.
Result<SecretBytes> ssh_private_key(const SecretBytes& text);

// "ssh-ed25519 AAAA… comment", as authorized_keys(5) has it. The comment is a SecretName or empty.
std::string ssh_authorized_key(BytesView public_key, std::string_view comment);

}  // namespace caip::crypto
