// runner/migrations.h: the tables of this room.
#pragma once
#include "storage/migration.h"

namespace caip::runner {
storage::Migrations migrations();
}
