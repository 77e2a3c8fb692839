// storage/migration.h: a room's schema. Each room with tables has <room>/migrations.h with
// `storage::Migrations migrations();`. A migration runs once, in order; its SQL is recorded by
// checksum, and a database whose recorded checksum differs is refused. Never edit one that was
// released: append another.
#pragma once
#include <string>
#include <vector>

#include "storage/sql.h"

namespace caip::storage {

struct Migration {
  std::string name;  // "auth/1 users": unique in the whole product
  Sql sql;           // any number of statements; tables are STRICT
};
using Migrations = std::vector<Migration>;

}  // namespace caip::storage
