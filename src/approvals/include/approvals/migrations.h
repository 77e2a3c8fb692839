// approvals/migrations.h: the tables of this room.
#pragma once
#include "storage/migration.h"

namespace caip::approvals {
storage::Migrations migrations();
}
