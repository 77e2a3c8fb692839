// sites/types.h: a site as the control plane knows it, and its JSON.
#pragma once
#include <optional>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/site.h"

namespace caip::sites {

// What is known of it; what an order is doing to it is beside that.
enum class State : std::uint8_t {
  fresh,    // its first order has not ended
  live,
  deleted,  // out of service and whole, until `ends`
  unknown,  // an order ended without an answer: the server is to be asked
};

struct Site {
  SiteId id;
  OrgId org;
  ServerId server;
  SiteName name;
  SiteSpec spec;                   // in force, or the one it is made with
  std::optional<SiteSpec> wanted;  // of the change that is under way, or of which is not known whether it holds
  State state = State::fresh;
  std::optional<OperationId> operation;  // under way: no other begins before it has ended
  std::string doing;                     // "site.change", with an operation
  std::optional<Instant> ends;
  Instant created, changed;
};

std::string_view text(const Site&) noexcept;  // "creating", "live", "changing", "deleting", "deleted", "restoring", "unknown"
json::object view(const Site&);

}  // namespace caip::sites
