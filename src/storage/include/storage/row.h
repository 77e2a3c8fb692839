// storage/row.h: one row of a result, valid within the row function only. Columns count from 0.
// A column of another type than asked for is a broken invariant of ours (tables are STRICT) and
// aborts; ids and names read back are parsed again, so damage shows as an Error.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/id.h"
#include "base/time.h"

struct sqlite3_stmt;

namespace caip::storage {

class Row final {
 public:
  explicit Row(sqlite3_stmt* s) : stmt_(s) {}
  bool null(int column) const;
  std::int64_t integer(int column) const;
  bool boolean(int column) const { return integer(column) != 0; }
  double real(int column) const;
  std::string text(int column) const;
  std::string_view text_view(int column) const;  // until the row function returns
  Bytes blob(int column) const;
  BytesView blob_view(int column) const;
  Result<Digest> digest(int column) const;
  Instant time(int column) const { return Instant{integer(column)}; }
  template <class I> Result<I> id(int column) const { return I::parse(text_view(column)); }
  std::optional<std::string> optional_text(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::optional<Instant> optional_time(int column) const;
  template <class I> Result<std::optional<I>> optional_id(int column) const {
    if (null(column)) return std::optional<I>{};
    CAIP_TRY(v, id<I>(column));
    return std::optional<I>{std::move(v)};
  }

 private:
  sqlite3_stmt* stmt_;
};

}  // namespace caip::storage
