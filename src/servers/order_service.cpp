// order_service.cpp: the order of steps is the point. Durable first (operation and log entry in
// one transaction), then proof, then signature, then the wire: whatever dies in between, an order
// on a server is always one that the log already has.
#include "servers/order_service.h"

#include "crypto/hash.h"
#include "crypto/random.h"
#include "order_parts.h"
#include "secrets/keeper.h"

namespace caip::servers {
namespace {

constexpr Duration kRefusalPause = std::chrono::seconds(60);  // between entries about one server's unwanted answers

template <Action A>
constexpr bool kOrdered = std::is_constructible_v<ServerAction, A>;

// Why an answer to this operation changes nothing. A kept answer to one that is finished means that its order came to the
// server once more, replayed or over a new connection: that stands in the log, and is no lie of the agent's.
std::optional<Error> unwanted(const Operation& o, const Answer& answer) {
  if (!o.finished()) return std::nullopt;
  if (o.status == OperationStatus::expired) return Error{Code::expired, "the answer came after the operation was given up"};
  const bool let_go = answer.replayed && answer.unknown && !answer.ok;  // it knows that it ran, not what came of it
  if ((o.status == OperationStatus::succeeded) != answer.ok && !let_go) return Error{Code::conflict, "another answer to an order that is finished"};
  if (answer.replayed) return Error{Code::key_reused, "the server says that an order that is finished came again; it did not run it again"};
  return Error{Code::key_reused, "the same answer to an order that is finished, once more"};
}

}  // namespace

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
void OrderService::on_gates(AskGates f) { parts_->gates = std::move(f); }
void OrderService::follow(Follow f) { parts_->follow = std::move(f); }
void OrderService::on_env(std::function<Result<channel::EnvValues>(const Operation&, const PlaceEnv&)> f) { parts_->open_env = std::move(f); }
void OrderService::on_update(std::function<void(const Operation&)> f) { parts_->update = std::move(f); }

// --- out ------------------------------------------------------------------------------------

template <Action A>
Result<Server> OrderService::Parts::reachable(const Authorized<A>& permit) const {
  auto server = servers.find(permit.action().server);
  if (!server || server->org != permit.principal().org) return fail(Code::not_found, "no such server");
  if (server->leaves) return fail(Code::conflict, "the server is disconnected, and is forgotten on " + server->leaves->str() + "; restore it first");
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
  CAIP_TRY(production, ServerService::production_within(tx, server.org, server.id));
  Operation o{.id = id, .org = server.org, .action = action, .requester = who.user, .approval = approval,
              .status = OperationStatus::pending, .result = {}, .error = {}, .created_at = now,
              .expires_at = under ? std::min(now + kOrderLife, under->expires) : now + kOrderLife, .finished_at = std::nullopt};
  const Digest digest = crypto::sha256(caip::view(encode(action)));
  const channel::Order order{.order = id, .server = server.id, .org = server.org, .certificate = server.certificate, .digest = digest,
                             .requester = who.user ? who.user->str() : std::string(),
                             .approver = approver ? std::optional(approver->str()) : std::nullopt,
                             .approval = approval ? std::optional(approval->str()) : std::nullopt,
                             .production = production, .nonce = channel::new_nonce(),
                             .issued = now, .expires = o.expires_at};
  json::object detail = channel::log_detail(id, digest, order.approval);
  if (under && under->second) detail["second"] = under->second->str();
  CAIP_CHECKED(operations::insert(tx, o, channel::encode(order)));
  CAIP_CHECKED(placements::begun(tx, o));
  if (follow.begun) CAIP_CHECKED(follow.begun(tx, o));
  CAIP_TRY(spent, std::move(permit).spend(now));
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::pending, .detail = std::move(detail)}));
  {
    const std::scoped_lock lock(mutex);
    pending.emplace(id, Pending{.server = server.id, .expires = o.expires_at, .index = receipt.index()});
  }
  dispatch(id);
  return as_seen(std::move(o));
}

namespace {

// Of an order's env values: no later try opens them.
bool never_opens(Code c) { return c == Code::not_found || c == Code::forbidden || c == Code::conflict || c == Code::invalid || c == Code::too_large; }

}  // namespace

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
Result<void> OrderService::Parts::carried(const ServerId& server, const Witnesses::Choose& choose, const Witnesses::Consistency& f) {
  if (witnesses) return witnesses->move_on(server, choose, f);
  CAIP_CHECKED(choose());
  return f(0, {}, {});
}

Result<void> OrderService::Parts::transmit(const OperationId& id, const Pending& p) {
  if (!send) return fail(Code::internal, "no channel");
  std::optional<operations::Stored> stored;
  {
    auto tx = db.begin_read();
    CAIP_TRY(found, must_find(tx, id));
    stored = std::move(found);
  }
  CAIP_TRY(order, channel::decode_order(stored->order));
  const auto server = servers.find(p.server);
  if (server && server->leaves) {
    end_departed(id, p);
    return {};
  }
  if (!server || server->certificate != order.certificate) return fail(Code::conflict, "the server was enrolled anew");
  CAIP_TRY(passed, began(stored->operation, p));  // written a moment ago, or minutes: what was switched since counts
  if (!passed) {
    end_unopened(id, p, passed.error().detail);
    return {};
  }
  passed->order = crypto::sha256(caip::view(stored->order));
  auto env = env_for(stored->operation);
  if (!env && never_opens(env.error().code)) {
    end_unopened(id, p, env.error().detail);
    return {};
  }
  if (!env) return std::unexpected(std::move(env).error());
  audit::Proof proof;  // against the checkpoint that is newest when it is this order's turn
  const auto choose = [&]() -> Result<std::uint64_t> {
    CAIP_TRY(newest, query.prove(p.index));
    proof = std::move(newest);
    return proof.size;
  };
  return carried(p.server, choose, [&](std::uint64_t old, std::vector<Digest> consistency, const Bytes& order_key) -> Result<void> {
    channel::LogProof log_proof{std::move(proof.entry_bytes), proof.index, proof.size, std::move(proof.hashes), std::move(proof.checkpoint),
                                old, std::move(consistency)};
    const channel::SignFn sign = [&](BytesView message) {
      return keeper.sign_with(secrets::SigningUse::order, order_key.empty() ? first_order_key(keeper, clock.now()) : order_key, message);
    };
    CAIP_TRY(signed_order, channel::sign_order(order, stored->operation.action, std::move(log_proof), sign, *env));
    CAIP_TRY(gates_said, channel::sign_began(*passed, sign));
    signed_order.began = std::move(gates_said);
    return send(p.server, signed_order);
  });
}

Result<std::expected<channel::Began, Error>> OrderService::Parts::began(const Operation& o, const Pending& p) const {
  using Passed = std::expected<channel::Began, Error>;
  CAIP_TRY(entry, query.entry(p.index));
  CAIP_TRY(body, parse_object(entry.body));
  const json::value* source = body.if_contains("source");
  channel::Began out{.by = Source::user, .at = clock.now()};
  if (source && *source == json::value(text(Source::api_token))) out.by = Source::api_token;
  if (!source || *source != json::value(text(Source::pilot))) return Passed(std::move(out));
  out.by = Source::pilot;
  if (!gates) return fail(Code::internal, "nothing asks the gates of the AI");
  CAIP_TRY(open, gates(o));
  if (!open) return Passed(std::unexpect, std::move(open).error());
  out.ai = *std::move(open);
  return Passed(std::move(out));
}

Result<channel::SharedEnv> OrderService::Parts::env_for(const Operation& o) {
  const auto* place = std::get_if<PlaceEnv>(&o.action);
  if (!place) return channel::SharedEnv();
  if (!open_env) return fail(Code::internal, "nothing opens env values");
  CAIP_TRY(opened, open_env(o, *place));
  return std::make_shared<const channel::EnvValues>(std::move(opened));
}

template <Action A>
Result<Operation> OrderService::issue(Authorized<A>&& permit) {
  static_assert(kOrdered<A>);
  const AnyAction asked{permit.action()};
  const Principal who = permit.principal();
  const auto refused = [&](const Error& why) -> Result<Operation> {
    CAIP_CHECKED(parts_->ledger.refuse(Denied{asked, who, why.code, why.detail}));
    return std::unexpected(why);
  };
  auto server = parts_->reachable(permit);
  if (!server) return refused(server.error());
  auto o = parts_->write(parts_->db.begin_write(), std::move(permit), *server, nullptr);
  if (!o && o.error().code == Code::conflict) return refused(o.error());
  if (!o) return o;
  parts_->tell(o->id);
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
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::operation_view));
  CAIP_TRY(o, find(id));
  if (o.org != session.org()) return fail(Code::not_found, "no such operation");
  // What a read brought back is for those who could have read it.
  if (!writes(o.action) && !holds(session.principal(), needs_of(widen(o.action)))) return fail(Code::forbidden);
  return o;
}

Result<std::vector<Placement>> OrderService::placements(const Session& session, const ServerId& server) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::secret_view));
  if (const auto found = parts_->servers.find(server); !found || found->org != session.org()) return fail(Code::not_found, "no such server");
  auto tx = parts_->db.begin_read();
  return placements::on(tx, server);
}

Result<std::map<SecretId, std::int64_t>> OrderService::placed_on(const OrgId& org) {
  std::map<SecretId, std::int64_t> out;
  auto tx = parts_->db.begin_read();
  CAIP_CHECKED(tx.query("SELECT secret, count(DISTINCT server || ' ' || user) FROM env_placements WHERE org = ?1 GROUP BY secret", org, [&](const storage::Row& r) {
    if (auto secret = r.id<SecretId>(0)) out.emplace(*secret, r.integer(1));
  }));
  return out;
}

Result<Operation> OrderService::wait(const OperationId& id, Duration limit) {
  {
    std::unique_lock lock(parts_->mutex);
    parts_->finished.wait_for(lock, limit, [&] { return !parts_->pending.contains(id); });
  }
  return find(id);
}

// --- back -------------------------------------------------------------------------------------

Result<void> OrderService::Parts::settle(storage::WriteTx& tx, const Operation& o, placements::Certainty certainty) const {
  CAIP_CHECKED(placements::ended(tx, o, certainty));
  if (follow.ended) CAIP_CHECKED(follow.ended(tx, o, certainty == placements::Certainty::certain));
  return {};
}

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
// it there is a look at the database and, once a minute, an entry.
Result<void> OrderService::Parts::awaited(const ServerId& server, const OperationId& id, const Answer& answer) {
  {
    const std::scoped_lock lock(mutex);
    const auto it = pending.find(id);
    if (it != pending.end() && it->second.server == server) return {};
  }
  auto tx = db.begin_read();
  CAIP_TRY(found, operations::find(tx, id));
  if (!found || server_of(found->operation.action) != server) return fail(Code::not_found, "no such order for this server");
  if (auto no = unwanted(found->operation, answer)) return std::unexpected<Error>(*std::move(no));
  return {};  // from before a restart
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

void OrderService::gone(const ServerId& server) {
  {
    const std::scoped_lock lock(parts_->mutex);
    std::erase_if(parts_->pending, [&](const auto& one) { return one.second.server == server; });
    parts_->refused.erase(server);
  }
  parts_->finished.notify_all();
}

Result<void> OrderService::finish(const AgentIdentity& agent, const OperationId& id, const Answer& answer) {
  Parts& p = *parts_;
  const auto server = p.servers.find(agent.server());
  if (server && server->leaves) return fail(Code::forbidden, "the server is disconnected");
  if (!server || !p.servers.accepts(agent)) return fail(Code::forbidden, "not a key that this server is let in with");
  auto permit = p.authorizer.authorize(agent, FinishOperation{id, agent.server()}, server->org);
  if (!permit) {
    CAIP_CHECKED(p.refuse(permit.error()));
    return fail(permit.error().code);
  }
  const auto awaited = p.awaited(agent.server(), id, answer);
  if (awaited) return finish(std::move(*permit), answer);
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
    } else if (no = unwanted(found->operation, answer); !no) {
      Operation o = std::move(found->operation);
      o.status = answer.ok ? OperationStatus::succeeded : OperationStatus::failed;
      if (!answer.result.empty()) o.result = json::serialize(answer.result);
      if (!answer.ok) o.error = answer.error.raw().empty() ? "the server gave no reason" : cut(answer.error.shown(), 1000);
      o.finished_at = p.clock.now();
      CAIP_CHECKED(operations::finish(tx, o));
      CAIP_CHECKED(p.settle(tx, o, answer.unknown ? placements::Certainty::doubtful : placements::Certainty::certain));
      if (p.in_finish) CAIP_CHECKED(p.in_finish(tx, o));
      if (!answer.ok) CAIP_CHECKED(p.tell_of_failure(tx, o));
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

// One line per verb an order can carry.
#define ORDERED(A)                                                      \
  template Result<Operation> OrderService::issue<A>(Authorized<A>&&);   \
  template Result<Operation> OrderService::issue<A>(storage::WriteTx&&, Authorized<A>&&, const UnderApproval&);
ORDERED(StartUnit)
ORDERED(StopUnit)
ORDERED(RestartUnit)
ORDERED(ReloadUnit)
ORDERED(EnableUnit)
ORDERED(DisableUnit)
ORDERED(UnitStatus)
ORDERED(ReadJournal)
ORDERED(ListProcesses)
ORDERED(ListSockets)
ORDERED(ListDisks)
ORDERED(RebootServer)
ORDERED(PlaceEnv)
ORDERED(RemoveEnv)
ORDERED(CreateSite)
ORDERED(ChangeSite)
ORDERED(DeleteSite)
ORDERED(RestoreSite)
ORDERED(CheckSite)
#undef ORDERED

}  // namespace caip::servers
