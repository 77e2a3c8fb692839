#include "runner/pilot_tools.h"

#include <algorithm>
#include <array>

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/lists.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "runner/conversations.h"
#include "servers/order_service.h"
#include "servers/server_service.h"

namespace caip::runner {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr std::size_t kMaxServices = 300;     // of a server, in one answer
constexpr std::size_t kMaxSites = 50;         // of a server, in one answer
constexpr std::size_t kMaxLines = 24 * 1024;  // bytes of a journal, the newest
constexpr std::size_t kMaxIntent = 1000;
constexpr std::string_view kNoServer = "there is no server of that name or id";
constexpr std::string_view kProposes = "propose_service_action";
constexpr std::string_view kPlans = "propose_plan";

Result<UnitName> unit_named(const std::string& text) {
  auto exact = UnitName::parse(text);
  return exact ? std::move(exact) : UnitName::parse(text + ".service");
}

// What the tool proposes, by the last word of its name: a verb that is in no line here is refused, also where an order could carry it.
using Make = ServerAction (*)(const ServerId&, const ControlUnit&);
template <Action A> ServerAction make(const ServerId& server, const ControlUnit& unit) { return A{server, unit}; }
struct Proposable {
  std::string_view name;
  Make make;
};
template <Action... A> constexpr std::array<Proposable, sizeof...(A)> proposables() { return {Proposable{A::kName, make<A>}...}; }
constexpr auto kProposable = proposables<StartUnit, StopUnit, RestartUnit, ReloadUnit, EnableUnit, DisableUnit>();

const Proposable* proposable(std::string_view verb) {
  const auto* found = std::ranges::find_if(kProposable, [&](const Proposable& p) { return p.name.substr(p.name.find('.') + 1) == verb; });
  return found == kProposable.end() ? nullptr : found;
}
const AiOperation* operation_named(std::string_view name) {
  const auto all = ai_operations();
  const auto found = std::ranges::find(all, name, &AiOperation::name);
  return found == all.end() ? nullptr : &*found;
}

std::string text_member(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

}  // namespace

struct PilotTools::Parts {
  struct Call {
    const Session& session;  // the pilot's
    const ConversationId& conversation;
    std::string_view tool;
    approvals::AiUse use() const { return tool == kProposes || tool == kPlans ? approvals::AiUse::propose : approvals::AiUse::talk; }
  };
  servers::ServerService& servers;
  servers::OrderService& orders;
  approvals::ApprovalGate& gate;
  const approvals::AiControls& ai;
  const authorization::Authorizer& authorizer;
  const Conversations& conversations;
  audit::Ledger& ledger;
  std::function<Result<json::array>(const Session&, const ServerId&)> sites = {};

  std::optional<servers::Server> known(const Session& s, const std::string& name) const {
    const auto id = ServerId::parse(name);
    if (!id) return servers.find_by_name(s.org(), name);
    auto found = servers.get(s, *id);
    return found ? std::optional(*std::move(found)) : std::nullopt;
  }
  // The server a call is about. One that is shut to the AI is answered like one that is not there; the log has the reason.
  Result<servers::Server> server(const Call& c, const std::string& name, const AiOperation* write = nullptr) const {
    CAIP_CHECKED(authorizer.require_view(c.session, Permission::server_view));
    auto found = known(c.session, name);
    if (!found) return fail(Code::not_found, std::string(kNoServer));
    CAIP_TRY(access, ai.access(c.session.org(), found->id));
    CAIP_TRY(off, shut(*found, access, write));
    if (!off && found->leaves) return fail(Code::conflict, "the server is disconnected: nothing can be done on it until a person restores it");
    if (!off) return *std::move(found);
    CAIP_CHECKED(refuse(c, *off));
    if (access == AiAccess::none) return fail(Code::not_found, std::string(kNoServer));
    return std::unexpected(*std::move(off));
  }

  Result<std::optional<Error>> shut(const servers::Server& s, AiAccess access, const AiOperation* write) const {
    if (write == nullptr) return approvals::keeps_from_looking(access);
    CAIP_TRY(settings, ai.of(s.org));
    return approvals::keeps_from(settings, approvals::AiWrite{*write, access, counts_as_production(s.environment), ai.now()});
  }

  Result<void> refuse(const Call& c, const Error& why) const {
    return ledger.refuse(Denied{CallTool{c.conversation, Foreign(c.tool, 64)}, c.session.principal(), why.code, why.detail});
  }
  Result<PilotMode> mode(const Call& c) const { return conversations.mode(c.conversation); }
  // The organisation's own settings and the mode of the conversation, before anything about the call is looked at.
  Result<void> admit(const Call& c) const {
    CAIP_TRY(settings, ai.of(c.session.org()));
    auto off = approvals::keeps_from(settings, c.use());
    if (!off && c.use() == approvals::AiUse::propose) {
      CAIP_TRY(now, mode(c));
      off = approvals::keeps_from(now);
    }
    if (!off) return {};
    CAIP_CHECKED(refuse(c, *off));
    return std::unexpected(*std::move(off));
  }

  // A permit, or a refusal that is on the record.
  template <Action A>
  Result<Authorized<A>> permit(const Session& s, A action) const {
    auto p = authorizer.authorize(s, std::move(action));
    if (p) return *std::move(p);
    CAIP_CHECKED(ledger.refuse(p.error()));
    return fail(p.error().code, p.error().reason);
  }

  // A reading order, waited for.
  template <Action A>
  Result<json::object> read(const Session& s, A action) const {
    CAIP_TRY(allowed, permit(s, std::move(action)));
    CAIP_TRY(issued, orders.issue(std::move(allowed)));
    CAIP_TRY(done, orders.wait(issued.id, kPatience));
    if (!done.finished()) return fail(Code::timeout, "the server has not answered in time");
    if (done.status != servers::OperationStatus::succeeded) return fail(Code::unavailable, done.error);
    return parse_object(done.result.empty() ? "{}" : done.result);
  }

  Result<ToolResult> list_servers(const Call&) const;
  Result<ToolResult> list_services(const Call&, Members&) const;
  Result<ToolResult> service_status(const Call&, Members&) const;
  Result<ToolResult> read_journal(const Call&, Members&) const;
  template <Action A>
  Result<ToolResult> list_of(const Call&, Members&, std::string_view member, std::size_t most) const;
  Result<ToolResult> list_sites(const Call&, Members&) const;
  Result<ToolResult> propose(const Call&, Members&) const;
  Result<ToolResult> propose_plan(const Call&, json::object arguments) const;
  Result<approvals::Wanted> wanted(const Call&, Members&, std::size_t most_of_intent) const;
};

PilotTools::PilotTools(servers::ServerService& servers, servers::OrderService& orders, approvals::ApprovalGate& gate,
                       const approvals::AiControls& ai, const authorization::Authorizer& authorizer, const Conversations& conversations, audit::Ledger& ledger)
    : parts_(new Parts{servers, orders, gate, ai, authorizer, conversations, ledger}) {}
PilotTools::~PilotTools() = default;
void PilotTools::on_sites(std::function<Result<json::array>(const Session&, const ServerId&)> f) { parts_->sites = std::move(f); }

Result<ToolResult> PilotTools::Parts::list_servers(const Call& c) const {
  CAIP_TRY(talk, mode(c));
  CAIP_TRY(all, servers.list(c.session));
  CAIP_TRY(settings, ai.of(c.session.org()));
  json::array out;
  for (const auto& one : all) {
    CAIP_TRY(access, ai.access(c.session.org(), one.id));
    if (access == AiAccess::none) continue;
    if (talk == PilotMode::ask || (counts_as_production(one.environment) && settings.protects(ai.now()))) access = AiAccess::read;
    out.push_back({{"id", one.id.str()}, {"name", one.name.str()}, {"online", one.online}, {"environment", text(one.environment)}, {"access", text(access)},
                   {"last_seen", one.last_seen ? json::value(one.last_seen->str()) : json::value(nullptr)}});
  }
  return ToolResult{{{"servers", std::move(out)}}, std::nullopt};
}

Result<ToolResult> PilotTools::Parts::list_services(const Call& c, Members& m) const {
  CAIP_TRY(name, m.string("server", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(on, server(c, name));
  CAIP_TRY(units, servers.units(c.session, on.id));
  json::array out;
  for (const auto& u : units)
    if (u.name.raw().ends_with(".service") && out.size() < kMaxServices) out.push_back(view(u));
  return ToolResult{{{"services", std::move(out)}}, std::nullopt};
}

Result<ToolResult> PilotTools::Parts::service_status(const Call& c, Members& m) const {
  CAIP_TRY(name, m.string("server", 64));
  CAIP_TRY(unit_text, m.string("unit", 255));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(on, server(c, name));
  CAIP_TRY(unit, unit_named(unit_text));
  CAIP_TRY(result, read(c.session, UnitStatus{on.id, unit}));
  const auto* u = result.if_contains("unit");
  if (!u || !u->is_object()) return fail(Code::unavailable, "the server did not say");
  const json::object& o = u->get_object();
  const std::string text = text_member(o, "unit") + ": " + text_member(o, "description") + "\nload: " + text_member(o, "load") +
                           "\nactive: " + text_member(o, "active") + " (" + text_member(o, "sub") + ")\nat boot: " + text_member(o, "file_state");
  return ToolResult{{{"status", text}}, std::nullopt};
}

Result<ToolResult> PilotTools::Parts::read_journal(const Call& c, Members& m) const {
  CAIP_TRY(name, m.string("server", 64));
  CAIP_TRY(unit_text, m.string("unit", 255));
  CAIP_TRY(lines, m.integer("lines", 1, 200));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(on, server(c, name));
  CAIP_TRY(unit, unit_named(unit_text));
  CAIP_TRY(result, read(c.session, ReadJournal{on.id, unit, lines}));
  std::string text;
  if (const auto* all = result.if_contains("lines"); all && all->is_array())
    for (const auto& line : all->get_array())
      if (line.is_string()) text += std::string(line.get_string()) + "\n";
  if (text.size() > kMaxLines) text = "(older lines left out)\n" + Foreign(std::string_view(text).substr(text.size() - kMaxLines), kMaxLines + 16).raw();
  return ToolResult{{{"lines", text}}, std::nullopt};
}

// A list of what the whole machine has; the model gets so many of it, and how many more there are.
template <Action A>
Result<ToolResult> PilotTools::Parts::list_of(const Call& c, Members& m, std::string_view member, std::size_t most) const {
  CAIP_TRY(name, m.string("server", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(on, server(c, name));
  CAIP_TRY(result, read(c.session, A{on.id}));
  json::array list;
  if (auto* all = result.if_contains(member); all && all->is_array()) list = std::move(all->get_array());
  const auto* left = result.if_contains("left_out");
  std::int64_t more = left && left->is_int64() ? left->get_int64() : 0;
  std::size_t fits = 0;
  for (std::size_t bytes = 0; fits < std::min(list.size(), most) && (bytes += json::serialize(list[fits]).size()) <= kMaxLines;) ++fits;
  more += static_cast<std::int64_t>(list.size() - fits);
  list.resize(fits);
  return ToolResult{{{member, std::move(list)}, {"left_out", more}}, std::nullopt};
}

Result<ToolResult> PilotTools::Parts::list_sites(const Call& c, Members& m) const {
  CAIP_TRY(name, m.string("server", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(on, server(c, name));
  if (!sites) return fail(Code::unavailable, "there are no sites to see");
  CAIP_TRY(all, sites(c.session, on.id));
  const std::size_t found = all.size();
  all.resize(std::min(found, kMaxSites));
  return ToolResult{{{"sites", std::move(all)}, {"left_out", static_cast<std::int64_t>(found - std::min(found, kMaxSites))}}, std::nullopt};
}

// One change, as both tools that propose have it.
Result<approvals::Wanted> PilotTools::Parts::wanted(const Call& c, Members& m, std::size_t most_of_intent) const {
  CAIP_TRY(name, m.string("server", 64));
  CAIP_TRY(unit_text, m.string("unit", 255));
  CAIP_TRY(verb, m.string("action", 16));
  CAIP_TRY(intent, m.string("intent", most_of_intent));
  CAIP_CHECKED(m.finish());
  const Proposable* made = proposable(verb);
  if (made == nullptr) return fail(Code::invalid, "action is start, stop, restart, reload, enable or disable");
  const AiOperation* operation = operation_named(made->name);
  if (operation == nullptr) return fail(Code::internal, "a write that no setting is about");
  CAIP_TRY(on, server(c, name, operation));
  CAIP_TRY(named, unit_named(unit_text));
  CAIP_TRY(unit, ControlUnit::of(named));
  return approvals::Wanted{made->make(on.id, unit), Foreign(intent, kMaxIntent)};
}

Result<ToolResult> PilotTools::Parts::propose(const Call& c, Members& m) const {
  CAIP_TRY(one, wanted(c, m, 8192));
  const ServerAction& action = one.action;
  const Digest digest = crypto::sha256(caip::view(encode(action)));
  CAIP_TRY(allowed, permit(c.session, ProposeAction{crypto::random_id<ApprovalId>(), digest}));
  CAIP_TRY(a, gate.propose(std::move(allowed), action, one.intent, c.conversation));
  return ToolResult{{{"approval_id", a.id.str()}, {"state", text(a.state)}, {"impact", text(a.impact)}}, a.id};
}

// All of them or none: a step that is not to be proposed ends it, with its number.
Result<ToolResult> PilotTools::Parts::propose_plan(const Call& c, json::object arguments) const {
  CAIP_TRY(given, take_objects(arguments, "steps", static_cast<std::size_t>(approvals::kMostSteps)));
  Members m(arguments);
  CAIP_TRY(intent, m.string("intent", 8192));
  CAIP_CHECKED(m.finish());
  std::vector<approvals::Wanted> steps;
  std::vector<Digest> digests;
  for (const json::object& one : given) {
    Members step(one);
    auto next = wanted(c, step, 8192);
    if (!next) return fail(next.error().code, "step " + std::to_string(steps.size() + 1) + ": " + next.error().detail);
    digests.push_back(crypto::sha256(caip::view(encode(next->action))));
    steps.push_back(*std::move(next));
  }
  const auto id = crypto::random_id<PlanId>();
  const Digest digest = crypto::sha256(caip::view(approvals::plan_bytes(id, digests)));
  CAIP_TRY(allowed, permit(c.session, ProposePlan{id, digest}));
  CAIP_TRY(plan, gate.propose(std::move(allowed), steps, Foreign(intent, kMaxIntent), c.conversation));
  return ToolResult{{{"plan_id", plan.id.str()}, {"steps", plan.steps.size()}, {"state", "waiting"}}, plan.steps.front().id};
}

ToolResult PilotTools::call(const Session& session, const ConversationId& conversation, std::string_view name, std::string_view arguments) {
  const Session pilot = session.as_pilot();
  const Parts::Call c{pilot, conversation, name};
  const auto work = [&]() -> Result<ToolResult> {
    CAIP_CHECKED(parts_->admit(c));
    CAIP_TRY(object, parse_object(arguments));
    Members m(object);
    if (name == "list_servers") {
      CAIP_CHECKED(m.finish());
      return parts_->list_servers(c);
    }
    if (name == "list_services") return parts_->list_services(c, m);
    if (name == "service_status") return parts_->service_status(c, m);
    if (name == "read_journal") return parts_->read_journal(c, m);
    if (name == "list_processes") return parts_->list_of<ListProcesses>(c, m, "processes", 100);
    if (name == "list_sockets") return parts_->list_of<ListSockets>(c, m, "sockets", 200);
    if (name == "list_disks") return parts_->list_of<ListDisks>(c, m, "disks", 200);
    if (name == "list_sites") return parts_->list_sites(c, m);
    if (name == kProposes) return parts_->propose(c, m);
    if (name == kPlans) return parts_->propose_plan(c, object);
    CAIP_TRY(never, parts_->permit(pilot, UnknownTool{conversation, Foreign(name, 64)}));
    static_cast<void>(never);
    return fail(Code::not_found, "there is no such tool");
  };
  auto result = work();
  if (result) return *std::move(result);
  const Error& e = result.error();
  return {{{"error", e.detail.empty() ? std::string(code_title(e.code)) : e.detail}}, std::nullopt};
}

}  // namespace caip::runner
