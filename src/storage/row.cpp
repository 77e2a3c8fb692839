#include "storage/row.h"

#include <sqlite3.h>

#include <algorithm>

namespace caip::storage {

bool Row::null(int c) const { return sqlite3_column_type(stmt_, c) == SQLITE_NULL; }

std::int64_t Row::integer(int c) const {
  CAIP_ASSERT(sqlite3_column_type(stmt_, c) == SQLITE_INTEGER);
  return sqlite3_column_int64(stmt_, c);
}

double Row::real(int c) const {
  CAIP_ASSERT(sqlite3_column_type(stmt_, c) == SQLITE_FLOAT);
  return sqlite3_column_double(stmt_, c);
}

std::string_view Row::text_view(int c) const {
  CAIP_ASSERT(sqlite3_column_type(stmt_, c) == SQLITE_TEXT);
  const auto* p = sqlite3_column_text(stmt_, c);
  return {reinterpret_cast<const char*>(p), static_cast<std::size_t>(sqlite3_column_bytes(stmt_, c))};
}

std::string Row::text(int c) const { return std::string(text_view(c)); }

BytesView Row::blob_view(int c) const {
  CAIP_ASSERT(sqlite3_column_type(stmt_, c) == SQLITE_BLOB);
  const auto* p = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt_, c));
  return {p, static_cast<std::size_t>(sqlite3_column_bytes(stmt_, c))};
}

Bytes Row::blob(int c) const {
  const BytesView v = blob_view(c);
  return {v.begin(), v.end()};
}

Result<Digest> Row::digest(int c) const {
  const BytesView v = blob_view(c);
  Digest d{};
  if (v.size() != d.size()) return fail(Code::storage_failed, "a stored hash has a wrong length");
  std::ranges::copy(v, d.begin());
  return d;
}

std::optional<std::string> Row::optional_text(int c) const {
  if (null(c)) return std::nullopt;
  return text(c);
}
std::optional<std::int64_t> Row::optional_integer(int c) const {
  if (null(c)) return std::nullopt;
  return integer(c);
}
std::optional<Instant> Row::optional_time(int c) const {
  if (null(c)) return std::nullopt;
  return time(c);
}

}  // namespace caip::storage
