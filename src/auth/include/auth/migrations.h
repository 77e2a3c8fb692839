// auth/migrations.h: the tables of this room.
#pragma once
#include "storage/migration.h"

namespace caip::auth {

storage::Migrations migrations();

}  // namespace caip::auth
