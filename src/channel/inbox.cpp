#include "inbox.h"

#include <algorithm>
#include <cmath>

#include "model/site.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

constexpr std::size_t kName = 256;
constexpr std::size_t kLine = 4096;
constexpr int kMaxUnits = 4096;
constexpr int kMaxLines = 500;
constexpr int kMaxListed = 1000;
constexpr std::int64_t kLatest = 32'503'680'000;  // seconds: the year 3000

double bounded(double v, double max) { return std::isfinite(v) ? std::clamp(v, 0.0, max) : 0.0; }

UnitState read_unit(const wire::Unit& u) {
  return {Foreign(u.unit(), kName), Foreign(u.description(), kName), Foreign(u.load(), 32), Foreign(u.active(), 32),
          Foreign(u.sub(), 32), Foreign(u.file_state(), 32)};
}

}  // namespace

Result<AgentHello> read_hello(const wire::Hello& h) {
  AgentHello out{Foreign(h.hostname(), kName), Foreign(h.os(), kName), Foreign(h.kernel(), kName), Foreign(h.version(), 64)};
  if (h.has_witnessed()) out.witnessed = h.witnessed();
  if (h.has_keys()) {
    CAIP_TRY(keys, from_wire(h.keys()));
    out.keys = keys;
  }
  out.renews = h.renews() >= kRenewsKeys;
  out.proves = h.renews() >= kProvesKeys;
  return out;
}

Result<KeysSaid> read_held(const wire::KeysHeld& k) {
  CAIP_TRY(keys, from_wire(k));
  return KeysSaid{keys, Foreign(k.refused(), 64)};
}

Witnessed read_witnessed(const wire::Witnessed& w) {
  return {.size = w.size(), .offered = w.offered(), .line = w.line().size() > kLine ? std::string() : w.line(), .refused = Foreign(w.refused(), 64)};
}

Metrics read_metrics(const wire::Metrics& m) {
  constexpr double kMaxLoad = 1e6;
  // Numbers go into JSON, whose integers are exact to 2^53 only.
  static constexpr std::uint64_t kMax = (std::uint64_t{1} << 53) - 1;
  auto number = [](std::uint64_t v) { return std::min(v, kMax); };
  return {.cpu_ratio = bounded(m.cpu_ratio(), 1), .mem_used = number(m.mem_used()), .mem_total = number(m.mem_total()),
          .disk_used = number(m.disk_used()), .disk_total = number(m.disk_total()), .net_rx_bps = number(m.net_rx_bps()),
          .net_tx_bps = number(m.net_tx_bps()), .load1 = bounded(m.load1(), kMaxLoad)};
}

Result<std::vector<UnitState>> read_units(const wire::UnitList& list) {
  if (list.units_size() > kMaxUnits) return fail(Code::too_large, "too many units");
  std::vector<UnitState> out;
  out.reserve(static_cast<std::size_t>(list.units_size()));
  for (const auto& u : list.units()) out.push_back(read_unit(u));
  return out;
}

namespace {

// Numbers go into JSON, whose integers are exact to 2^53 only.
json::value number(std::uint64_t v) { return static_cast<std::int64_t>(std::min(v, (std::uint64_t{1} << 53) - 1)); }
json::value foreign(const std::string& text, std::size_t most) { return json::value(Foreign(text, most).raw()); }

json::object view(const wire::Process& p) {
  return {{"pid", number(p.pid())}, {"name", foreign(p.name(), 64)}, {"user", foreign(p.user(), 64)}, {"unit", foreign(p.unit(), kName)}, {"memory", number(p.memory())},
          {"cpu_ms", number(p.cpu_ms())}, {"started_at", Instant(std::clamp<std::int64_t>(p.started_at(), 0, kLatest) * 1'000'000).str()}, {"state", foreign(p.state(), 8)}};
}
json::object view(const wire::Socket& s) {
  return {{"protocol", foreign(s.protocol(), 8)}, {"address", foreign(s.address(), 64)}, {"port", number(std::min(s.port(), 65535U))}, {"user", foreign(s.user(), 64)}, {"unit", foreign(s.unit(), kName)}};
}
json::object view(const wire::Disk& d) {
  return {{"path", foreign(d.path(), kName)}, {"device", foreign(d.device(), kName)}, {"type", foreign(d.type(), 32)}, {"size", number(d.size())}, {"used", number(d.used())},
          {"free", number(d.free())}, {"inodes", number(d.inodes())}, {"inodes_used", number(d.inodes_used())}};
}

template <class List>
json::array views(const List& list) {
  json::array out;
  for (const auto& one : list) out.push_back(view(one));
  return out;
}

// What one of the lists says; nothing where the agent sent none.
Result<json::object> read_machine(const wire::Machine& m) {
  if (std::max({m.processes_size(), m.sockets_size(), m.disks_size()}) > kMaxListed) return fail(Code::too_large, "too long a list");
  json::object out;
  if (m.of() == "processes") out["processes"] = views(m.processes());
  else if (m.of() == "sockets") out["sockets"] = views(m.sockets());
  else if (m.of() == "disks") out["disks"] = views(m.disks());
  else return out;
  out["left_out"] = number(m.left_out());
  return out;
}

// Names of domains that an agent made up are none.
Result<json::array> domains_of(const google::protobuf::RepeatedPtrField<std::string>& list) {
  if (list.size() > static_cast<int>(kMostDomains)) return fail(Code::too_large, "too many domains");
  json::array out;
  for (const std::string& one : list) {
    CAIP_TRY(name, DomainName::parse(one));
    out.emplace_back(name.str());
  }
  return out;
}

Result<json::object> spec_of(const wire::Site& s) {
  if (s.spec().empty()) return json::object{{"kind", nullptr}, {"domains", json::array()}, {"port", nullptr}, {"redirect", false}};
  CAIP_TRY(value, parse_canonical(s.spec()));
  if (!value.is_object()) return fail(Code::malformed, "a site is an object");
  Members m(value.get_object());
  CAIP_TRY(spec, SiteSpec::read(m));
  CAIP_CHECKED(m.finish());
  json::object out{{"port", nullptr}};
  spec.write(out);
  return out;
}

Result<json::object> read_site(const wire::Site& s) {
  CAIP_TRY(out, spec_of(s));
  CAIP_TRY(answers, domains_of(s.answers()));
  CAIP_TRY(silent, domains_of(s.silent()));
  out["exists"] = s.exists();
  out["ends_at"] = nullptr;
  if (s.deleted()) {
    CAIP_TRY(ends, Instant::parse(s.ends()));
    out["ends_at"] = ends.str();
  }
  out["answers"] = std::move(answers);
  out["silent"] = std::move(silent);
  out["bytes"] = number(s.bytes());
  out["bytes_whole"] = s.bytes_whole();
  out["upstream"] = out["port"].is_null() ? json::value(nullptr) : json::value(s.upstream());
  return out;
}

}  // namespace

Result<OrderResult> read_result(const wire::OrderResult& r) {
  CAIP_TRY(order, OperationId::parse(r.order()));
  if (r.lines_size() > kMaxLines) return fail(Code::too_large, "too many lines");
  CAIP_TRY(machine, read_machine(r.machine()));
  if (r.has_site()) {
    CAIP_TRY(site, read_site(r.site()));
    machine["site"] = std::move(site);
  }
  OrderResult out{.order = order, .succeeded = r.succeeded(), .error = Foreign(r.error(), 1024), .unit = {}, .lines = {}, .machine = std::move(machine)};
  if (r.has_unit()) out.unit = read_unit(r.unit());
  for (const auto& line : r.lines()) out.lines.emplace_back(line, kLine);
  out.stale = r.stale();
  out.replayed = r.replayed();
  out.contradicts = r.contradicts();
  out.witnessed = r.witnessed();
  out.unknown = r.unknown();
  return out;
}

}  // namespace caip::channel
