// Access tokens whose signature was found good, by their SHA-256: a browser or program sends the
// same one for ten minutes, and an Ed25519 check costs more than all the rest of a small read. Only
// what the signature says is remembered. Times, session and epoch are checked on every request, so
// a session that ends ends at once. Private.
#pragma once
#include <map>
#include <optional>
#include <string_view>

#include "base/guarded.h"
#include "crypto/hash.h"
#include "jwt.h"

namespace caip::auth {

class TokenCache {  // thread-safe
 public:
  static constexpr std::size_t kMost = 4096;
  std::optional<Claims> find(const Digest& token) const {
    return known_.with([&](const auto& all) -> std::optional<Claims> {
      const auto it = all.find(token);
      return it == all.end() ? std::nullopt : std::optional(it->second);
    });
  }
  void keep(const Digest& token, const Claims& claims) {
    known_.with([&](auto& all) {
      if (all.size() >= kMost) all.clear();  // all are back after one check each
      all.emplace(token, claims);
    });
  }
  std::size_t size() const { return known_.with([](const auto& all) { return all.size(); }); }

 private:
  Guarded<std::map<Digest, Claims>> known_;
};

}  // namespace caip::auth
