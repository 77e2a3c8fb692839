// order_time.cpp: what becomes of orders when time passes, a server comes back or is enrolled anew, or
// we were killed.
#include "order_parts.h"

namespace caip::servers {
namespace {

constexpr std::string_view kNeverSent = "The server could not be reached before the order expired. Nothing was run.";
constexpr std::string_view kNoAnswer = "The order was sent, but no answer came in time. It may have run: ";
constexpr std::string_view kReplaced = "The server was enrolled anew before this order was sent. Nothing was run.";
constexpr std::string_view kReplacedMeanwhile =
    "The server was enrolled anew while this order was under way. The new machine does not run it; the old one may have.";
constexpr std::string_view kDeparted = "The server was disconnected before this order was sent. Nothing was run.";
constexpr std::string_view kDepartedMeanwhile =
    "The server was disconnected while this order was under way. It may have run: look at the server before trying again.";
constexpr std::string_view kStopped =
    "The control plane stopped and did not hear from the server before the order expired. It may have run: ";
// What can be done about it, where the text says that it may have run.
std::string with_advice(std::string_view why, const ServerAction& action) {
  if (why != kNoAnswer && why != kStopped) return std::string(why);
  const bool file = std::holds_alternative<PlaceEnv>(action) || std::holds_alternative<RemoveEnv>(action);
  const bool machine = subject_of(action).empty(), site = SiteId::parse(subject_of(action)).has_value();
  return std::string(why) + (file ? "place or remove the values again." : site ? "ask the server for the site's state." : machine ? "look at the server before trying again." : "look at the unit's state before trying again.");
}
// Whether nothing was run, as the text says.
placements::Certainty certainty_of(std::string_view why) {
  return why == kNeverSent || why == kReplaced || why == kDeparted ? placements::Certainty::certain : placements::Certainty::doubtful;
}
constexpr Duration kForgetEach = std::chrono::minutes(10);
constexpr std::int64_t kForgetMost = 500;

}  // namespace

// The log knows which entry sent an order; only orders of the last minutes are asked for.
Result<std::optional<std::uint64_t>> OrderService::Parts::entry_of(const OperationId& id, Instant created) const {
  std::optional<std::string> cursor;
  for (int pages = 0; pages < 500; ++pages) {
    CAIP_TRY(page, query.list({}, 200, cursor));
    for (const audit::Entry& e : page.entries) {
      CAIP_TRY(body, parse_object(e.body));
      const auto* detail = body.if_contains("detail");
      const auto* operation = detail && detail->is_object() ? detail->get_object().if_contains("operation") : nullptr;
      if (operation && operation->is_string() && operation->get_string() == id.str()) return std::optional(e.index);
      const auto* at = body.if_contains("at");
      if (!at || !at->is_string()) continue;
      if (auto t = Instant::parse(at->get_string()); t && *t + std::chrono::minutes(2) < created) return std::optional<std::uint64_t>{};
    }
    if (!page.next_cursor) break;
    cursor = page.next_cursor;
  }
  return std::optional<std::uint64_t>{};
}

Result<void> OrderService::recover() {
  std::vector<operations::Stored> left;
  {
    auto tx = parts_->db.begin_read();
    CAIP_TRY(found, operations::pending(tx));
    left = std::move(found);
  }
  for (const auto& [o, order] : left) {
    std::optional<std::uint64_t> index;
    if (parts_->clock.now() < o.expires_at) {
      CAIP_TRY(found, parts_->entry_of(o.id, o.created_at));
      index = found;
    }
    const std::scoped_lock lock(parts_->mutex);
    if (index) parts_->pending.emplace(o.id, Pending{.server = server_of(o.action), .expires = o.expires_at, .index = *index});
    // Even so its answer may still be on the way: given up only when no answer can be honest.
    parts_->lost.emplace(o.id, o.expires_at);
  }
  return {};
}

void OrderService::resend(const AgentIdentity& agent, const OperationId& id) {
  constexpr int kTries = 5;
  const std::scoped_lock lock(parts_->mutex);
  const auto at = parts_->pending.find(id);
  if (at == parts_->pending.end() || at->second.server != agent.server() || ++at->second.again > kTries) return;
  at->second.sent = false;
}

void OrderService::server_online(const ServerId& id) {
  const std::scoped_lock lock(parts_->mutex);
  for (auto& [operation, p] : parts_->pending)
    if (p.server == id) p.sent = false;
}

void OrderService::reenrolled(const ServerId& id) { parts_->end_all(id, kReplaced, kReplacedMeanwhile); }
void OrderService::departed(const ServerId& id) { parts_->end_all(id, kDeparted, kDepartedMeanwhile); }

void OrderService::Parts::end_all(const ServerId& id, std::string_view unsent, std::string_view meanwhile) {
  std::map<OperationId, std::string_view> over;
  {
    const std::scoped_lock lock(mutex);
    for (const auto& [operation, p] : pending)
      if (p.server == id) over.emplace(operation, p.sent || p.ever_sent || lost.contains(operation) ? meanwhile : unsent);
  }
  for (const auto& [operation, why] : over) expire(operation, why, certainty_of(why));
}

Result<void> OrderService::Parts::forget(Instant now) {
  if (now < forget_next) return {};
  forget_next = now + kForgetEach;
  const Instant then = now + -kResultLife;
  {
    auto tx = db.begin_read();
    CAIP_TRY(any, operations::any_to_forget(tx, then));
    if (!any) return {};
  }
  auto tx = db.begin_write();
  CAIP_TRY(count, operations::forget(tx, then, kForgetMost));
  if (count == kForgetMost) forget_next = now;  // more of them with the next tick
  auto permit = authorizer.authorize_system(ForgetResults{count});
  if (!permit) return fail(permit.error().code);
  CAIP_TRY(spent, std::move(*permit).spend(now));
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {}));
  static_cast<void>(receipt);
  return {};
}

// Of what was to change something: a read that failed is seen by who asked for it.
Result<void> OrderService::Parts::tell_of_failure(storage::WriteTx& tx, const Operation& o) const {
  if (!writes(o.action)) return {};
  const AnyAction action = widen(o.action);
  const auto server = servers.find(server_of(o.action));
  const std::string about = subject_of(o.action);
  const std::string subject = std::string(name_of(action)) + (about.empty() ? "" : " ") + about + " on " +
                              (server ? server->name.str() : "a server") + " (" + o.error + ")";
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::operation_failed, .org = o.org, .subject = subject, .link = o.id.str()}, clock.now()));
  return {};
}

void OrderService::Parts::expire(const OperationId& id, std::string_view why, placements::Certainty certainty) {
  end(id, OperationStatus::expired, why, certainty);
}

// It may have been sent before, by this process or the one before it, with values that opened then.
void OrderService::Parts::end_unopened(const OperationId& id, const Pending& p, const std::string& why) {
  bool before = p.ever_sent;
  {
    const std::scoped_lock lock(mutex);
    before = before || lost.contains(id);
  }
  if (before) end(id, OperationStatus::expired, why + ". It may have run before.", placements::Certainty::doubtful);  // and its answer may still come
  else end(id, OperationStatus::failed, why + ". Nothing was run.", placements::Certainty::certain);
}

// Written while its server was let go.
void OrderService::Parts::end_departed(const OperationId& id, const Pending& p) {
  bool before = p.ever_sent;
  {
    const std::scoped_lock lock(mutex);
    before = before || lost.contains(id);
  }
  const std::string_view why = before ? kDepartedMeanwhile : kDeparted;
  expire(id, why, certainty_of(why));
}

void OrderService::Parts::end(const OperationId& id, OperationStatus as, std::string_view why, placements::Certainty certainty) {
  auto work = [&]() -> Result<Operation> {
    auto tx = db.begin_write();
    CAIP_TRY(stored, must_find(tx, id));
    Operation o = std::move(stored.operation);
    o.status = as;
    o.error = with_advice(why, o.action);
    o.finished_at = clock.now();
    CAIP_CHECKED(operations::finish(tx, o));
    CAIP_CHECKED(settle(tx, o, certainty));
    if (in_finish) CAIP_CHECKED(in_finish(tx, o));
    CAIP_CHECKED(tell_of_failure(tx, o));
    auto permit = authorizer.authorize_system(FailOperation{id}, o.org);
    if (!permit) return fail(permit.error().code);
    CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
    CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.result = as == OperationStatus::expired ? audit::Ending::expired : audit::Ending::failed, .detail = {{"error", o.error}}}));
    static_cast<void>(receipt);
    return o;
  };
  if (auto o = work()) done(*o);
  else if (o.error().code != Code::conflict) log::warn("an order could not be given up", {{"operation", id.str()}, {"why", o.error().detail}});
}

void OrderService::tick() {
  Parts& p = *parts_;
  std::vector<OperationId> unsent;
  std::map<OperationId, std::string_view> late;
  const Instant now = p.clock.now();
  {
    const std::scoped_lock lock(p.mutex);
    for (const auto& [id, o] : p.pending) {
      if (now >= o.expires + channel::kClockSkew) late.emplace(id, o.ever_sent ? kNoAnswer : kNeverSent);
      else if (!o.sent && now < o.expires) unsent.push_back(id);
    }
    for (const auto& [id, expires] : p.lost)
      if (now >= expires + channel::kClockSkew) late.insert_or_assign(id, kStopped);
  }
  for (const OperationId& id : unsent) {
    const auto o = find(id);
    if (!o) continue;
    const auto server = p.servers.find(server_of(o->action));
    if (server && (server->online || server->leaves)) p.dispatch(id);  // to one that was let go: it ends
  }
  for (const auto& [id, why] : late) p.expire(id, why, certainty_of(why));
  if (auto done = p.forget(now); !done) log::warn("old results could not be let go", {{"why", done.error().detail}});
}

}  // namespace caip::servers
