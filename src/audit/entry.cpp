#include "entry.h"

#include "base/text.h"

namespace caip::audit {
namespace {

template <class I>
json::value or_null(const std::optional<I>& id) {
  return id ? json::value(id->str()) : json::value(nullptr);
}

json::object actor(const Principal& p, const Outcome& o) {
  if (p.source == Source::agent) return {{"kind", "agent"}, {"id", or_null(p.server)}};
  if (p.source == Source::system) return {{"kind", "system"}, {"id", nullptr}};
  const auto user = p.user ? p.user : o.user;
  return {{"kind", user ? "user" : "anonymous"}, {"id", or_null(user)}};
}

std::optional<OrgId> org_of(const AnyAction& action, const Principal& p, const Outcome& o) {
  if (p.org) return p.org;
  if (o.org) return o.org;
  if (const auto* made = std::get_if<CreateOwner>(&action)) return made->org;
  return std::nullopt;
}

}  // namespace

std::string_view text(Ending e) noexcept {
  switch (e) {
    case Ending::completed: return "completed";
    case Ending::failed: return "failed";
    case Ending::denied: return "denied";
    case Ending::expired: return "expired";
    case Ending::blocked: return "blocked";
    case Ending::pending: return "pending";
  }
  return "?";
}

std::string entry_body(Instant at, const AnyAction& action, const Principal& p, const std::optional<UserId>& approver,
                       const Outcome& outcome) {
  const ServerId* target = target_server(action);
  return canonical(json::object{
      {"v", 1},
      {"at", at.str()},
      {"org", or_null(org_of(action, p, outcome))},
      {"actor", actor(p, outcome)},
      {"source", caip::text(p.source)},
      {"approver", or_null(approver)},
      {"action", name_of(action)},
      {"params", params(action)},
      {"target", target ? json::value(target->str()) : json::value(nullptr)},
      {"result", text(outcome.result)},
      {"detail", outcome.detail},
      {"address", shown(p.origin.address)},
      {"user_agent", p.origin.user_agent.raw()},
      {"request", p.origin.request},
  });
}

}  // namespace caip::audit
