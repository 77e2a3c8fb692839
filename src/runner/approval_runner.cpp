#include "runner/approval_runner.h"

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "crypto/random.h"
#include "runner/conversations.h"
#include "servers/order_service.h"
#include "servers/server_service.h"
#include "storage/database.h"

namespace caip::runner {
namespace {

// What the card says in the end: ours, with the server's own words quoted and made safe.
std::string outcome_of(const servers::Operation& o) {
  if (o.status != servers::OperationStatus::succeeded) return o.error;
  auto result = parse_json(o.result.empty() ? "null" : o.result);
  const auto* object = result ? result->if_object() : nullptr;
  const auto* unit = object ? object->if_contains("unit") : nullptr;
  if (!unit || !unit->is_object()) return "done";
  const auto field = [&](std::string_view name) -> std::string {
    const auto* v = unit->get_object().if_contains(name);
    return v && v->is_string() ? shown(std::string_view(v->get_string())) : std::string("?");
  };
  const bool at_boot = std::holds_alternative<EnableUnit>(o.action) || std::holds_alternative<DisableUnit>(o.action);
  return cut(subject_of(o.action) + " is " + (at_boot ? field("file_state") : field("active") + " (" + field("sub") + ")"), 500);
}

// It worked, and what is there now is not what a plan goes on from; empty: it is. What a server does not say is none of it.
std::string surprise_of(const servers::Operation& o) {
  auto result = parse_json(o.result.empty() ? "null" : o.result);
  const auto* object = result ? result->if_object() : nullptr;
  const auto* unit = object ? object->if_contains("unit") : nullptr;
  if (!unit || !unit->is_object()) return "its server did not say what is there now";
  const auto* is = unit->get_object().if_contains("active");
  const std::string active = is && is->is_string() ? std::string(is->get_string()) : std::string();
  const bool runs = active == "active" || active == "reloading" || active == "activating";
  const bool to_run = std::holds_alternative<StartUnit>(o.action) || std::holds_alternative<RestartUnit>(o.action) || std::holds_alternative<ReloadUnit>(o.action);
  if (to_run && !runs) return subject_of(o.action) + " does not run after it: " + cut(shown(active), 100);
  if (std::holds_alternative<StopUnit>(o.action) && runs) return subject_of(o.action) + " runs after it: " + cut(shown(active), 100);
  return {};
}

// Of what is done to a unit; of the rest, that it worked is all there is to know.
std::string surprise_in(const servers::Operation& o) {
  if (o.status != servers::OperationStatus::succeeded) return {};
  const bool of_unit = std::visit([]<class A>(const A&) { return requires { A::kVerb; }; }, o.action);
  return of_unit ? surprise_of(o) : std::string();
}

}  // namespace

ApprovalRunner::ApprovalRunner(storage::Database& db, audit::Ledger& ledger, const authorization::Authorizer& authorizer,
                               servers::ServerService& servers, servers::OrderService& orders, approvals::ApprovalGate& gate,
                               Conversations& conversations)
    : db_(db), ledger_(ledger), authorizer_(authorizer), servers_(servers), orders_(orders), gate_(gate), conversations_(conversations) {
  gate_.on_change([this](storage::WriteTx& tx, const approvals::Approval& a) { return conversations_.note(tx, a); },
                  [this](const approvals::Approval& a) { conversations_.noted(a); });
  orders_.on_gates([this](const servers::Operation& o) { return gates(o); });
  orders_.on_finish(
      [this](storage::WriteTx& tx, const servers::Operation& o) -> Result<void> {
        if (!o.approval) return {};
        return gate_.finish(tx, *o.approval, o.status == servers::OperationStatus::succeeded, outcome_of(o), surprise_in(o));
      },
      [this](const servers::Operation& o) {
        if (o.approval) gate_.updated(*o.approval);
      });
}

Result<std::expected<channel::AiGates, Error>> ApprovalRunner::gates(const servers::Operation& o) {
  using Gates = std::expected<channel::AiGates, Error>;
  if (!o.approval) return looking(o);
  CAIP_TRY(passed, gate_.passes(*o.approval));
  if (!passed) return Gates(std::unexpect, std::move(passed).error());
  const approvals::AiSettings& s = passed->settings;
  const bool unprotected = s.unprotected && !s.protects(passed->write.now);
  return Gates(channel::AiGates{.on = s.on, .writes = s.writes, .operation = s.may(passed->write.operation), .access = passed->write.access,
                                 .unprotected_until = unprotected ? std::optional(s.unprotected->until) : std::nullopt, .two_people = passed->second_person,
                                 .second = passed->second ? std::optional(passed->second->str()) : std::nullopt});
}

// What only looks has no approval, and two gates.
Result<std::expected<channel::AiGates, Error>> ApprovalRunner::looking(const servers::Operation& o) {
  using Gates = std::expected<channel::AiGates, Error>;
  auto tx = db_.begin_read();
  CAIP_TRY(settings, approvals::AiControls::within(tx, o.org));
  CAIP_TRY(access, approvals::AiControls::access_within(tx, o.org, servers::server_of(o.action)));
  auto shut = approvals::keeps_from(settings, approvals::AiUse::talk);
  if (!shut) shut = approvals::keeps_from_looking(access);
  if (shut) return Gates(std::unexpect, *std::move(shut));
  return Gates(channel::AiGates{.on = settings.on, .writes = settings.writes, .access = access});
}

Result<void> ApprovalRunner::run(const ApprovalId& id) {
  CAIP_TRY(a, gate_.find(id));
  if (a.state != approvals::State::approved) return {};
  CAIP_TRY(turn, gate_.its_turn(a));
  if (!turn) return {};  // a step of a plan: it waits for the one before it, or is held behind it
  const auto server = servers_.find(servers::server_of(a.action));
  if (server && !server->online && !server->leaves) return {};  // waits for it, as long as the approval lasts; one that was let go does not come

  const auto operation = crypto::random_id<OperationId>();
  std::optional<Denied> denied;
  auto work = [&]() -> Result<void> {
    auto tx = db_.begin_write();
    CAIP_TRY(warrant, gate_.redeem(tx, id, operation));
    const auto second = warrant.second();
    auto permit = authorizer_.authorize(std::move(warrant));
    if (!permit) {
      denied = std::move(permit).error();
      return fail(denied->code, denied->reason);
    }
    CAIP_TRY(o, std::visit([&](auto&& p) { return orders_.issue(std::move(tx), std::move(p), {id, operation, a.expires_at, second}); }, *std::move(permit)));
    static_cast<void>(o);
    return {};
  };
  auto done = work();
  if (done) {
    gate_.updated(id);
    return {};
  }
  // The transaction is undone: it is approved still, unless somebody else redeemed it.
  const Error& why = done.error();
  if (why.code == Code::already_decided || why.code == Code::server_offline || why.code == Code::in_progress) return {};
  if (why.code == Code::storage_failed || why.code == Code::unavailable) return done;  // the next tick tries again
  if (denied) CAIP_CHECKED(ledger_.refuse(*denied));
  if (why.code == Code::expired) return {};  // the next tick says so
  log::warn("an approved action was not run", {{"approval", id.str()}, {"why", why.detail}});
  CAIP_CHECKED(gate_.block(id, why));
  return done;
}

void ApprovalRunner::server_online(const ServerId& id) {
  auto waiting = gate_.in_state(approvals::State::approved);
  if (!waiting) return;
  for (const auto& a : *waiting)
    if (servers::server_of(a.action) == id) static_cast<void>(run(a.id));
}

void ApprovalRunner::tick() {
  orders_.tick();
  gate_.expire_due();
  auto waiting = gate_.in_state(approvals::State::approved);
  if (!waiting) return;
  for (const auto& a : *waiting) static_cast<void>(run(a.id));
}

}  // namespace caip::runner
