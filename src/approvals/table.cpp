#include "table.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "approvals/migrations.h"

namespace caip::approvals {

storage::Migrations migrations() {
  return {{"approvals/1 approvals", R"sql(
    CREATE TABLE approvals (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending','approved','executing','completed','failed','denied','expired')),
      intent TEXT NOT NULL,
      bytes TEXT NOT NULL,
      digest BLOB NOT NULL CHECK (length(digest) = 32),
      production INTEGER NOT NULL,
      requester TEXT NOT NULL,
      conversation TEXT,
      decided_by TEXT,
      reason TEXT NOT NULL DEFAULT '',
      operation TEXT UNIQUE,
      outcome TEXT NOT NULL DEFAULT '',
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX approvals_by_state ON approvals (state, expires_at);
    CREATE INDEX approvals_by_org ON approvals (org, created_at);
  )sql"},
          {"approvals/2 ai controls", R"sql(
    CREATE TABLE ai_controls (
      org TEXT PRIMARY KEY,
      is_on INTEGER NOT NULL CHECK (is_on IN (0, 1)),
      writes INTEGER NOT NULL CHECK (writes IN (0, 1)),
      changed_by TEXT NOT NULL,
      changed_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE ai_access (
      org TEXT NOT NULL,
      server TEXT NOT NULL,
      access TEXT NOT NULL CHECK (access IN ('none','read','full')),
      PRIMARY KEY (org, server)
    ) STRICT, WITHOUT ROWID;
  )sql"},
          // A row: switched off. scope: a category or an operation.
          {"approvals/3 operations of the AI, production protection", R"sql(
    CREATE TABLE ai_operations_off (
      org TEXT NOT NULL,
      scope TEXT NOT NULL,
      PRIMARY KEY (org, scope)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE production_unprotected (
      org TEXT PRIMARY KEY,
      since INTEGER NOT NULL,
      until INTEGER NOT NULL,
      by TEXT NOT NULL,
      reason TEXT NOT NULL
    ) STRICT;
  )sql"},
          // A row in second_person: the organisation asks for two. The table of approvals is made anew, for its checks: the last
          // backstop of the gate.
          {"approvals/4 a second person", R"sql(
    CREATE TABLE second_person (org TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE approvals_before AS SELECT * FROM approvals;
    DROP TABLE approvals;
    CREATE TABLE approvals (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending','half_approved','approved','executing','completed','failed','denied','expired')),
      intent TEXT NOT NULL,
      bytes TEXT NOT NULL,
      digest BLOB NOT NULL CHECK (length(digest) = 32),
      production INTEGER NOT NULL,
      requester TEXT NOT NULL,
      conversation TEXT,
      second_person INTEGER NOT NULL DEFAULT 0 CHECK (second_person IN (0, 1)),
      first_by TEXT,
      first_at INTEGER,
      decided_by TEXT,
      decided_at INTEGER,
      reason TEXT NOT NULL DEFAULT '',
      operation TEXT UNIQUE,
      outcome TEXT NOT NULL DEFAULT '',
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      CHECK (state <> 'half_approved' OR (second_person = 1 AND first_by IS NOT NULL AND decided_by IS NULL)),
      CHECK (second_person = 0 OR state NOT IN ('approved','executing','completed')
             OR (first_by IS NOT NULL AND decided_by IS NOT NULL AND first_by <> decided_by AND decided_by <> requester))
    ) STRICT;
    INSERT INTO approvals (id, org, state, intent, bytes, digest, production, requester, conversation, decided_by, reason, operation, outcome, created_at, expires_at)
      SELECT id, org, state, intent, bytes, digest, production, requester, conversation, decided_by, reason, operation, outcome, created_at, expires_at FROM approvals_before;
    DROP TABLE approvals_before;
    CREATE INDEX approvals_by_state ON approvals (state, expires_at);
    CREATE INDEX approvals_by_org ON approvals (org, created_at);
  )sql"},
          // Which operations there were when somebody last went through them: of those who did before there was this table, the first five.
          {"approvals/5 operations that people have heard of", R"sql(
    CREATE TABLE ai_operations_known (
      org TEXT NOT NULL,
      operation TEXT NOT NULL,
      PRIMARY KEY (org, operation)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO ai_operations_known (org, operation)
      SELECT DISTINCT o.org, v.name FROM ai_operations_off o,
        (SELECT 'unit.start' AS name UNION SELECT 'unit.stop' UNION SELECT 'unit.restart' UNION SELECT 'env.place' UNION SELECT 'env.remove') v;
  )sql"},
          {"approvals/6 limits and providers of the AI", R"sql(
    CREATE TABLE ai_limits (
      org TEXT NOT NULL,
      name TEXT NOT NULL,
      value INTEGER NOT NULL,
      PRIMARY KEY (org, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ai_providers (
      org TEXT PRIMARY KEY,
      vendor TEXT NOT NULL,
      base_url TEXT NOT NULL,
      model TEXT NOT NULL,
      secret TEXT,
      max_tokens INTEGER NOT NULL,
      changed_by TEXT NOT NULL,
      changed_at INTEGER NOT NULL
    ) STRICT;
  )sql"},
          // A step is an approval that names its plan. The table of approvals is made anew, for its checks.
          {"approvals/7 plans", R"sql(
    CREATE TABLE plans (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      mode TEXT NOT NULL CHECK (mode IN ('plan','agent')),
      intent TEXT NOT NULL,
      requester TEXT NOT NULL,
      conversation TEXT,
      digest BLOB NOT NULL CHECK (length(digest) = 32),
      created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX plans_by_org ON plans (org, created_at);
    CREATE TABLE approvals_before AS SELECT * FROM approvals;
    DROP TABLE approvals;
    CREATE TABLE approvals (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending','half_approved','approved','executing','completed','failed','denied','expired','held')),
      intent TEXT NOT NULL,
      bytes TEXT NOT NULL,
      digest BLOB NOT NULL CHECK (length(digest) = 32),
      production INTEGER NOT NULL,
      requester TEXT NOT NULL,
      conversation TEXT,
      second_person INTEGER NOT NULL DEFAULT 0 CHECK (second_person IN (0, 1)),
      first_by TEXT,
      first_at INTEGER,
      decided_by TEXT,
      decided_at INTEGER,
      reason TEXT NOT NULL DEFAULT '',
      operation TEXT UNIQUE,
      outcome TEXT NOT NULL DEFAULT '',
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      plan TEXT,
      step INTEGER NOT NULL DEFAULT 0,
      surprise TEXT NOT NULL DEFAULT '',
      UNIQUE (plan, step),
      CHECK ((plan IS NULL) = (step = 0) AND step BETWEEN 0 AND 20),
      CHECK (state <> 'held' OR plan IS NOT NULL),
      CHECK (state <> 'half_approved' OR (second_person = 1 AND first_by IS NOT NULL AND decided_by IS NULL)),
      CHECK (second_person = 0 OR state NOT IN ('approved','executing','completed')
             OR (first_by IS NOT NULL AND decided_by IS NOT NULL AND first_by <> decided_by AND decided_by <> requester))
    ) STRICT;
    INSERT INTO approvals (id, org, state, intent, bytes, digest, production, requester, conversation, second_person, first_by, first_at, decided_by, decided_at,
                           reason, operation, outcome, created_at, expires_at)
      SELECT id, org, state, intent, bytes, digest, production, requester, conversation, second_person, first_by, first_at, decided_by, decided_at,
             reason, operation, outcome, created_at, expires_at FROM approvals_before;
    DROP TABLE approvals_before;
    CREATE INDEX approvals_by_state ON approvals (state, expires_at);
    CREATE INDEX approvals_by_org ON approvals (org, created_at);
  )sql"}};
}

namespace table {
namespace {

Result<Approval> read(const storage::Row& r) {
  CAIP_TRY(id, r.id<ApprovalId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(state, parse_state(r.text_view(2)));
  CAIP_TRY(action, decode(r.text_view(4)));
  CAIP_TRY(digest, r.digest(5));
  CAIP_TRY(requester, r.id<UserId>(7));
  CAIP_TRY(conversation, r.optional_id<ConversationId>(8));
  CAIP_TRY(decided_by, r.optional_id<UserId>(9));
  CAIP_TRY(operation, r.optional_id<OperationId>(11));
  CAIP_TRY(first_by, r.optional_id<UserId>(16));
  CAIP_TRY(plan, r.optional_id<PlanId>(19));
  const Impact impact = impact_of(widen(action));
  return Approval{.id = id, .org = org, .state = state, .intent = Foreign(r.text_view(3)), .action = std::move(action),
                  .bytes = r.text(4), .digest = digest, .impact = impact, .production = r.boolean(6),
                  .requester = requester, .conversation = conversation, .plan = plan, .step = r.integer(20), .surprise = r.text(21), .second_person = r.boolean(15), .first_by = first_by,
                  .first_at = r.optional_time(17), .decided_by = decided_by, .decided_at = r.optional_time(18), .reason = r.text(10), .operation = operation, .outcome = r.text(12),
                  .created_at = r.time(13), .expires_at = r.time(14)};
}

struct Collect {
  std::vector<Approval> rows;
  std::optional<Error> damage = {};
  std::int64_t seen = 0;
  Place last = {};
  void operator()(const storage::Row& r) {
    ++seen;
    last = Place{.number = r.integer(13), .id = r.text(0)};
    auto a = read(r);
    if (a) rows.push_back(*std::move(a));
    else if (!damage) damage = a.error();
  }
};

// Of many: what cannot be read can neither be decided on nor run, and must not stand in the way of the others (end_unreadable).
Result<std::vector<Approval>> readable(Result<void> ran, Collect collect) {
  CAIP_CHECKED(std::move(ran));
  return std::move(collect.rows);
}

#define COLUMNS                                                                                     \
  "SELECT id, org, state, intent, bytes, digest, production, requester, conversation, decided_by, " \
  "reason, operation, outcome, created_at, expires_at, second_person, first_by, first_at, decided_at, plan, step, surprise FROM approvals "

}  // namespace

Result<void> insert(storage::WriteTx& tx, const Approval& a) {
  CAIP_CHECKED(tx.exec("INSERT INTO approvals (id, org, state, intent, bytes, digest, production, requester, conversation,"
                       " second_person, created_at, expires_at, plan, step) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                       a.id, a.org, text(a.state), a.intent.raw(), a.bytes, a.digest, a.production, a.requester,
                       a.conversation, a.second_person, a.created_at, a.expires_at, a.plan, a.step));
  return {};
}

Result<std::optional<Approval>> find(storage::Reader& tx, const ApprovalId& id) {
  Collect collect;
  auto ran = tx.query(COLUMNS "WHERE id = ?1", id, std::ref(collect));
  CAIP_CHECKED(std::move(ran));
  if (collect.damage) return std::unexpected(*std::move(collect.damage));
  if (collect.rows.empty()) return std::optional<Approval>{};
  return std::optional<Approval>{std::move(collect.rows.front())};
}

// As many as were asked for, also where some between them cannot be read: what is behind those is not lost.
Result<std::vector<Approval>> of_org(storage::Reader& tx, const OrgId& org, std::optional<State> state, const PageAsk& ask) {
  const std::optional<std::string> name = state ? std::optional<std::string>(text(*state)) : std::nullopt;
  Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  const auto most = static_cast<std::int64_t>(ask.limit) + 1;
  std::vector<Approval> out;
  for (;;) {
    const std::int64_t wanted = most - static_cast<std::int64_t>(out.size());
    Collect collect;
    CAIP_CHECKED(tx.query(COLUMNS "WHERE org = ?1 AND (?2 IS NULL OR state = ?2) AND (created_at, id) < (?3, ?4)"
                                  " ORDER BY created_at DESC, id DESC LIMIT ?5",
                          org, name, last.number, last.id, wanted, std::ref(collect)));
    std::ranges::move(collect.rows, std::back_inserter(out));
    if (collect.seen < wanted || static_cast<std::int64_t>(out.size()) == most) return out;
    last = collect.last;
  }
}

Result<std::vector<Approval>> in_state(storage::Reader& tx, State state) {
  Collect collect;
  auto ran = tx.query(COLUMNS "WHERE state = ?1 ORDER BY created_at LIMIT 1000", text(state), std::ref(collect));
  return readable(std::move(ran), std::move(collect));
}

Result<std::vector<Approval>> undone_of(storage::Reader& tx, const OrgId& org, const std::optional<UserId>& requester) {
  Collect collect;
  auto ran = tx.query(COLUMNS "WHERE state IN ('pending','half_approved','approved') AND org = ?1 AND (?2 IS NULL OR requester = ?2)", org, requester, std::ref(collect));
  return readable(std::move(ran), std::move(collect));
}

Result<std::vector<Unreadable>> unreadable(storage::Reader& tx) {
  std::vector<Unreadable> out;
  CAIP_CHECKED(tx.query(COLUMNS "WHERE state IN ('pending','half_approved','approved') ORDER BY created_at LIMIT 1000", [&](const storage::Row& r) {
    if (auto a = read(r); !a) out.push_back({r.text(0), r.text(1), a.error().detail});
  }));
  return out;
}

Result<void> end_unreadable(storage::WriteTx& tx, const std::string& id, std::string_view why) {
  CAIP_CHECKED(tx.exec("UPDATE approvals SET state = CASE WHEN state IN ('approved','executing') THEN 'failed' ELSE 'denied' END, outcome = ?2"
                       " WHERE id = ?1 AND state IN ('pending','half_approved','approved','executing')", id, why));
  return {};
}

Result<void> hold(storage::WriteTx& tx, const ApprovalId& id, std::string_view why) {
  CAIP_CHECKED(tx.exec("UPDATE approvals SET outcome = ?2 WHERE id = ?1 AND state = 'executing'", id, why));
  return {};
}

#define ENDED_BADLY "(b.state IN ('failed','denied','expired','held') OR b.surprise <> '')"

Result<std::vector<Approval>> steps_of(storage::Reader& tx, const PlanId& plan) {
  Collect collect;
  CAIP_CHECKED(tx.query(COLUMNS "WHERE plan = ?1 ORDER BY step", plan, std::ref(collect)));
  if (collect.damage) return std::unexpected(*std::move(collect.damage));
  return std::move(collect.rows);
}

Result<std::int64_t> done_before(storage::Reader& tx, const Approval& a) {
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM approvals WHERE plan = ?1 AND step < ?2 AND state = 'completed' AND surprise = ''", a.plan, a.step,
                                       [](const storage::Row& r) { return r.integer(0); }));
  return count.value_or(0);
}

// Without decoding what may be none.
Result<std::optional<Stop>> stopped_before(storage::Reader& tx, const Approval& a) {
  CAIP_TRY(found, tx.one<Result<Stop>>("SELECT b.step, b.state, b.reason, b.outcome, b.surprise FROM approvals AS b WHERE b.plan = ?1 AND b.step < ?2 AND " ENDED_BADLY
                                       " ORDER BY b.step LIMIT 1", a.plan, a.step, [](const storage::Row& r) -> Result<Stop> {
    CAIP_TRY(state, parse_state(r.text_view(1)));
    return Stop{r.integer(0), why_stopped(state, r.text(2), r.text(3), r.text(4))};
  }));
  if (!found) return std::optional<Stop>{};
  CAIP_TRY(stop, *std::move(found));
  return std::optional<Stop>{std::move(stop)};
}

Result<std::vector<Approval>> to_hold(storage::Reader& tx) {
  Collect collect;
  auto ran = tx.query(COLUMNS "AS a WHERE state IN ('pending','half_approved','approved') AND plan IS NOT NULL"
                              " AND EXISTS (SELECT 1 FROM approvals b WHERE b.plan = a.plan AND b.step < a.step AND " ENDED_BADLY ") ORDER BY plan, step LIMIT 1000", std::ref(collect));
  return readable(std::move(ran), std::move(collect));
}

namespace {

#define OF_PLAN "SELECT id, org, mode, intent, requester, conversation, digest, created_at FROM plans "

Result<Plan> read_plan(const storage::Row& r) {
  CAIP_TRY(id, r.id<PlanId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  const PilotMode mode = r.text_view(2) == text(PilotMode::agent) ? PilotMode::agent : PilotMode::plan;
  CAIP_TRY(requester, r.id<UserId>(4));
  CAIP_TRY(conversation, r.optional_id<ConversationId>(5));
  CAIP_TRY(digest, r.digest(6));
  return Plan{.id = id, .org = org, .mode = mode, .intent = Foreign(r.text_view(3)), .requester = requester, .conversation = conversation,
              .digest = digest, .created_at = r.time(7)};
}

Result<std::vector<Plan>> with_steps(storage::Reader& tx, std::vector<Plan> plans) {
  for (Plan& p : plans)
    if (auto steps = steps_of(tx, p.id)) p.steps = *std::move(steps);
  std::erase_if(plans, [](const Plan& p) { return p.steps.empty(); });  // one that cannot be read does not stand in the way of the others
  return plans;
}

}  // namespace

Result<void> insert(storage::WriteTx& tx, const Plan& p) {
  CAIP_CHECKED(tx.exec("INSERT INTO plans (id, org, mode, intent, requester, conversation, digest, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                       p.id, p.org, text(p.mode), p.intent.raw(), p.requester, p.conversation, p.digest, p.created_at));
  for (const Approval& a : p.steps) CAIP_CHECKED(insert(tx, a));
  return {};
}

Result<std::optional<Plan>> find(storage::Reader& tx, const PlanId& id) {
  CAIP_TRY(found, tx.one<Result<Plan>>(OF_PLAN "WHERE id = ?1", id, read_plan));
  if (!found) return std::optional<Plan>{};
  CAIP_TRY(plan, *std::move(found));
  CAIP_TRY(steps, steps_of(tx, id));
  plan.steps = std::move(steps);
  return std::optional<Plan>{std::move(plan)};
}

Result<std::vector<Plan>> plans_of(storage::Reader& tx, const OrgId& org, const PageAsk& ask) {
  const Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  std::vector<Plan> out;
  std::optional<Error> damage;
  CAIP_CHECKED(tx.query(OF_PLAN "WHERE org = ?1 AND (created_at, id) < (?2, ?3) ORDER BY created_at DESC, id DESC LIMIT ?4", org, last.number, last.id, ask.limit + 1,
                        [&](const storage::Row& r) {
    auto p = read_plan(r);
    if (p) out.push_back(*std::move(p));
    else damage = p.error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  return with_steps(tx, std::move(out));
}

Result<std::int64_t> open_of(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM approvals WHERE requester = ?1 AND state IN ('pending','half_approved')", user,
                                       [](const storage::Row& r) { return r.integer(0); }));
  return count.value_or(0);
}

Result<void> change(storage::WriteTx& tx, State from, const Approval& now) {
  CAIP_TRY(rows, tx.exec("UPDATE approvals SET state = ?3, decided_by = ?4, reason = ?5, operation = ?6, outcome = ?7,"
                         " second_person = ?8, first_by = ?9, first_at = ?10, decided_at = ?11, surprise = ?12 WHERE id = ?1 AND state = ?2",
                         now.id, text(from), text(now.state), now.decided_by, now.reason, now.operation, now.outcome,
                         now.second_person, now.first_by, now.first_at, now.decided_at, now.surprise));
  if (rows != 1) return fail(Code::already_decided, "somebody was faster");
  return {};
}

}  // namespace table
}  // namespace caip::approvals
