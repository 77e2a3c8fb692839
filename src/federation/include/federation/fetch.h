// federation/fetch.h: how this room reaches a provider: outbound::Client::send in the product, a function
// in tests.
#pragma once
#include <functional>

#include "outbound/client.h"

namespace caip::federation {

using Fetch = std::function<Result<outbound::Response>(const outbound::Request&)>;

}  // namespace caip::federation
