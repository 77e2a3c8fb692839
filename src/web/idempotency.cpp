#include "idempotency.h"

#include "crypto/hash.h"

namespace caip::web {

Result<std::string> Idempotency::parse(std::string_view header) {
  if (header.empty()) return fail(Code::missing_idempotency_key, "send an Idempotency-Key header with a quoted string");
  bool quoted = header.size() >= 3 && header.size() <= 130 && header.front() == '"' && header.back() == '"';
  if (quoted) header = header.substr(1, header.size() - 2);
  for (char c : header)
    if (c < 0x21 || c > 0x7e || c == '"' || c == '\\') quoted = false;
  if (!quoted) return fail(Code::malformed, "Idempotency-Key must be a quoted string of 1 to 128 visible characters");
  return std::string(header);
}

Result<std::optional<http::Response>> Idempotency::begin(const std::string& key, const std::string& payload) {
  Instant now = clock_.now();
  std::string digest = hex(crypto::sha256(view(payload)));
  return table_.with([&](Table& t) -> Result<std::optional<http::Response>> {
    trim(t, now);
    auto [it, fresh] = t.entries.try_emplace(key, Entry{digest, now, std::nullopt});
    if (fresh) {
      t.order.emplace_back(now, key);
      return std::optional<http::Response>();
    }
    if (it->second.payload != digest) return fail(Code::key_reused, "this key was used with another request");
    if (!it->second.response) return fail(Code::in_progress, "the first request with this key is still running");
    return it->second.response;
  });
}

void Idempotency::finish(const std::string& key, const http::Response& response) {
  table_.with([&](Table& t) {
    if (auto it = t.entries.find(key); it != t.entries.end()) it->second.response = response;
  });
}

void Idempotency::forget(const std::string& key) {
  table_.with([&](Table& t) { t.entries.erase(key); });
}

void Idempotency::trim(Table& t, Instant now) {
  while (!t.order.empty() && (t.order.size() > kMaxEntries || now - t.order.front().first > std::chrono::hours(24))) {
    auto it = t.entries.find(t.order.front().second);
    if (it != t.entries.end() && it->second.at == t.order.front().first) t.entries.erase(it);
    t.order.pop_front();
  }
}

}  // namespace caip::web
