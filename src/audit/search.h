// audit/search.h (private): finding entries, newest first, in bounded time at any size of the log.
#pragma once
#include "audit/query.h"
#include "crypto/secret.h"
#include "storage/tx.h"

namespace caip::audit {

struct Found {
  std::vector<Entry> entries;
  std::uint64_t next = 0;  // go on below this index; 0: that was all
};
Result<Found> search(storage::Reader&, const Filter&, std::size_t limit, std::optional<std::uint64_t> below);
bool matches(const Filter&, std::string_view body);  // but for the times, which search() finds by place
bool fits(const Filter&, std::string_view body);     // all of it

json::object filter_json(const Filter&);  // what is set of it, but for the organisation

// idx and a MAC over it and the filter, in base64url.
std::string seal_cursor(const SecretBytes& key, const Filter&, std::uint64_t next);
Result<std::uint64_t> open_cursor(const SecretBytes& key, const Filter&, std::string_view cursor);

}  // namespace caip::audit
