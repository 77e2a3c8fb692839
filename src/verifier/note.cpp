#include "note.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "crypto/hash.h"

namespace caip::verifier {
namespace {

constexpr std::size_t kMostNote = 256 * 1024;
constexpr std::string_view kDash = "\xe2\x80\x94 ";

std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t n = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return n;
}

std::string key_id(const Key& k) {
  const auto type = static_cast<std::uint8_t>(k.type);
  const Digest d = crypto::sha256({view(k.name), view("\n"), BytesView(&type, 1), k.bytes});
  return std::string(text_of(d).substr(0, 4));
}

void put64(std::string& out, std::uint64_t n) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(n >> shift));
}

std::string message(const Checkpoint& c, const Key& k, std::uint64_t seconds) {
  if (k.type == KeyType::ed25519) return c.text;
  if (k.type == KeyType::ed25519_cosigner) return "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + c.text;
  std::string out("subtree/v1\n\0", 12);
  out.push_back(static_cast<char>(k.name.size()));
  out += k.name;
  put64(out, seconds);
  out.push_back(static_cast<char>(kOrigin.size()));
  out += kOrigin;
  put64(out, 0);
  put64(out, c.size);
  return out += text_of(c.root);
}

}  // namespace

std::optional<std::string> unbase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > kMostNote) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (n != static_cast<int>(out.size())) return std::nullopt;
  // The decoder counts padding as zeros.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  out.resize(out.size() - padding);
  // It takes spaces at the ends and stray bits in the last letter, too: a second way to write the same.
  std::string again(text.size() + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(again.data()), reinterpret_cast<const unsigned char*>(out.data()), static_cast<int>(out.size()));
  again.pop_back();
  if (again != text) return std::nullopt;
  return out;
}

bool signature_holds(const Key& k, const std::string& text, std::string_view signature) {
  struct Free {
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  };
  const char* name = k.type == KeyType::mldsa44_cosigner ? "ML-DSA-44" : "ED25519";
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_PKEY_new_raw_public_key_ex(nullptr, name, nullptr, k.bytes.data(), k.bytes.size()));
  const std::unique_ptr<EVP_MD_CTX, Free> ctx(EVP_MD_CTX_new());
  const BytesView s = view(signature), t = view(text);
  const bool good = key && ctx && EVP_DigestVerifyInit_ex(ctx.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) == 1 &&
                    EVP_DigestVerify(ctx.get(), s.data(), s.size(), t.data(), t.size()) == 1;
  ERR_clear_error();
  return good;
}

std::optional<Key> read_vkey(std::string_view text) {
  const auto first = text.find('+');
  const auto second = first == text.npos ? first : text.find('+', first + 1);
  if (second == text.npos || first == 0 || first > 255) return std::nullopt;
  const auto raw = unbase64(text.substr(second + 1));
  if (!raw || raw->size() < 2) return std::nullopt;
  Key k{std::string(text.substr(0, first)), static_cast<KeyType>((*raw)[0]), Bytes(raw->begin() + 1, raw->end())};
  const bool known = k.type == KeyType::mldsa44_cosigner ? k.bytes.size() == 1312
                                                         : (k.type == KeyType::ed25519 || k.type == KeyType::ed25519_cosigner) && k.bytes.size() == 32;
  if (!known || hex(view(key_id(k))) != text.substr(first + 1, second - first - 1)) return std::nullopt;
  return k;
}

std::optional<Checkpoint> read_checkpoint(std::string_view note) {
  const auto gap = note.rfind("\n\n");
  if (note.size() > kMostNote || gap == note.npos || !note.ends_with('\n')) return std::nullopt;
  Checkpoint c;
  c.text = std::string(note.substr(0, gap + 1));
  // Origin, size and root; this log writes no extension lines.
  std::string_view rest = c.text;
  std::string_view line[3];
  for (auto& l : line) {
    const auto end = rest.find('\n');
    if (end == rest.npos) return std::nullopt;
    l = rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
  const auto size = number(line[1]);
  const auto root = unbase64(line[2]);
  if (!rest.empty() || line[0] != kOrigin || !size || !root || root->size() != 32) return std::nullopt;
  c.size = *size;
  std::ranges::copy(view(*root), c.root.begin());
  for (rest = note.substr(gap + 2); !rest.empty();) {
    const auto end = rest.find('\n');
    std::string_view l = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const auto space = l.rfind(' ');
    if (!l.starts_with(kDash) || space == l.npos || space <= kDash.size()) return std::nullopt;
    auto raw = unbase64(l.substr(space + 1));
    if (!raw || raw->size() < 5) return std::nullopt;
    c.lines.push_back({std::string(l.substr(kDash.size(), space - kDash.size())), *std::move(raw)});
  }
  return c;
}

Verdict check(const Checkpoint& c, const Key& k) {
  Verdict out;
  const std::string id = key_id(k);
  for (const auto& line : c.lines) {
    if (line.name != k.name || !line.raw.starts_with(id)) continue;
    std::string_view signature = std::string_view(line.raw).substr(4);
    std::uint64_t seconds = 0;
    if (k.type != KeyType::ed25519) {
      if (signature.size() < 8) return {Signed::wrong, 0};
      for (std::size_t i = 0; i < 8; ++i) seconds = seconds << 8 | static_cast<unsigned char>(signature[i]);
      signature.remove_prefix(8);
    }
    if (seconds >> 63 != 0 || !signature_holds(k, message(c, k, seconds), signature)) return {Signed::wrong, 0};
    out = {Signed::yes, std::max(out.seconds, seconds)};
  }
  return out;
}

}  // namespace caip::verifier
