#include "crypto/bcrypt.h"

#include <crypt.h>

#include <cstring>
#include <memory>

#include "crypto/random.h"

namespace caip::crypto {
namespace {

bool whole(std::string_view text) { return text.size() <= 72 && text.find('\0') == text.npos; }

struct Wiped {
  void operator()(crypt_data* d) const noexcept {
    explicit_bzero(d, sizeof *d);
    delete d;  // NOLINT(cppcoreguidelines-owning-memory)
  }
};

// Empty on failure; crypt_ra and friends mark failure with a text beginning with '*'.
std::string run(const std::string& text, const std::string& setting) {
  std::unique_ptr<crypt_data, Wiped> data(new crypt_data{});
  const char* out = crypt_r(text.c_str(), setting.c_str(), data.get());
  if (out == nullptr || out[0] == '*') return {};
  return out;
}

Result<std::string> fresh_setting(int cost) {
  const Bytes salt = random_bytes(16);
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (crypt_gensalt_rn("$2b$", static_cast<unsigned long>(cost), reinterpret_cast<const char*>(salt.data()),
                       static_cast<int>(salt.size()), setting, sizeof setting) == nullptr)
    return fail(Code::internal, "bcrypt refused the cost");
  return std::string(setting);
}

}  // namespace

Result<std::string> bcrypt_hash(std::string_view text, int cost) {
  if (!whole(text)) return fail(Code::internal, "bcrypt would cut this text");
  CAIP_TRY(setting, fresh_setting(cost));
  std::string hash = run(std::string(text), setting);
  if (hash.empty()) return fail(Code::internal, "bcrypt failed");
  return hash;
}

Result<std::string> bcrypt_decoy(int cost) {
  CAIP_TRY(decoy, fresh_setting(cost));
  // bcrypt's own alphabet; 31 characters of six random bits stand where the 23 bytes of a hash would.
  constexpr std::string_view kAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (const std::uint8_t byte : random_bytes(31)) decoy += kAlphabet[byte & 63U];
  return decoy;
}

bool bcrypt_matches(std::string_view text, const std::string& hash) noexcept {
  if (!whole(text) || !hash.starts_with("$2b$")) return false;
  const std::string again = run(std::string(text), hash);
  return !again.empty() && equal_ct(view(again), view(hash));
}

}  // namespace caip::crypto
