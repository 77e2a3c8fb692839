// The routes about env values on servers, which add_secret_routes() adds with its own. Private.
#pragma once
#include "web/api.h"

namespace caip::web {
void add_env_routes(Router&, const Rooms&);
}
