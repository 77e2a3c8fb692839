// A data directory as the version before audit/5 left it: a row for each node of the tree and one for each term of each entry.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "base/json.h"
#include "crypto/merkle.h"
#include "terms.h"

namespace caip::audit {

inline constexpr const char* kOldTables =
    "DROP TABLE log_postings; DROP TABLE log_posted; DELETE FROM schema_migrations WHERE name = 'audit/5 postings';"
    "UPDATE schema_migrations SET position = (SELECT count(*) FROM schema_migrations) WHERE position > (SELECT count(*) FROM schema_migrations);"
    "CREATE TABLE log_terms (term INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (term, idx)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE log_indexed (upto INTEGER PRIMARY KEY) STRICT;"
    "CREATE TRIGGER log_terms_u BEFORE UPDATE ON log_terms BEGIN SELECT RAISE(ABORT, 'append only'); END;"
    "CREATE TRIGGER log_terms_d BEFORE DELETE ON log_terms BEGIN SELECT RAISE(ABORT, 'append only'); END;";

// `indexed`: of its entries, the first so many.
inline void make_old(const std::filesystem::path& file, std::uint64_t indexed) {
  sqlite3* raw = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &raw) == SQLITE_OK);
  merkle::Frontier tree;
  std::string sql = kOldTables;
  sqlite3_stmt* s = nullptr;
  REQUIRE(sqlite3_prepare_v2(raw, "SELECT body FROM log_entries ORDER BY idx", -1, &s, nullptr) == SQLITE_OK);
  while (sqlite3_step(s) == SQLITE_ROW) {
    const std::string body(static_cast<const char*>(sqlite3_column_blob(s, 0)), static_cast<std::size_t>(sqlite3_column_bytes(s, 0)));
    const auto index = std::to_string(tree.size());
    if (tree.size() < indexed)
      for (const auto term : terms_of(parse_object(body).value())) sql += "INSERT OR IGNORE INTO log_terms VALUES (" + std::to_string(term) + ", " + index + ");";
    for (const auto& made : tree.append(merkle::leaf_hash(view(body))))
      sql += "INSERT OR IGNORE INTO log_nodes VALUES (" + std::to_string(made.id.level) + ", " + std::to_string(made.id.index) + ", x'" + hex(made.hash) + "');";
  }
  sqlite3_finalize(s);
  if (indexed > 0) sql += "INSERT INTO log_indexed VALUES (" + std::to_string(indexed) + ");";
  char* why = nullptr;
  const int rc = sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &why);
  INFO((why ? why : ""));
  REQUIRE(rc == SQLITE_OK);
  sqlite3_close(raw);
}

}  // namespace caip::audit
