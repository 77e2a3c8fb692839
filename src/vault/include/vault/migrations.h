#pragma once
#include "storage/migration.h"

namespace caip::vault {
storage::Migrations migrations();
}
