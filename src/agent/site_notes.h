// agent/site_notes.h: the two files by which the helper and `caip-helper sites` speak: an order, and what came of it. In a folder of
// root's; read strictly all the same.
#pragma once
#include <optional>
#include <string>

#include "model/actions.h"

namespace caip::wire { class Site; }

namespace caip::agent {

struct SiteOrder {
  OperationId order;
  ServerAction action;
  Instant left = {};  // when it was left there
};
struct SiteAnswer {
  OperationId order;
  bool ok = false;
  std::string error = {};
  std::string site = {};  // a serialized wire::Site
};

Result<void> leave_order(const std::string& folder, const SiteOrder&);
// Nothing: there is none. It is gone before this returns, so that it is done once at most.
Result<std::optional<SiteOrder>> take_order(const std::string& folder);
Result<void> leave_answer(const std::string& folder, const SiteAnswer&);
Result<std::optional<SiteAnswer>> take_answer(const std::string& folder);
void clear_notes(const std::string& folder);  // of an order that nobody waits for

}  // namespace caip::agent
