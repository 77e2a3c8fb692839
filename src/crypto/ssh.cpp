#include "crypto/ssh.h"

#include <openssl/pem.h>

#include <algorithm>

#include "crypto/ed25519.h"
#include "openssl.h"

namespace caip::crypto {
namespace {

constexpr std::size_t kMostText = 16 * 1024;
constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----", kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view kType = "ssh-ed25519";

std::unexpected<Error> not_a_key() {
  return fail(Code::invalid, "not an unencrypted Ed25519 private key in OpenSSH or PKCS#8 form");
}

class Wire {  // RFC 4251 section 5
 public:
  explicit Wire(BytesView b) : rest_(b) {}
  BytesView string() {
    const std::size_t size = number();
    return take(size);
  }
  std::uint32_t number() {
    const BytesView b = take(4);
    std::uint32_t v = 0;
    for (const auto byte : b) v = (v << 8) | byte;
    return v;
  }
  BytesView take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const BytesView out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  bool good() const { return good_; }
  BytesView rest() const { return rest_; }

 private:
  BytesView rest_;
  bool good_ = true;
};

bool same(BytesView a, std::string_view b) { return text_of(a) == b; }

// Base64 in lines; OpenSSH wraps at 70. OpenSSL's decoder works on what we may wipe.
bool decode_lines(std::string_view text, Bytes& out) {
  Bytes packed;
  packed.reserve(text.size());
  for (const char c : text)
    if (c != '\n' && c != '\r' && c != ' ') packed.push_back(static_cast<std::uint8_t>(c));
  const std::size_t size = packed.size();
  out.resize(size / 4 * 3);
  bool good = size % 4 == 0 && size != 0;
  if (good) {
    const int n = EVP_DecodeBlock(out.data(), packed.data(), static_cast<int>(size));
    good = n >= 0;
    if (good) {
      const std::size_t padding = packed[size - 2] == '=' ? 2 : packed[size - 1] == '=' ? 1 : 0;
      out.resize(static_cast<std::size_t>(n) - padding);
    }
  }
  wipe(packed);
  return good;
}

// The private section: two equal check numbers, the key, its public half again, comment, padding 1 2 3…
Result<SecretBytes> private_section(BytesView section, BytesView public_blob) {
  Wire w(section);
  const auto first = w.number(), second = w.number();
  const BytesView type = w.string(), public_key = w.string(), both = w.string();
  w.string();  // comment
  const BytesView padding = w.rest();
  if (!w.good() || first != second || section.size() % 8 != 0 || !same(type, kType) || public_key.size() != 32 || both.size() != 64) return not_a_key();
  for (std::size_t i = 0; i < padding.size(); ++i)
    if (padding[i] != i + 1) return not_a_key();
  SecretBytes seed(Bytes(both.begin(), both.begin() + 32));
  CAIP_TRY(key, SigningKey::from_seed(seed));
  Wire blob(public_blob);
  const BytesView blob_type = blob.string(), blob_key = blob.string();
  const Bytes own = key.public_key();
  const auto is_own = [&](BytesView b) { return std::ranges::equal(b, own); };
  if (!blob.good() || !blob.rest().empty() || !same(blob_type, kType) || !is_own(blob_key) || !is_own(public_key) || !is_own(both.subspan(32)))
    return not_a_key();
  return seed;
}

Result<SecretBytes> openssh_key(BytesView bytes) {
  Wire w(bytes);
  if (!same(w.take(15), std::string_view("openssh-key-v1\0", 15))) return not_a_key();
  const BytesView cipher = w.string(), kdf = w.string(), options = w.string();
  if (!same(cipher, "none") || !same(kdf, "none") || !options.empty() || w.number() != 1) return not_a_key();
  const BytesView public_blob = w.string(), section = w.string();
  if (!w.good() || !w.rest().empty()) return not_a_key();
  return private_section(section, public_blob);
}

int no_passphrase(char*, int, int, void*) { return -1; }

Result<SecretBytes> pem_key(BytesView text) {
  const Bio in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const Pkey key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) return not_a_key();
  Bytes seed(32);
  std::size_t size = seed.size();
  const bool got = EVP_PKEY_get_raw_private_key(key.get(), seed.data(), &size) == 1 && size == 32;
  SecretBytes out(std::move(seed));
  if (!got) return not_a_key();
  return out;
}

Result<SecretBytes> read_key(BytesView bytes) {
  const std::string_view text = text_of(bytes);
  const auto from = text.find(kBegin), to = text.find(kEnd);
  if (from == text.npos) return pem_key(bytes);
  if (to == text.npos || to < from) return not_a_key();
  Bytes decoded;
  const bool good = decode_lines(text.substr(from + kBegin.size(), to - from - kBegin.size()), decoded);
  auto key = good ? openssh_key(decoded) : Result<SecretBytes>(not_a_key());
  wipe(decoded);
  return key;
}

void put(std::string& out, std::string_view part) {
  for (unsigned shift = 32; shift != 0; shift -= 8) out += static_cast<char>(part.size() >> (shift - 8));
  out += part;
}

}  // namespace

Result<SecretBytes> ssh_private_key(const SecretBytes& text) {
  if (text.size() > kMostText) return not_a_key();
  Result<SecretBytes> out = not_a_key();
  text.expose(Use::load_key, [&](BytesView b) { out = read_key(b); });
  return out;
}

std::string ssh_authorized_key(BytesView public_key, std::string_view comment) {
  std::string blob;
  put(blob, kType);
  put(blob, text_of(public_key));
  std::string line = std::string(kType) + " " + base64(view(blob));
  if (!comment.empty()) line += " " + std::string(comment);
  return line;
}

}  // namespace caip::crypto
