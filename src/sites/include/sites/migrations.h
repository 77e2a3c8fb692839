// sites/migrations.h: the tables of this room.
#pragma once
#include "storage/migration.h"

namespace caip::sites {

storage::Migrations migrations();

}  // namespace caip::sites
