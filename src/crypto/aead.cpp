#include "crypto/aead.h"

#include <array>

#include "openssl.h"

namespace caip::crypto {
namespace {

constexpr std::size_t kTag = 16;
using Block = std::array<std::uint8_t, 16>;
using CipherCtx = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;

// Fetching costs more than sealing a short value.
const EVP_CIPHER* gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}
const EVP_CIPHER* ecb() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
  return cipher;
}

// The message's own key: two blocks of CMAC under the long-lived key. CMAC's subkey K1 is that of
// NIST SP 800-38B for whole blocks.
class MessageKey {
 public:
  MessageKey(const SecretBytes& key, BytesView nonce) {
    thread_local const CipherCtx ctx(EVP_CIPHER_CTX_new());
    key.expose(Use::seal_value, [&](BytesView k) { CAIP_ASSERT(ctx && EVP_EncryptInit_ex2(ctx.get(), ecb(), k.data(), nullptr, nullptr) == 1); });
    CAIP_ASSERT(EVP_CIPHER_CTX_set_padding(ctx.get(), 0) == 1);
    Block subkey{};
    encrypt(ctx, subkey.data(), subkey.size());
    const std::uint8_t carry = subkey[0] >> 7U;
    for (std::size_t i = 0; i < 15; ++i) subkey[i] = static_cast<std::uint8_t>((subkey[i] << 1U) | (subkey[i + 1] >> 7U));
    subkey[15] = static_cast<std::uint8_t>((unsigned{subkey[15]} << 1U) ^ (carry * 0x87U));
    for (std::size_t half = 0; half < 2; ++half) {
      const std::array<std::uint8_t, 4> label{0, static_cast<std::uint8_t>(half + 1), 'X', 0};
      for (std::size_t i = 0; i < 16; ++i) bytes_[half * 16 + i] = static_cast<std::uint8_t>(subkey[i] ^ (i < 4 ? label[i] : nonce[i - 4]));
    }
    encrypt(ctx, bytes_.data(), bytes_.size());
    OPENSSL_cleanse(subkey.data(), subkey.size());
    EVP_CIPHER_CTX_reset(ctx.get());  // wipes the key schedule
  }
  MessageKey(const MessageKey&) = delete;
  MessageKey& operator=(const MessageKey&) = delete;
  ~MessageKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  const std::uint8_t* data() const { return bytes_.data(); }

 private:
  static void encrypt(const CipherCtx& ctx, std::uint8_t* bytes, std::size_t size) {
    int done = 0;
    CAIP_ASSERT(EVP_EncryptUpdate(ctx.get(), bytes, &done, bytes, static_cast<int>(size)) == 1 && done == static_cast<int>(size));
  }
  std::array<std::uint8_t, 32> bytes_{};
};

int length(BytesView b) {
  CAIP_ASSERT(b.size() <= std::size_t{1} << 30U);
  return static_cast<int>(b.size());
}

EVP_CIPHER_CTX* context() {
  thread_local const CipherCtx ctx(EVP_CIPHER_CTX_new());
  CAIP_ASSERT(ctx != nullptr);
  return ctx.get();
}

}  // namespace

AeadKey AeadKey::generate() { return AeadKey(SecretBytes(random_bytes(kAeadKeyBytes))); }

Result<AeadKey> AeadKey::from(SecretBytes&& key) {
  if (key.size() != kAeadKeyBytes) return fail(Code::malformed, "an AES-256 key has 32 bytes");
  return AeadKey(std::move(key));
}

AeadKey AeadKey::clone() const {
  Bytes copy;
  key_.expose(Use::seal_value, [&](BytesView b) { copy.assign(b.begin(), b.end()); });
  return AeadKey(SecretBytes(std::move(copy)));
}

Bytes AeadKey::encrypt(BytesView plaintext, BytesView associated, BytesView nonce) const {
  CAIP_ASSERT(nonce.size() == kAeadNonceBytes);
  const MessageKey key(key_, nonce);
  EVP_CIPHER_CTX* ctx = context();
  Bytes out(plaintext.size() + kTag);
  int done = 0, rest = 0;
  CAIP_ASSERT(EVP_EncryptInit_ex2(ctx, gcm(), key.data(), nonce.data() + 12, nullptr) == 1);
  CAIP_ASSERT(EVP_EncryptUpdate(ctx, nullptr, &done, associated.data(), length(associated)) == 1);
  CAIP_ASSERT(EVP_EncryptUpdate(ctx, out.data(), &done, plaintext.data(), length(plaintext)) == 1);
  CAIP_ASSERT(EVP_EncryptFinal_ex(ctx, out.data() + done, &rest) == 1);
  CAIP_ASSERT(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, kTag, out.data() + plaintext.size()) == 1);
  EVP_CIPHER_CTX_reset(ctx);
  return out;
}

Bytes AeadKey::seal(BytesView plaintext, BytesView associated) const {
  Bytes out = random_bytes(kAeadNonceBytes);
  const Bytes rest = encrypt(plaintext, associated, out);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

Bytes AeadKey::seal_with_nonce_for_test(BytesView plaintext, BytesView associated, BytesView nonce) const {
  return encrypt(plaintext, associated, nonce);
}

Result<SecretBytes> AeadKey::open(BytesView sealed, BytesView associated) const {
  const auto refused = [] { return fail(Code::storage_failed, "a sealed value does not open: it was changed, moved, or sealed under another key"); };
  if (sealed.size() < kAeadOverhead) return refused();
  const BytesView nonce = sealed.first(kAeadNonceBytes);
  const BytesView text = sealed.subspan(kAeadNonceBytes, sealed.size() - kAeadOverhead);
  Bytes tag(sealed.end() - kTag, sealed.end());
  const MessageKey key(key_, nonce);
  EVP_CIPHER_CTX* ctx = context();
  Bytes out(text.size());
  std::uint8_t nothing = 0;  // Final wants somewhere to write nothing to
  int done = 0, rest = 0;
  CAIP_ASSERT(EVP_DecryptInit_ex2(ctx, gcm(), key.data(), nonce.data() + 12, nullptr) == 1);
  CAIP_ASSERT(EVP_DecryptUpdate(ctx, nullptr, &done, associated.data(), length(associated)) == 1);
  CAIP_ASSERT(EVP_DecryptUpdate(ctx, out.data(), &done, text.data(), length(text)) == 1);
  CAIP_ASSERT(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) == 1);
  const bool good = EVP_DecryptFinal_ex(ctx, &nothing, &rest) == 1;
  EVP_CIPHER_CTX_reset(ctx);
  if (good) return SecretBytes(std::move(out));
  wipe(out);  // nobody sees what did not verify
  ERR_clear_error();
  return refused();
}

}  // namespace caip::crypto
