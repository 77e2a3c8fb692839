// idempotency.h: the answer to a command that was sent twice. Kept in memory for a day, bounded: it
// may hold what is shown once. After a restart the ledger still knows that the command was carried
// out (audit/ledger.h, Command) and refuses to do it again.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "base/time.h"
#include "http/message.h"

namespace caip::web {

class Idempotency {  // thread-safe
 public:
  explicit Idempotency(const Clock& clock) : clock_(clock) {}
  // The key of the header, a quoted string of 1 to 128 visible ASCII characters.
  static Result<std::string> parse(std::string_view header);

  // Nothing: go on, and finish() or forget() later. A response: the one given before.
  Result<std::optional<http::Response>> begin(const std::string& key, const std::string& payload);
  void finish(const std::string& key, const http::Response&);
  void forget(const std::string& key);

 private:
  static constexpr std::size_t kMaxEntries = 10'000;
  struct Entry {
    std::string payload;  // digest
    Instant at;
    std::optional<http::Response> response;
  };
  struct Table {
    std::unordered_map<std::string, Entry> entries;
    std::deque<std::pair<Instant, std::string>> order;
  };
  void trim(Table&, Instant now);
  const Clock& clock_;
  Guarded<Table> table_;
};

}  // namespace caip::web
