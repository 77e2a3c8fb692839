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

// The members of a canonical object, without its braces.
std::string inside(const json::object& o) {
  std::string text = canonical(o);
  return text.substr(1, text.size() - 2);
}

}  // namespace

std::optional<OrgId> org_of(const AnyAction& action, const Principal& p, const Outcome& o) {
  if (o.org) return o.org;
  if (p.org) return p.org;
  if (const auto* made = std::get_if<CreateOwner>(&action)) return made->org;
  return std::nullopt;
}

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

// Put together from pieces in the order of their names, which is what canonical() would write: the
// large pieces do not have to be sorted again for the sake of two numbers.
std::string entry_body(Instant at, std::uint64_t seq, const std::optional<OrgId>& org, const AnyAction& action, const Principal& p,
                       const std::optional<UserId>& approver, const Outcome& outcome) {
  const ServerId* target = target_server(action);
  return "{" + inside({{"action", name_of(action)}, {"actor", actor(p, outcome)}, {"address", shown(p.origin.address)}, {"approver", or_null(approver)}}) +
         ",\"at\":\"" + at.str() + "\"," +
         inside({{"detail", outcome.detail}, {"org", or_null(org)}, {"params", params(action)}, {"request", p.origin.request}, {"result", text(outcome.result)}}) +
         ",\"seq\":" + std::to_string(seq) + "," +
         inside({{"source", caip::text(p.source)}, {"target", target ? json::value(target->str()) : json::value(nullptr)},
                 {"user_agent", p.origin.user_agent.shown()}, {"v", 2}}) + "}";
}

Result<Known> known_of(std::string_view body) {
  CAIP_TRY(entry, parse_object(body));
  Known out;
  if (const auto* org = entry.if_contains("org"); org && org->is_string()) out.org = org->get_string();
  if (const auto* seq = entry.if_contains("seq"); seq && seq->is_int64()) out.seq = seq->get_int64();
  if (const auto* at = entry.if_contains("at"); at && at->is_string()) {
    CAIP_TRY(time, Instant::parse(at->get_string()));
    out.at = time;
  }
  return out;
}

// The first "at" of the canonical form is the entry's own: what stands before it in the order of
// names (action, actor, address, approver) holds no object but actor, which has id and kind.
Result<Instant> time_of(std::string_view body) {
  constexpr std::string_view kAt = "\"at\":\"";
  const auto at = body.find(kAt);
  if (at == body.npos || body.size() < at + kAt.size() + 27) return fail(Code::storage_failed, "an entry without a time");
  return Instant::parse(body.substr(at + kAt.size(), 27));
}

}  // namespace caip::audit
