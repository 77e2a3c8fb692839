#pragma once
#include "storage/migration.h"

namespace caip::audit {
storage::Migrations migrations();
}
