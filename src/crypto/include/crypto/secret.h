// crypto/secret.h: bytes that must not leak by accident: move-only, wiped on destruction, compared
// in constant time, no stream operator, no conversion. What is inside is reached through
// expose(Use, f) alone, and nothing leaves by return. Use is a closed list: a new reader is a
// one-line change here.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "crypto/random.h"

namespace caip {

void wipe(Bytes&) noexcept;
void wipe(std::span<char>) noexcept;

enum class Use : std::uint8_t {
  hash_password,   // prehash under the pepper
  compute_mac,     // HMAC key
  load_key,        // parse a private key
  store_key,       // write a key file, 0600
  send_to_keeper,  // over the socketpair
  hand_to_client,  // a token that is shown to its owner once
  derive_key,      // HKDF, Argon2id
  seal_value,      // encrypt, or encrypt with
  named_use,       // a stored secret, for the one use it was opened for
};

class [[nodiscard]] SecretBytes final {
 public:
  SecretBytes() = default;
  explicit SecretBytes(Bytes&& bytes) noexcept : bytes_(std::move(bytes)) {}
  // Copies text and leaves the source to its owner; request bodies are wiped by who read them.
  explicit SecretBytes(std::string_view text) : bytes_(text.begin(), text.end()) {}
  SecretBytes(SecretBytes&& o) noexcept : bytes_(std::exchange(o.bytes_, {})) {}
  SecretBytes& operator=(SecretBytes&& o) noexcept {
    if (this != &o) {
      wipe(bytes_);
      bytes_ = std::exchange(o.bytes_, {});
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  friend bool operator==(const SecretBytes& a, const SecretBytes& b) noexcept { return crypto::equal_ct(a.bytes_, b.bytes_); }

  template <class F>
    requires(std::is_void_v<std::invoke_result_t<F, BytesView>>)
  void expose(Use, F&& use) const {
    std::forward<F>(use)(BytesView(bytes_));
  }
  template <class S>
  friend S& operator<<(S&, const SecretBytes&) = delete;

 private:
  Bytes bytes_;
};

}  // namespace caip
