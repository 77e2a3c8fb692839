// Routes of servers that are let go; a part of add_server_routes.
#pragma once
#include "web/api.h"

namespace caip::web {

void add_departure_routes(Router&, const Rooms&);

}  // namespace caip::web
