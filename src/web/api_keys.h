// Routes of servers' own keys; a part of add_server_routes.
#pragma once
#include "web/api.h"

namespace caip::web {

void add_key_routes(Router&, const Rooms&);

}  // namespace caip::web
