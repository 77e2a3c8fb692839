// plan_gate.cpp: several approvals in an order: proposed at once, decided by one word or by many, and held behind what did not
// go as planned. What each of them is decided and redeemed by is the same as without a plan.
#include <algorithm>
#include <ranges>
#include <utility>

#include "approvals/ai_controls.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "deciding.h"
#include "outbox/outbox.h"

namespace caip::approvals {
namespace {

std::string numbered(std::int64_t step) { return "step " + std::to_string(step); }
std::string behind(const Stop& stop) { return numbered(stop.step) + " did not go as planned: " + stop.why; }

Digest digest_of(const Plan& p) {
  std::vector<Digest> all;
  for (const Approval& a : p.steps) all.push_back(crypto::sha256(caip::view(a.bytes)));
  return crypto::sha256(caip::view(plan_bytes(p.id, all)));
}

json::object detail_of(const Plan& p, const std::vector<std::int64_t>& steps) {
  json::array all;
  for (const Approval& a : p.steps)
    if (std::ranges::contains(steps, a.step)) {
      json::object one = approvals::detail_of(a);
      one["step"] = a.step;
      all.push_back(std::move(one));
    }
  return {{"plan", p.id.str()}, {"mode", text(p.mode)}, {"digest", hex(p.digest)}, {"steps", std::move(all)}};
}

audit::Outcome held(const Approval& a) { return {.result = audit::Ending::blocked, .detail = {{"step", a.step}, {"digest", hex(a.digest)}, {"reason", a.outcome}}}; }

std::vector<std::int64_t> numbers_of(const std::vector<Approval>& steps) {
  std::vector<std::int64_t> out;
  for (const Approval& a : steps) out.push_back(a.step);
  return out;
}

Plan drafted(const Authorized<ProposePlan>& permit, const std::vector<Wanted>& steps, const Foreign& intent, const std::optional<ConversationId>& conversation, Instant now) {
  const Principal& who = permit.principal();
  Plan p{.id = permit.action().plan, .org = *who.org, .intent = intent, .requester = *who.user, .conversation = conversation,
         .digest = permit.action().digest, .created_at = now};
  for (const Wanted& w : steps) {
    std::string bytes = encode(w.action);
    const Digest digest = crypto::sha256(caip::view(bytes));
    p.steps.push_back({.id = crypto::random_id<ApprovalId>(), .org = p.org, .intent = w.intent, .action = w.action, .bytes = std::move(bytes), .digest = digest,
                       .impact = impact_of(widen(w.action)), .production = true, .requester = p.requester, .conversation = conversation, .plan = p.id,
                       .step = static_cast<std::int64_t>(p.steps.size()) + 1, .decided_by = std::nullopt, .reason = {}, .operation = std::nullopt, .outcome = {},
                       .created_at = now, .expires_at = now + kLifetime});
  }
  return p;
}

std::optional<No> too_long(const Plan& p, const AiSettings& settings, std::int64_t open) {
  const auto limit = AiLimit::parse("steps_per_plan");
  const std::int64_t most = limit ? settings.limit(*limit) : 1;
  const auto size = static_cast<std::int64_t>(p.steps.size());
  if (size > most) return No{Code::ai_limit, "a plan has at most " + std::to_string(most) + " steps (setting: steps_per_plan)"};
  if (open + size > kMaxOpen) return No{Code::too_many, "too many undecided proposals"};
  return std::nullopt;
}

// What the word is about, before any of its steps is looked at.
std::optional<No> unlike(const Principal& who, const Plan& p, const Digest& seen) {
  if (who.org != p.org) return No{Code::not_found, "no such plan"};
  if (who.source != Source::user) return No{Code::forbidden, "only a signed-in person decides"};
  if (!crypto::equal_ct(seen, p.digest) || digest_of(p) != p.digest) return No{Code::digest_mismatch, "what was decided on is not what stands there"};
  return std::nullopt;
}

bool unbegun(const Approval& a) { return undecided(a.state) || a.state == State::approved; }

// Stopping what was allowed is deciding on it, too.
std::optional<No> undeniable(const Principal& who, const Approval& a, Instant now) {
  if (!unbegun(a)) return std::nullopt;
  std::optional<No> no;
  if (undecided(a.state)) no = undecidable(who, a, a.digest, now);
  else if (!holds(who, needs_of(widen(a.action)))) no = No{Code::forbidden, lacks(who.role, needs_of(widen(a.action)))};
  if (no) no->reason = numbered(a.step) + ": " + no->reason;
  return no;
}

// Of a plan that is allowed as a whole: all that one word can still be about.
bool whole(const Plan& p, const std::vector<std::int64_t>& steps) {
  std::vector<std::int64_t> all;
  for (const Approval& a : p.steps)
    if (!decided_alone(a) && undecided(a.state)) all.push_back(a.step);
  return steps == all;
}

std::optional<No> misnamed(const Plan& p, const std::vector<std::int64_t>& steps) {
  const auto size = static_cast<std::int64_t>(p.steps.size());
  const bool rising = std::ranges::adjacent_find(steps, std::ranges::greater_equal{}) == steps.end();
  if (steps.empty() || !rising || steps.front() < 1 || steps.back() > size) return No{Code::invalid, "steps are numbers of this plan's steps, rising"};
  if (p.mode != PilotMode::agent) return std::nullopt;
  if (const auto stop = stop_of(p.steps)) return No{Code::conflict, "the plan has stopped: " + behind(*stop)};  // the rest of it is no whole
  if (!whole(p, steps)) return No{Code::invalid, "this plan is allowed as a whole: name all of its steps that wait, but the destructive ones"};
  return std::nullopt;
}

}  // namespace

Result<Plan> ApprovalGate::propose(Authorized<ProposePlan>&& permit, const std::vector<Wanted>& steps, const Foreign& intent, std::optional<ConversationId> conversation) {
  Parts& p = *parts_;
  const Principal who = permit.principal();
  if (who.source != Source::pilot) return refuse(p.ledger, permit, No{Code::forbidden, "only the pilot proposes"});
  if (steps.empty() || steps.size() > static_cast<std::size_t>(kMostSteps)) return refuse(p.ledger, permit, No{Code::invalid, "a plan has 1 to 20 steps"});
  Plan plan = drafted(permit, steps, intent, conversation, p.clock.now());
  if (digest_of(plan) != plan.digest) return refuse(p.ledger, permit, No{Code::digest_mismatch, "the digest is not that of these steps"});
  std::optional<No> no;
  for (const Approval& a : plan.steps)
    if (!no) no = p.not_there(a.action, who);
  if (!no) {
    auto tx = p.db.begin_write();
    CAIP_TRY(mode, conversation ? p.world.mode_within(tx, *conversation) : Result<PilotMode>(PilotMode::plan));
    plan.mode = mode == PilotMode::agent ? PilotMode::agent : PilotMode::plan;
    CAIP_TRY(settings, AiControls::within(tx, plan.org));
    CAIP_TRY(open, table::open_of(tx, plan.requester));
    for (Approval& a : plan.steps) {
      CAIP_TRY(unfit, p.classify(tx, a, who));
      if (!no && unfit) no = No{unfit->code, numbered(a.step) + ": " + unfit->reason};
    }
    if (!no) no = too_long(plan, settings, open);
    if (!no) {
      CAIP_CHECKED(table::insert(tx, plan));
      CAIP_CHECKED(p.raise(tx, plan.steps.front(), EventKind::approval_waiting));
      CAIP_TRY(spent, std::move(permit).spend(p.clock.now()));
      CAIP_TRY(receipt, p.ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::pending, .detail = detail_of(plan, numbers_of(plan.steps))}));
      static_cast<void>(receipt);
      for (const Approval& a : plan.steps) p.tell(a);
      return plan;
    }
  }
  return refuse(p.ledger, permit, *std::move(no));
}

Result<Plan> ApprovalGate::approve(Authorized<ApprovePlan>&& permit) {
  Parts& p = *parts_;
  const auto steps = permit.action().steps;
  std::optional<No> no;
  {
    auto tx = p.db.begin_write();
    CAIP_TRY(found, table::find(tx, permit.action().plan));
    no = found ? unlike(permit.principal(), *found, permit.action().digest) : std::optional(No{Code::not_found, "no such plan"});
    if (!no) no = misnamed(*found, steps);
    for (std::size_t i = 0; !no && i < steps.size(); ++i) {
      Approval& a = found->steps[static_cast<std::size_t>(steps[i] - 1)];
      CAIP_TRY(unfit, p.say(tx, a, {permit.principal(), a.digest, true, permit.stepped_up(), true, {}, i == 0}));
      if (unfit) no = No{unfit->code, numbered(a.step) + ": " + unfit->reason};
    }
    if (!no) {
      CAIP_TRY(spent, std::move(permit).spend(p.clock.now()));
      CAIP_TRY(receipt, p.ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::completed, .detail = detail_of(*found, steps)}));
      static_cast<void>(receipt);
      for (const std::int64_t step : steps) p.tell(found->steps[static_cast<std::size_t>(step - 1)]);
      return *std::move(found);
    }
  }
  return refuse(p.ledger, permit, *std::move(no));
}

Result<Plan> ApprovalGate::deny(Authorized<DenyPlan>&& permit, std::string reason) {
  Parts& p = *parts_;
  if (reason.size() > 1000 || has_hidden(reason)) return refuse(p.ledger, permit, No{Code::invalid, "a reason has at most 1000 bytes of visible text"});
  std::optional<No> no;
  {
    auto tx = p.db.begin_write();
    CAIP_TRY(found, table::find(tx, permit.action().plan));
    no = found ? unlike(permit.principal(), *found, permit.action().digest) : std::optional(No{Code::not_found, "no such plan"});
    std::vector<std::int64_t> ended;
    bool told = false;
    for (std::size_t i = 0; !no && i < found->steps.size(); ++i) no = undeniable(permit.principal(), found->steps[i], p.clock.now());  // of all, before any is moved
    if (!no)
      for (Approval& a : found->steps) {
        if (no || !unbegun(a)) continue;
        ended.push_back(a.step);
        if (a.state == State::approved) {
          CAIP_TRY(spent, p.hold_within(tx, a, "the plan was denied" + (reason.empty() ? std::string() : ": " + reason)));
          CAIP_CHECKED(p.ledger.append(tx, std::move(spent), held(a)));
          continue;
        }
        CAIP_TRY(unfit, p.say(tx, a, {permit.principal(), a.digest, false, permit.stepped_up(), true, reason, !std::exchange(told, true)}));
        if (unfit) no = No{unfit->code, numbered(a.step) + ": " + unfit->reason};
      }
    if (!no && ended.empty()) no = No{Code::already_decided, "nothing of it waits any more"};
    if (!no) {
      CAIP_TRY(spent, std::move(permit).spend(p.clock.now()));
      json::object detail = detail_of(*found, ended);
      if (!reason.empty()) detail["reason"] = reason;
      CAIP_TRY(receipt, p.ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::denied, .detail = std::move(detail)}));
      static_cast<void>(receipt);
      for (const std::int64_t step : ended) p.tell(found->steps[static_cast<std::size_t>(step - 1)]);
      return *std::move(found);
    }
  }
  return refuse(p.ledger, permit, *std::move(no));
}

Result<std::optional<No>> ApprovalGate::Parts::no_step(storage::Reader& tx, const Approval& a, bool together) const {
  if (!a.plan) return std::optional<No>{};
  CAIP_TRY(stop, table::stopped_before(tx, a));
  if (stop) return std::optional(No{Code::conflict, "the plan has stopped: " + behind(*stop)});
  if (together && decided_alone(a)) return std::optional(No{Code::invalid, "it is destructive, and so decided by itself"});
  if (together || decided_alone(a)) return std::optional<No>{};
  CAIP_TRY(plan, table::find(tx, *a.plan));
  if (plan && plan->mode == PilotMode::agent) return std::optional(No{Code::invalid, "its plan is allowed as a whole"});
  return std::optional<No>{};
}

Result<bool> ApprovalGate::Parts::its_turn(storage::Reader& tx, const Approval& a) const {
  if (!a.plan) return true;
  CAIP_TRY(done, table::done_before(tx, a));
  return done == a.step - 1;
}

Result<bool> ApprovalGate::its_turn(const Approval& a) {
  auto tx = parts_->db.begin_read();
  return parts_->its_turn(tx, a);
}

Result<Spent<HoldStep>> ApprovalGate::Parts::hold_within(storage::WriteTx& tx, Approval& a, const std::string& why) const {
  a.outcome = why;
  CAIP_CHECKED(move(tx, a, Event::hold));
  auto permit = authorizer.authorize_system(HoldStep{*a.plan, a.id}, a.org);
  if (!permit) return fail(Code::internal, permit.error().reason);
  return std::move(*permit).spend(clock.now());
}

// Looked at once more under the lock: whoever decided or ran it meanwhile was first.
Result<void> ApprovalGate::Parts::hold(const ApprovalId& id) {
  auto tx = db.begin_write();
  CAIP_TRY(a, must_find(tx, id));
  CAIP_TRY(stop, table::stopped_before(tx, a));
  if (!stop || !(undecided(a.state) || a.state == State::approved)) return {};
  CAIP_TRY(spent, hold_within(tx, a, behind(*stop)));
  if (a.step == stop->step + 1) CAIP_CHECKED(raise(tx, a, EventKind::approval_expired));  // one word to people, not one a step
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), held(a)));
  static_cast<void>(receipt);
  tell(a);
  return {};
}

void ApprovalGate::Parts::hold_due() {
  const auto due = [&] {
    auto tx = db.begin_read();
    return table::to_hold(tx);
  }();
  if (!due) return log::warn("steps of plans that stopped were not found", {{"detail", due.error().detail}});
  for (const Approval& a : *due)
    if (const auto held = hold(a.id); !held) log::warn("a step behind one that did not go as planned is not held yet; it does not run", {{"approval", a.id.str()}, {"detail", held.error().detail}});
}

Result<Page<Plan>> ApprovalGate::plans(const Session& session, const PageAsk& ask) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::approval_view));
  auto tx = parts_->db.begin_read();
  CAIP_TRY(found, table::plans_of(tx, session.org(), ask));
  return page_of(std::move(found), ask);
}

Result<Plan> ApprovalGate::plan(const Session& session, const PlanId& id) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::approval_view));
  auto tx = parts_->db.begin_read();
  CAIP_TRY(found, table::find(tx, id));
  if (!found || found->org != session.org()) return fail(Code::not_found, "no such plan");
  return *std::move(found);
}

}  // namespace caip::approvals
