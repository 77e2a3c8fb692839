#include "sites/types.h"

#include "model/actions.h"

namespace caip::sites {

std::string_view text(const Site& s) noexcept {
  if (s.operation) {
    if (s.doing == CreateSite::kName) return "creating";
    if (s.doing == ChangeSite::kName) return "changing";
    return s.doing == DeleteSite::kName ? "deleting" : "restoring";
  }
  switch (s.state) {
    case State::live: return "live";
    case State::deleted: return "deleted";
    case State::fresh:
    case State::unknown: break;
  }
  return "unknown";
}

json::object view(const Site& s) {
  json::object out{{"id", s.id.str()}, {"server_id", s.server.str()}, {"name", s.name.str()}, {"state", text(s)}, {"port", nullptr},
                   {"ends_at", s.ends ? json::value(s.ends->str()) : json::value(nullptr)}, {"operation_id", s.operation ? json::value(s.operation->str()) : json::value(nullptr)},
                   {"created_at", s.created.str()}, {"changed_at", s.changed.str()}};
  s.spec.write(out);
  return out;
}

}  // namespace caip::sites
