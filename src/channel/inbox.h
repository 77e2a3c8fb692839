// channel/inbox.h: an agent's messages, bounded and marked as text from outside.
#pragma once
#include <vector>

#include "channel/hub.h"

namespace caip::wire { class Hello; class KeysHeld; class Metrics; class OrderResult; class UnitList; class Witnessed; }

namespace caip::channel {

Result<AgentHello> read_hello(const wire::Hello&);
Result<KeysSaid> read_held(const wire::KeysHeld&);
Metrics read_metrics(const wire::Metrics&);  // no NaN, no ratio outside 0..1
Result<std::vector<UnitState>> read_units(const wire::UnitList&);
Result<OrderResult> read_result(const wire::OrderResult&);
Witnessed read_witnessed(const wire::Witnessed&);

}  // namespace caip::channel
