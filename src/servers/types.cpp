#include "servers/types.h"

namespace caip::servers {
namespace {

json::value optional_text(const std::optional<Instant>& t) { return t ? json::value(t->str()) : json::value(nullptr); }

}  // namespace

std::string_view text(OperationStatus s) noexcept {
  switch (s) {
    case OperationStatus::pending: return "pending";
    case OperationStatus::running: return "running";
    case OperationStatus::succeeded: return "succeeded";
    case OperationStatus::failed: return "failed";
    case OperationStatus::expired: return "expired";
  }
  return "failed";
}

const ServerId& server_of(const ServerAction& a) {
  return std::visit([](const auto& x) -> const ServerId& { return x.server; }, a);
}
json::object view(const Sample& s) {
  return {{"cpu_ratio", s.cpu_ratio}, {"mem_used", s.mem_used}, {"mem_total", s.mem_total}, {"disk_used", s.disk_used},
          {"disk_total", s.disk_total}, {"net_rx_bps", s.net_rx_bps}, {"net_tx_bps", s.net_tx_bps}, {"load1", s.load1},
          {"at", s.at.str()}};
}

namespace {

// What stopping it would be: "caution", "destructive", or "no" when it is not controlled at all.
std::string_view control_of(const Unit& u) {
  const auto unit = ControlUnit::parse(u.name.raw());
  if (!unit) return "no";
  return caip::text(cuts_access(UnitVerb::stop, *unit) ? Impact::destructive : Impact::caution);
}

}  // namespace

json::object view(const Unit& u) {
  return {{"unit", u.name.raw()}, {"control", control_of(u)}, {"description", u.description.raw()}, {"load", u.load.raw()},
          {"active", u.active.raw()}, {"sub", u.sub.raw()}, {"file_state", u.file_state.raw()}};
}

std::string_view text(KeyState state) noexcept {
  switch (state) {
    case KeyState::good: return "good";
    case KeyState::revoked: return "revoked";
    case KeyState::quarantined: break;
  }
  return "quarantined";
}

Result<KeyState> parse_key_state(std::string_view name) {
  for (const auto state : {KeyState::good, KeyState::revoked, KeyState::quarantined})
    if (text(state) == name) return state;
  return fail(Code::invalid, "no such state of a key");
}

namespace {

json::object check_view(const AgentKey& k) {
  auto stored = k.check.empty() ? Result<json::object>(json::object{}) : parse_object(k.check);
  json::object out = stored ? *std::move(stored) : json::object{};
  const auto* passed = out.if_contains("passed");
  const bool good = passed != nullptr && passed->is_bool() && passed->get_bool();
  out.erase("passed");
  out["state"] = k.checking ? "running" : !k.checked ? "never" : good ? "passed" : "failed";
  out["at"] = optional_text(k.checked);
  return out;
}

}  // namespace

json::object view(const AgentKey& k, bool online, const std::string& group) {
  const auto text_of = [](const std::string& s) { return s.empty() ? json::value(nullptr) : json::value(s); };
  return {{"state", text(k.state)}, {"key", text_of(k.key)}, {"next_key", text_of(k.next)}, {"key_since", k.since.str()}, {"rotation_asked", k.rotate},
          {"certificate_from", optional_text(k.from)}, {"certificate_until", optional_text(k.until)}, {"renews", k.renews}, {"check", check_view(k)},
          {"signature", online ? text_of(k.signature) : json::value(nullptr)}, {"group", online ? text_of(group) : json::value(nullptr)}};
}

json::object view(const Server& s) {
  json::object channel{{"status", s.leaves ? "disconnected" : s.online ? "post_quantum" : "offline"}, {"group", nullptr}};
  if (s.online) channel["group"] = s.group;
  return {{"id", s.id.str()}, {"name", s.name.str()}, {"online", s.online}, {"last_seen", optional_text(s.last_seen)},
          {"channel", std::move(channel)}, {"environment", text(s.environment)}, {"version", s.version}, {"hostname", s.facts.hostname.raw()},
          {"os", s.facts.os.raw()}, {"kernel", s.facts.kernel.raw()},
          {"latest", s.latest ? json::value(view(*s.latest)) : json::value(nullptr)}, {"leaves_at", optional_text(s.leaves)}};
}

json::object view(const Enrolment& e) {
  return {{"id", e.id.str()}, {"name", e.name.str()}, {"created_at", e.created_at.str()},
          {"expires_at", e.expires_at.str()}, {"used_at", optional_text(e.used_at)}};
}

json::object view(const Operation& o) {
  const bool user = std::holds_alternative<PlaceEnv>(o.action) || std::holds_alternative<RemoveEnv>(o.action);
  const std::string subject = subject_of(o.action);
  const bool site = std::visit([](const auto& a) { return requires { a.site; }; }, o.action);
  const bool unit = !user && !site && !subject.empty();
  const auto where = [&](bool is) { return is ? json::value(subject) : json::value(nullptr); };
  auto result = o.result.empty() ? Result<json::value>(json::value(nullptr)) : parse_json(o.result);
  return {{"id", o.id.str()}, {"type", name_of(widen(o.action))}, {"server_id", server_of(o.action).str()},
          {"unit", where(unit)}, {"user", where(user)}, {"site", where(site)}, {"status", text(o.status)},
          {"result", result ? *result : json::value(nullptr)},
          {"error", o.error.empty() ? json::value(nullptr) : json::value(o.error)},
          {"created_at", o.created_at.str()}, {"finished_at", optional_text(o.finished_at)},
          {"approval_id", o.approval ? json::value(o.approval->str()) : json::value(nullptr)}};
}

}  // namespace caip::servers
