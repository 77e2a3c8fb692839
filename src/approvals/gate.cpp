// gate.cpp: proposing and deciding. Every refusal leaves its transaction first (a thread holds
// one write at a time) and is then recorded.
#include "approvals/gate.h"

#include "approvals/ai_controls.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "deciding.h"
#include "outbox/outbox.h"
#include "parts.h"

namespace caip::approvals {
namespace {

// "unit.restart nginx.service on web-1"
std::string subject_of(const Approval& a, const World& world) {
  const auto target = world.target(server_of(a));
  const std::string about = caip::subject_of(a.action);
  return std::string(name_of(widen(a.action))) + (about.empty() ? "" : " ") + about + " on " + (target ? target->name : "a server");
}

std::optional<EventKind> told_of(Event event) {
  switch (event) {
    case Event::approve_first:
    case Event::lapse: return EventKind::approval_waiting;
    case Event::approve:
    case Event::deny: return EventKind::approval_decided;
    case Event::expire:
    case Event::block: return EventKind::approval_expired;
    default: return std::nullopt;
  }
}

std::optional<No> missing(const ServerAction& action, const Principal& who, const World& world) {
  if (!writes(action)) return No{Code::invalid, "reading needs no approval"};
  const AnyAction wide = widen(action);
  const auto target = world.target(*target_server(wide));
  if (!target || target->org != who.org) return No{Code::not_found, "no such server"};
  return std::nullopt;
}

std::optional<No> unproposable(const Authorized<ProposeAction>& permit, const ServerAction& action, const World& world) {
  const Principal& who = permit.principal();
  if (who.source != Source::pilot) return No{Code::forbidden, "only the pilot proposes"};
  if (crypto::sha256(caip::view(encode(action))) != permit.action().digest)
    return No{Code::digest_mismatch, "the digest is not that of the action"};
  return missing(action, who, world);
}

}  // namespace

std::string lacks(Role role, Permission p) { return "role " + std::string(text(role)) + " lacks " + std::string(text(p)); }

std::optional<No> undecidable(const Principal& who, const Approval& a, const Digest& seen, Instant now) {
  if (who.org != a.org) return No{Code::not_found, "no such approval"};
  if (who.source != Source::user) return No{Code::forbidden, "only a signed-in person decides"};
  const Permission needs = needs_of(widen(a.action));
  if (!holds(who, needs)) return No{Code::forbidden, lacks(who.role, needs)};
  if (!undecided(a.state)) return No{Code::already_decided, "it is " + std::string(text(a.state)) + " already"};
  if (now >= a.expires_at) return No{Code::expired, "the proposal has expired, which counts as denied"};
  if (!crypto::equal_ct(seen, a.digest) || crypto::sha256(caip::view(a.bytes)) != a.digest)
    return No{Code::digest_mismatch, "what was decided on is not what stands there"};
  return std::nullopt;
}

json::object detail_of(const Approval& a) {
  json::object d{{"approval", a.id.str()}, {"bytes", a.bytes}, {"digest", hex(a.digest)}};
  if (!a.reason.empty()) d["reason"] = a.reason;
  if (a.second_person) d["second_person"] = true;
  if (a.first_by) d["first"] = a.first_by->str();
  if (a.first_by && a.decided_by && a.state == State::approved) d["second"] = a.decided_by->str();
  return d;
}

ApprovalGate::ApprovalGate(storage::Database& db, audit::Ledger& ledger, const authorization::Authorizer& authorizer,
                           World world, const Clock& clock)
    : parts_(new Parts{db, ledger, authorizer, std::move(world), clock}) {}
ApprovalGate::~ApprovalGate() = default;
void ApprovalGate::on_change(InChange in, std::function<void(const Approval&)> durable) {
  parts_->in_change = std::move(in);
  parts_->durable = std::move(durable);
}
void ApprovalGate::on_update(std::function<void(const Approval&)> f) { parts_->update = std::move(f); }
const World& ApprovalGate::world() const { return parts_->world; }

Result<void> ApprovalGate::Parts::move(storage::WriteTx& tx, Approval& a, Event event, bool people_hear) const {
  const State from = a.state;
  const auto to = next(from, event);
  if (!to) return fail(Code::already_decided, "it is " + std::string(text(from)) + " already");
  a.state = *to;
  CAIP_CHECKED(table::change(tx, from, a));
  if (in_change) CAIP_CHECKED(in_change(tx, a));
  if (const auto kind = told_of(event); kind && people_hear) return raise(tx, a, *kind);
  return {};
}

Result<void> ApprovalGate::Parts::raise(storage::WriteTx& tx, const Approval& a, EventKind kind) const {
  std::string subject = subject_of(a, world);
  if (a.plan) subject += " (step " + std::to_string(a.step) + " of a plan)";
  if (kind == EventKind::approval_decided) subject += a.state == State::denied ? ": denied" : a.second_person ? ": approved by two people" : ": approved";
  if (a.state == State::half_approved) subject += " (one person allowed it, another one has to)";
  CAIP_TRY(notice, outbox::raise(tx, {.kind = kind, .org = a.org, .subject = std::move(subject), .link = a.id.str()}, clock.now()));
  static_cast<void>(notice);
  return {};
}

// Read again under the lock: of two who tell at once, the later one tells the newer state.
void ApprovalGate::Parts::tell(const Approval& a) {
  const std::scoped_lock lock(telling);
  std::optional<Approval> newest;
  {
    auto tx = db.begin_read();
    if (auto found = table::find(tx, a.id)) newest = *std::move(found);
  }
  const Approval& told = newest ? *newest : a;
  if (durable) durable(told);
  if (update) update(told);
}

Result<Approval> ApprovalGate::Parts::must_find(storage::Reader& tx, const ApprovalId& id) const {
  CAIP_TRY(found, table::find(tx, id));
  if (!found) return fail(Code::not_found, "no such approval");
  return *std::move(found);
}

Result<ApprovalGate::Parts::Stand> ApprovalGate::Parts::stand(storage::Reader& tx, const Approval& a) const {
  const AiOperation* operation = operation_of(a.action);
  if (operation == nullptr) return fail(Code::invalid, "reading needs no approval");
  CAIP_TRY(settings, AiControls::within(tx, a.org));
  CAIP_TRY(access, AiControls::access_within(tx, a.org, server_of(a)));
  CAIP_TRY(production, world.production_within(tx, a.org, server_of(a)));
  CAIP_TRY(mode, a.conversation ? world.mode_within(tx, *a.conversation) : Result<PilotMode>(PilotMode::plan));
  return Stand{std::move(settings), AiWrite{*operation, access, production, clock.now()}, mode};
}

std::optional<Error> ApprovalGate::Parts::Stand::shut() const {
  if (auto off = keeps_from(settings, write)) return off;
  return keeps_from(mode);
}

Result<std::optional<Error>> ApprovalGate::Parts::switched_off(storage::Reader& tx, const Approval& a) const {
  CAIP_TRY(now, stand(tx, a));
  return now.shut();
}

std::optional<No> ApprovalGate::Parts::not_there(const ServerAction& action, const Principal& who) const { return missing(action, who, world); }

// What it is by now, and whether it may be proposed.
Result<std::optional<No>> ApprovalGate::Parts::classify(storage::Reader& tx, Approval& a, const Principal& who) const {
  CAIP_TRY(production, world.production_within(tx, a.org, server_of(a)));
  a.production = production;
  CAIP_TRY(two, asks_for_two(tx, a));
  a.second_person = two;
  CAIP_TRY(off, switched_off(tx, a));
  if (off) return std::optional(No{off->code, std::move(off->detail)});
  const Permission needs = needs_of(widen(a.action));
  return holds(who, needs) ? std::nullopt : std::optional(No{Code::forbidden, lacks(who.role, needs)});
}

Result<Approval> ApprovalGate::propose(Authorized<ProposeAction>&& permit, const ServerAction& action, const Foreign& intent,
                                       std::optional<ConversationId> conversation) {
  Parts& p = *parts_;
  if (auto no = unproposable(permit, action, p.world)) return refuse(p.ledger, permit, *std::move(no));
  const Instant now = p.clock.now();
  Approval a{.id = permit.action().approval, .org = *permit.principal().org, .intent = intent, .action = action,
             .bytes = encode(action), .digest = permit.action().digest, .impact = impact_of(widen(action)),
             .production = true, .requester = *permit.principal().user,
             .conversation = conversation, .decided_by = std::nullopt, .reason = {}, .operation = std::nullopt,
             .outcome = {}, .created_at = now, .expires_at = now + kLifetime};
  std::optional<No> no;
  {
    auto tx = p.db.begin_write();
    CAIP_TRY(unfit, p.classify(tx, a, permit.principal()));
    no = std::move(unfit);
    CAIP_TRY(open, table::open_of(tx, a.requester));
    if (!no && open >= kMaxOpen) no = No{Code::too_many, "too many undecided proposals"};
    if (!no) {
      CAIP_CHECKED(table::insert(tx, a));
      CAIP_CHECKED(p.raise(tx, a, EventKind::approval_waiting));
      CAIP_TRY(spent, std::move(permit).spend(now));
      CAIP_TRY(receipt, p.ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::pending, .detail = detail_of(a)}));
      static_cast<void>(receipt);
      p.tell(a);
      return a;
    }
  }
  return refuse(p.ledger, permit, *std::move(no));
}

Result<std::optional<No>> ApprovalGate::Parts::say(storage::WriteTx& tx, Approval& a, const Word& w) const {
  const Instant now = clock.now();
  if (auto no = undecidable(w.who, a, w.seen, now)) return no;
  if (w.yes) {  // also where its end, by the clock, was not written down yet
    CAIP_TRY(off, switched_off(tx, a));
    if (off) return std::optional(No{off->code, std::move(off->detail)});
    CAIP_TRY(unfit, no_step(tx, a, w.together));
    if (unfit) return unfit;
    if (!w.stepped_up && needs_step_up(widen(a.action))) return std::optional(No{Code::step_up_needed, "this is destructive: show once more that it is you to approve it"});
  }
  auto counts = w.yes ? yes_by(tx, a, *w.who.user) : Result<Event>(Event::deny);
  if (!counts && counts.error().code == Code::storage_failed) return std::unexpected(std::move(counts).error());
  if (!counts) return std::optional(No{counts.error().code, counts.error().detail});
  const bool first = *counts == Event::approve_first;
  (first ? a.first_by : a.decided_by) = w.who.user;
  (first ? a.first_at : a.decided_at) = now;
  a.reason = w.reason;
  CAIP_CHECKED(move(tx, a, *counts, w.people_hear));
  return std::optional<No>{};
}

namespace {

// Approve and Deny differ in nothing but the event and what the log calls it.
template <Action A, class Parts>
Result<Approval> decide(Parts& p, Authorized<A>&& permit, bool yes, std::string reason) {
  std::optional<No> no;
  std::optional<Approval> late;
  {
    auto tx = p.db.begin_write();
    CAIP_TRY(found, table::find(tx, permit.action().approval));
    if (found) {
      CAIP_TRY(unfit, p.say(tx, *found, {permit.principal(), permit.action().digest, yes, permit.stepped_up(), false, std::move(reason), true}));
      no = std::move(unfit);
    } else {
      no = No{Code::not_found, "no such approval"};
    }
    if (!no) {
      const Approval a = *std::move(found);
      CAIP_TRY(spent, std::move(permit).spend(p.clock.now()));
      const auto ending = yes ? audit::Ending::completed : audit::Ending::denied;
      CAIP_TRY(receipt, p.ledger.commit(std::move(tx), std::move(spent), {.result = ending, .detail = detail_of(a)}));
      static_cast<void>(receipt);
      p.tell(a);
      if (!yes && a.plan) p.hold_due();
      return a;
    }
    if (no->code == Code::expired) late = std::move(found);
  }
  if (late) static_cast<void>(p.end(late->id, Event::expire, audit::Ending::expired, "expired"));
  return refuse(p.ledger, permit, *std::move(no));
}

}  // namespace

Result<Approval> ApprovalGate::approve(Authorized<Approve>&& permit) {
  return decide(*parts_, std::move(permit), true, {});
}

Result<Approval> ApprovalGate::deny(Authorized<Deny>&& permit, std::string reason) {
  if (reason.size() > 1000 || has_hidden(reason))
    return refuse(parts_->ledger, permit, No{Code::invalid, "a reason has at most 1000 bytes of visible text"});
  return decide(*parts_, std::move(permit), false, std::move(reason));
}

Result<Page<Approval>> ApprovalGate::list(const Session& session, std::optional<State> state, const PageAsk& ask) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::approval_view));
  auto tx = parts_->db.begin_read();
  CAIP_TRY(found, table::of_org(tx, session.org(), state, ask));
  return page_of(std::move(found), ask);
}

Result<Approval> ApprovalGate::get(const Session& session, const ApprovalId& id) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::approval_view));
  CAIP_TRY(a, find(id));
  if (a.org != session.org()) return fail(Code::not_found, "no such approval");
  return a;
}

Result<Approval> ApprovalGate::find(const ApprovalId& id) {
  auto tx = parts_->db.begin_read();
  return parts_->must_find(tx, id);
}

Result<std::vector<Approval>> ApprovalGate::in_state(State state) {
  auto tx = parts_->db.begin_read();
  return table::in_state(tx, state);
}

}  // namespace caip::approvals
