// servers/migrations.h: the tables of this room.
#pragma once
#include "storage/migration.h"

namespace caip::servers {
storage::Migrations migrations();
}
