// order_service.cpp: the order of steps is the point. Durable first (operation and log entry in
// one transaction), then proof, then signature, then the wire: whatever dies in between, an order
// on a server is always one that the log already has.
#include "servers/order_service.h"

#include <condition_variable>
#include <map>
#include <mutex>

#include "audit/ledger.h"
#include "audit/query.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "channel/order.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "operations.h"
#include "secrets/keeper.h"
#include "servers/server_service.h"
#include "servers/witnesses.h"
#include "storage/database.h"

namespace caip::servers {
namespace {

struct Pending {
  ServerId server;
  Instant expires;
  std::uint64_t index;  // of its log entry
  bool sent = false;       // over the connection that its server has now
  bool ever_sent = false;  // then nobody can say that nothing was run
  int again = 0;           // sent once more because its proof did not fit
};

constexpr std::string_view kNeverSent = "The server could not be reached before the order expired. Nothing was run.";
constexpr std::string_view kNoAnswer =
    "The order was sent, but no answer came in time. It may have run: look at the unit's state before trying again.";
constexpr std::string_view kReplaced = "The server was enrolled anew before this order was sent. Nothing was run.";
constexpr std::string_view kReplacedMeanwhile =
    "The server was enrolled anew while this order was under way. The new machine does not run it; the old one may have.";
constexpr std::string_view kStopped =
    "The control plane stopped and did not hear from the server before the order expired. It may have run: look at the "
    "unit's state before trying again.";

constexpr Duration kRefusalPause = std::chrono::seconds(60);  // between entries about one server's unwanted answers
constexpr Duration kForgetEach = std::chrono::minutes(10);
constexpr std::int64_t kForgetMost = 500;

struct Refused {  // unwanted answers of one server
  Instant told;
  std::uint64_t since = 0;
};

template <Action A>
constexpr bool kOrdered = std::is_constructible_v<ServerAction, A>;

}  // namespace

struct OrderService::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  audit::Query& query;
  secrets::Keeper& keeper;
  const authorization::Authorizer& authorizer;
  ServerService& servers;
  const Clock& clock;
  Witnesses* witnesses = nullptr;
  Send send = {};
  InFinish in_finish = {};
  std::function<void(const Operation&)> durable = {};
  std::function<void(const Operation&)> update = {};
  std::recursive_mutex telling = {};
  std::mutex mutex = {};  // guards `pending`
  std::condition_variable finished = {};
  std::map<OperationId, Pending> pending = {};
  std::map<OperationId, Instant> lost = {};  // left over from an earlier run, past sending; same mutex
  std::map<ServerId, Refused> refused = {};  // same mutex; as many as there are servers
  Instant forget_next = {};                  // tick()'s own

  // Read again under the lock: of two who tell at once, the later one tells the newer state.
  void tell(const OperationId& id) {
    const std::scoped_lock lock(telling);
    if (!update) return;
    std::optional<operations::Stored> newest;
    {
      auto tx = db.begin_read();
      if (auto found = operations::find(tx, id)) newest = *std::move(found);
    }
    if (newest) update(as_seen(std::move(newest->operation)));
  }
  Result<operations::Stored> must_find(storage::Reader& tx, const OperationId& id) const {
    CAIP_TRY(found, operations::find(tx, id));
    if (!found) return fail(Code::not_found, "no such operation");
    return *std::move(found);
  }
  Operation as_seen(Operation o) {
    const std::scoped_lock lock(mutex);
    const auto it = pending.find(o.id);
    if (it != pending.end() && it->second.sent && o.status == OperationStatus::pending) o.status = OperationStatus::running;
    return o;
  }

  template <Action A>
  Result<Server> reachable(const Authorized<A>& permit) const;
  template <Action A>
  Result<Operation> write(storage::WriteTx&&, Authorized<A>&&, const Server&, const UnderApproval*);
  void dispatch(const OperationId&);
  Result<void> transmit(const OperationId&, const Pending&);
  Result<void> carried(const ServerId&, std::uint64_t size, const Witnesses::Consistency&);
  void expire(const OperationId&, std::string_view why);
  Result<std::optional<std::uint64_t>> entry_of(const OperationId&, Instant created) const;
  Result<bool> awaited(const ServerId&, const OperationId&, bool ok);
  Result<void> refuse(Denied);
  Result<void> forget(Instant now);
  void done(const Operation&);
};

OrderService::OrderService(storage::Database& db, audit::Ledger& ledger, audit::Query& query, secrets::Keeper& keeper,
                           const authorization::Authorizer& authorizer, ServerService& servers, const Clock& clock)
    : parts_(new Parts{db, ledger, query, keeper, authorizer, servers, clock}) {}
OrderService::~OrderService() = default;
void OrderService::on_send(Send f) { parts_->send = std::move(f); }
void OrderService::on_finish(InFinish in, std::function<void(const Operation&)> durable) {
  parts_->in_finish = std::move(in);
  parts_->durable = std::move(durable);
}
void OrderService::on_witnesses(Witnesses& w) { parts_->witnesses = &w; }
void OrderService::on_update(std::function<void(const Operation&)> f) { parts_->update = std::move(f); }

// --- out ------------------------------------------------------------------------------------

template <Action A>
Result<Server> OrderService::Parts::reachable(const Authorized<A>& permit) const {
  auto server = servers.find(permit.action().server);
  if (!server || server->org != permit.principal().org) return fail(Code::not_found, "no such server");
  if (!server->online) return fail(Code::server_offline, "the server is not connected");
  return *std::move(server);
}

template <Action A>
Result<Operation> OrderService::Parts::write(storage::WriteTx&& tx, Authorized<A>&& permit, const Server& server,
                                             const UnderApproval* under) {
  const Instant now = clock.now();
  const OperationId id = under ? under->operation : crypto::random_id<OperationId>();
  const auto approval = under ? std::optional(under->approval) : std::nullopt;
  const ServerAction action = permit.action();
  const Principal& who = permit.principal();
  const auto approver = permit.approver();
  Operation o{.id = id, .org = server.org, .action = action, .requester = who.user, .approval = approval,
              .status = OperationStatus::pending, .result = {}, .error = {}, .created_at = now,
              .expires_at = under ? std::min(now + kOrderLife, under->expires) : now + kOrderLife, .finished_at = std::nullopt};
  const Digest digest = crypto::sha256(caip::view(encode(action)));
  const channel::Order order{.order = id, .server = server.id, .org = server.org, .certificate = server.certificate, .digest = digest,
                             .requester = who.user ? who.user->str() : std::string(),
                             .approver = approver ? std::optional(approver->str()) : std::nullopt,
                             .approval = approval ? std::optional(approval->str()) : std::nullopt,
                             .production = server.production, .nonce = channel::new_nonce(),
                             .issued = now, .expires = o.expires_at};
  json::object detail = channel::log_detail(id, digest, order.approval);
  CAIP_CHECKED(operations::insert(tx, o, channel::encode(order)));
  CAIP_TRY(spent, std::move(permit).spend(now));
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::pending, .detail = std::move(detail)}));
  {
    const std::scoped_lock lock(mutex);
    pending.emplace(id, Pending{.server = server.id, .expires = o.expires_at, .index = receipt.index()});
  }
  dispatch(id);
  return as_seen(std::move(o));
}

// Marks it as sent before sending: two threads must not both send, and if sending fails, the
// next tick tries again.
void OrderService::Parts::dispatch(const OperationId& id) {
  std::optional<Pending> mine;
  {
    const std::scoped_lock lock(mutex);
    const auto it = pending.find(id);
    if (it == pending.end() || it->second.sent || clock.now() >= it->second.expires) return;
    it->second.sent = true;
    mine = it->second;
  }
  const auto r = transmit(id, *mine);
  if (!r) log::warn("an order could not be sent yet", {{"operation", id.str()}, {"code", code_text(r.error().code)}, {"why", r.error().detail}});
  const std::scoped_lock lock(mutex);
  const auto it = pending.find(id);
  if (it == pending.end()) return;  // answered already
  if (r) it->second.ever_sent = true;
  else it->second.sent = false;
}

// Without witnesses (in tests of other things) every proof begins at nothing.
Result<void> OrderService::Parts::carried(const ServerId& server, std::uint64_t size, const Witnesses::Consistency& f) {
  return witnesses ? witnesses->move_on(server, size, f) : f(0, {});
}

Result<void> OrderService::Parts::transmit(const OperationId& id, const Pending& p) {
  if (!send) return fail(Code::internal, "no channel");
  CAIP_TRY(proof, query.prove(p.index));
  std::optional<operations::Stored> stored;
  {
    auto tx = db.begin_read();
    CAIP_TRY(found, must_find(tx, id));
    stored = std::move(found);
  }
  CAIP_TRY(order, channel::decode_order(stored->order));
  if (const auto server = servers.find(p.server); !server || server->certificate != order.certificate)
    return fail(Code::conflict, "the server was enrolled anew");
  return carried(p.server, proof.size, [&](std::uint64_t old, std::vector<Digest> consistency) -> Result<void> {
    channel::LogProof log_proof{std::move(proof.entry_bytes), proof.index, proof.size, std::move(proof.hashes), std::move(proof.checkpoint),
                                old, std::move(consistency)};
    CAIP_TRY(signed_order, channel::sign_order(order, stored->operation.action, std::move(log_proof), [this](BytesView message) {
      return keeper.sign(secrets::SigningUse::order, message);
    }));
    return send(p.server, signed_order);
  });
}

template <Action A>
Result<Operation> OrderService::issue(Authorized<A>&& permit) {
  static_assert(kOrdered<A>);
  auto server = parts_->reachable(permit);
  if (!server) {
    CAIP_CHECKED(parts_->ledger.refuse(Denied{AnyAction{permit.action()}, permit.principal(), server.error().code, server.error().detail}));
    return std::unexpected<Error>(std::move(server).error());
  }
  CAIP_TRY(o, parts_->write(parts_->db.begin_write(), std::move(permit), *server, nullptr));
  parts_->tell(o.id);
  return o;
}

template <Action A>
Result<Operation> OrderService::issue(storage::WriteTx&& tx, Authorized<A>&& permit, const UnderApproval& under) {
  static_assert(kOrdered<A>);
  CAIP_TRY(server, parts_->reachable(permit));
  CAIP_TRY(o, parts_->write(std::move(tx), std::move(permit), server, &under));
  parts_->tell(o.id);
  return o;
}

// --- reading ----------------------------------------------------------------------------------

Result<Operation> OrderService::find(const OperationId& id) {
  auto tx = parts_->db.begin_read();
  CAIP_TRY(stored, parts_->must_find(tx, id));
  return parts_->as_seen(std::move(stored.operation));
}

Result<Operation> OrderService::get(const Session& session, const OperationId& id) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::server_view));
  CAIP_TRY(o, find(id));
  if (o.org != session.org()) return fail(Code::not_found, "no such operation");
  // What a read brought back is for those who could have read it.
  if (!writes(o.action) && !granted(session.principal().role, needs_of(widen(o.action)))) return fail(Code::forbidden);
  return o;
}

Result<Operation> OrderService::wait(const OperationId& id, Duration limit) {
  {
    std::unique_lock lock(parts_->mutex);
    parts_->finished.wait_for(lock, limit, [&] { return !parts_->pending.contains(id); });
  }
  return find(id);
}

// --- back -------------------------------------------------------------------------------------

void OrderService::Parts::done(const Operation& o) {
  {
    const std::scoped_lock lock(mutex);
    pending.erase(o.id);
    lost.erase(o.id);
  }
  finished.notify_all();
  if (durable) durable(o);
  tell(o.id);
}

// Anything an agent says may be made up, ten thousand times a second: without somebody waiting for
// it there is a look at the database and no write. False: the same answer again.
Result<bool> OrderService::Parts::awaited(const ServerId& server, const OperationId& id, bool ok) {
  {
    const std::scoped_lock lock(mutex);
    const auto it = pending.find(id);
    if (it != pending.end() && it->second.server == server) return true;
  }
  auto tx = db.begin_read();
  CAIP_TRY(found, operations::find(tx, id));
  if (!found || server_of(found->operation.action) != server) return fail(Code::not_found, "no such order for this server");
  const Operation& o = found->operation;
  if (!o.finished()) return true;  // from before a restart
  if (o.status == OperationStatus::expired) return fail(Code::expired, "the answer came after the operation was given up");
  if ((o.status == OperationStatus::succeeded) != ok) return fail(Code::conflict, "another answer to an order that is finished");
  return false;
}

Result<void> OrderService::Parts::refuse(Denied d) {
  {
    const std::scoped_lock lock(mutex);
    Refused& r = refused[*d.principal.server];
    const Instant now = clock.now();
    if (r.told != Instant{} && now < r.told + kRefusalPause) {
      ++r.since;
      return {};
    }
    if (r.since > 0) d.reason += " (" + std::to_string(r.since) + " more unwanted answers before it)";
    r = Refused{.told = now, .since = 0};
  }
  return ledger.refuse(d);
}

Result<void> OrderService::finish(const AgentIdentity& agent, const OperationId& id, const Answer& answer) {
  Parts& p = *parts_;
  const auto server = p.servers.find(agent.server());
  if (!server || server->certificate != agent.certificate()) return fail(Code::forbidden, "not the certificate this server is enrolled with");
  auto permit = p.authorizer.authorize(agent, FinishOperation{id, agent.server()}, server->org);
  if (!permit) {
    CAIP_CHECKED(p.refuse(permit.error()));
    return fail(permit.error().code);
  }
  const auto awaited = p.awaited(agent.server(), id, answer.ok);
  if (awaited) return *awaited ? finish(std::move(*permit), answer) : Result<void>{};
  if (awaited.error().code != Code::storage_failed)
    CAIP_CHECKED(p.refuse(Denied{AnyAction{permit->action()}, permit->principal(), awaited.error().code, awaited.error().detail}));
  return std::unexpected<Error>(awaited.error());
}

Result<void> OrderService::finish(Authorized<FinishOperation>&& permit, const Answer& answer) {
  Parts& p = *parts_;
  const OperationId id = permit.action().operation;
  std::optional<Error> no;
  {
    auto tx = p.db.begin_write();
    CAIP_TRY(found, operations::find(tx, id));
    if (!found || server_of(found->operation.action) != permit.action().server) {
      no = Error{Code::not_found, "no such order for this server"};
    } else if (found->operation.status == OperationStatus::expired) {
      no = Error{Code::expired, "the answer came after the operation was given up"};
    } else if (found->operation.finished()) {
      if ((found->operation.status == OperationStatus::succeeded) == answer.ok) return {};  // the same again, after a reconnect
      no = Error{Code::conflict, "another answer to an order that is finished: " + cut(answer.error.shown(), 200)};
    } else {
      Operation o = std::move(found->operation);
      o.status = answer.ok ? OperationStatus::succeeded : OperationStatus::failed;
      if (!answer.result.empty()) o.result = json::serialize(answer.result);
      if (!answer.ok) o.error = answer.error.raw().empty() ? "the server gave no reason" : cut(answer.error.shown(), 1000);
      o.finished_at = p.clock.now();
      CAIP_CHECKED(operations::finish(tx, o));
      if (p.in_finish) CAIP_CHECKED(p.in_finish(tx, o));
      json::object detail{{"action", encode(o.action)}};
      if (!o.error.empty()) detail["error"] = o.error;
      if (o.approval) detail["approval"] = o.approval->str();
      CAIP_TRY(spent, std::move(permit).spend(p.clock.now()));
      CAIP_TRY(receipt, p.ledger.commit(std::move(tx), std::move(spent),
                                        {.result = answer.ok ? audit::Ending::completed : audit::Ending::failed, .detail = std::move(detail)}));
      static_cast<void>(receipt);
      p.done(o);
      return {};
    }
  }
  CAIP_CHECKED(p.ledger.refuse(Denied{AnyAction{permit.action()}, permit.principal(), no->code, no->detail}));
  return std::unexpected<Error>(*std::move(no));
}

// --- time and restarts --------------------------------------------------------------------------

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

void OrderService::reenrolled(const ServerId& id) {
  std::map<OperationId, std::string_view> over;
  {
    const std::scoped_lock lock(parts_->mutex);
    for (const auto& [operation, p] : parts_->pending)
      if (p.server == id) over.emplace(operation, p.sent || p.ever_sent ? kReplacedMeanwhile : kReplaced);
  }
  for (const auto& [operation, why] : over) parts_->expire(operation, why);
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

void OrderService::Parts::expire(const OperationId& id, std::string_view why) {
  auto work = [&]() -> Result<Operation> {
    auto tx = db.begin_write();
    CAIP_TRY(stored, must_find(tx, id));
    Operation o = std::move(stored.operation);
    o.status = OperationStatus::expired;
    o.error = std::string(why);
    o.finished_at = clock.now();
    CAIP_CHECKED(operations::finish(tx, o));
    if (in_finish) CAIP_CHECKED(in_finish(tx, o));
    auto permit = authorizer.authorize_system(FailOperation{id}, o.org);
    if (!permit) return fail(permit.error().code);
    CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
    CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::expired, .detail = {{"error", o.error}}}));
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
    if (server && server->online) p.dispatch(id);
  }
  for (const auto& [id, why] : late) p.expire(id, why);
  if (auto done = p.forget(now); !done) log::warn("old results could not be let go", {{"why", done.error().detail}});
}

// One line per verb an order can carry.
#define ORDERED(A)                                                      \
  template Result<Operation> OrderService::issue<A>(Authorized<A>&&);   \
  template Result<Operation> OrderService::issue<A>(storage::WriteTx&&, Authorized<A>&&, const UnderApproval&);
ORDERED(StartUnit)
ORDERED(StopUnit)
ORDERED(RestartUnit)
ORDERED(UnitStatus)
ORDERED(ReadJournal)
#undef ORDERED

}  // namespace caip::servers
