#include "runner/conversations.h"

#include <limits>
#include <map>

#include "approvals/ai_controls.h"
#include "approvals/approval.h"
#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/guarded.h"
#include "base/text.h"
#include "crypto/random.h"
#include "runner/migrations.h"
#include "storage/database.h"

namespace caip::runner {

storage::Migrations migrations() {
  return {{"runner/1 conversations", R"sql(
    CREATE TABLE conversations (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      user TEXT NOT NULL,
      title TEXT NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX conversations_by_user ON conversations (user, created_at);
    CREATE TABLE messages (
      id TEXT PRIMARY KEY,
      conversation TEXT NOT NULL,
      number INTEGER NOT NULL,
      speaker TEXT NOT NULL CHECK (speaker IN ('user','pilot','tool')),
      text TEXT NOT NULL,
      label TEXT NOT NULL DEFAULT '',
      approval TEXT,
      at INTEGER NOT NULL,
      UNIQUE (conversation, number)
    ) STRICT;
  )sql"},
          // Of before there were modes: each proposal was a card of its own.
          {"runner/2 modes", R"sql(
    ALTER TABLE conversations ADD COLUMN mode TEXT NOT NULL DEFAULT 'plan' CHECK (mode IN ('ask','plan'));
  )sql"},
          // A third mode: made anew, for the check.
          {"runner/3 agent mode", R"sql(
    CREATE TABLE conversations_before AS SELECT * FROM conversations;
    DROP TABLE conversations;
    CREATE TABLE conversations (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      user TEXT NOT NULL,
      title TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      mode TEXT NOT NULL DEFAULT 'plan' CHECK (mode IN ('ask','plan','agent'))
    ) STRICT;
    INSERT INTO conversations (id, org, user, title, created_at, mode) SELECT id, org, user, title, created_at, mode FROM conversations_before;
    DROP TABLE conversations_before;
    CREATE INDEX conversations_by_user ON conversations (user, created_at);
  )sql"}};
}

namespace {

constexpr std::size_t kMaxText = 8 * 1024;
constexpr std::size_t kMaxReply = 64 * 1024;
constexpr std::size_t kMaxEmpty = 1000;  // created, nothing said yet

struct Owner {  // one person, in one organisation
  OrgId org;
  UserId user;
  bool operator==(const Owner&) const = default;
};

struct Empty {
  Owner owner;
  Instant at;
  PilotMode mode = PilotMode::plan;
};

Result<Speaker> parse_speaker(std::string_view s) {
  for (auto x : {Speaker::user, Speaker::pilot, Speaker::tool})
    if (text(x) == s) return x;
  return fail(Code::storage_failed, "no such speaker");
}

Result<Message> read_message(const storage::Row& r) {
  CAIP_TRY(id, r.id<MessageId>(0));
  CAIP_TRY(conversation, r.id<ConversationId>(1));
  CAIP_TRY(speaker, parse_speaker(r.text_view(2)));
  CAIP_TRY(approval, r.optional_id<ApprovalId>(5));
  return Message{id, conversation, speaker, r.text(3), r.text(4), approval, r.time(6)};
}

Result<Conversation> read_conversation(const storage::Row& r) {
  CAIP_TRY(id, r.id<ConversationId>(0));
  CAIP_TRY(mode, parse_pilot_mode(r.text_view(3)));
  return Conversation{id, r.text(1), r.time(2), mode, {}};
}

Result<void> insert(storage::WriteTx& tx, const Message& m) {
  CAIP_CHECKED(tx.exec("INSERT INTO messages (id, conversation, number, speaker, text, label, approval, at) VALUES (?1, ?2,"
                       " (SELECT coalesce(max(number), 0) + 1 FROM messages WHERE conversation = ?2), ?3, ?4, ?5, ?6, ?7)",
                       m.id, m.conversation, text(m.speaker), m.text, m.label, m.approval, m.at));
  return {};
}

Result<std::optional<Owner>> owner_of(storage::Reader& tx, const ConversationId& id) {
  CAIP_TRY(found, tx.one<Result<Owner>>("SELECT org, user FROM conversations WHERE id = ?1", id, [](const storage::Row& r) -> Result<Owner> {
    CAIP_TRY(org, r.id<OrgId>(0));
    CAIP_TRY(user, r.id<UserId>(1));
    return Owner{org, user};
  }));
  if (!found) return std::optional<Owner>{};
  CAIP_TRY(owner, *std::move(found));
  return std::optional<Owner>{owner};
}

std::string words_for(const approvals::Approval& a) {
  const std::string what(name_of(widen(a.action)));
  switch (a.state) {
    case approvals::State::denied: return "The human denied " + what + (a.reason.empty() ? "." : ": " + a.reason) + " Nothing was run.";
    case approvals::State::expired: return "Nobody allowed " + what + " in time, which counts as denied. Nothing was run.";
    case approvals::State::completed: return what + " was allowed and completed" + (a.outcome.empty() ? "." : ": " + a.outcome) + (a.surprise.empty() ? "" : " The plan stops here: " + a.surprise);
    case approvals::State::failed: return what + " was allowed and failed: " + a.outcome;
    case approvals::State::held: return what + " is held and was not run: " + a.outcome;
    default: return {};
  }
}

}  // namespace

std::string_view text(Speaker s) noexcept {
  switch (s) {
    case Speaker::user: return "user";
    case Speaker::pilot: return "pilot";
    case Speaker::tool: return "tool";
  }
  return "tool";
}

json::object view(const Message& m) {
  return {{"id", m.id.str()}, {"role", text(m.speaker)}, {"text", m.text},
          {"label", m.label.empty() ? json::value(nullptr) : json::value(m.label)},
          {"approval_id", m.approval ? json::value(m.approval->str()) : json::value(nullptr)}, {"at", m.at.str()}};
}

json::object view(const Conversation& c, bool with_messages) {
  json::object v{{"id", c.id.str()}, {"title", c.title}, {"mode", text(c.mode)}, {"created_at", c.created_at.str()}};
  if (!with_messages) return v;
  json::array all;
  for (const Message& m : c.messages) all.push_back(view(m));
  v["messages"] = std::move(all);
  return v;
}

struct Conversations::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  const Clock& clock;
  std::function<void(const OrgId&, const UserId&, const Message&)> message = {};
  OnAsk to_ask = {};
  std::function<void(const OrgId&, const UserId&, const Conversation&)> moded = {};
  Guarded<std::map<ConversationId, Empty>> empty = {};
  Guarded<std::map<ApprovalId, Message>> notes = {};  // written, not durable yet

  std::optional<Empty> begun(const ConversationId&, const Owner&) const;
  Result<Conversation> titled(storage::Reader&, const Owner&, const ConversationId&) const;
  Result<std::optional<Conversation>> change_mode(Authorized<SetPilotMode>&, const Owner&);
  Result<bool> put_mode(storage::WriteTx&, const Owner&, const ConversationId&, PilotMode);
  template <Action A>
  Result<Message> say(Authorized<A>&&, Message, bool may_begin, json::object detail);
};

Conversations::Conversations(storage::Database& db, audit::Ledger& ledger, const Clock& clock) : parts_(new Parts{db, ledger, clock}) {}
Conversations::~Conversations() = default;
void Conversations::on_message(std::function<void(const OrgId&, const UserId&, const Message&)> f) { parts_->message = std::move(f); }
void Conversations::on_ask(OnAsk f) { parts_->to_ask = std::move(f); }
void Conversations::on_mode(std::function<void(const OrgId&, const UserId&, const Conversation&)> f) { parts_->moded = std::move(f); }

std::optional<Empty> Conversations::Parts::begun(const ConversationId& id, const Owner& owner) const {
  return empty.with([&](const auto& all) -> std::optional<Empty> {
    const auto it = all.find(id);
    return it == all.end() || it->second.owner != owner ? std::nullopt : std::optional(it->second);
  });
}

Conversation Conversations::create(const Session& session, PilotMode mode) {
  const auto id = crypto::random_id<ConversationId>();
  const Instant now = parts_->clock.now();
  parts_->empty.with([&](auto& all) {
    if (all.size() >= kMaxEmpty) all.erase(all.begin());
    all.emplace(id, Empty{Owner{session.org(), session.user()}, now, mode});
  });
  return {id, "", now, mode, {}};
}

// One's own, without its messages.
Result<Conversation> Conversations::Parts::titled(storage::Reader& tx, const Owner& owner, const ConversationId& id) const {
  const auto fresh = begun(id, owner);  // asked first: what begins meanwhile is in the one or the other
  CAIP_TRY(found, tx.one<Result<Conversation>>("SELECT id, title, created_at, mode FROM conversations WHERE id = ?1 AND user = ?2 AND org = ?3", id, owner.user, owner.org, read_conversation));
  if (found) return *std::move(found);
  if (fresh) return Conversation{id, "", fresh->at, fresh->mode, {}};
  return fail(Code::not_found, "no such conversation");
}

Result<Page<Conversation>> Conversations::list(const Session& session, const PageAsk& ask) {
  std::vector<Conversation> out;
  std::optional<Error> damage;
  auto tx = parts_->db.begin_read();
  const Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  CAIP_CHECKED(tx.query("SELECT id, title, created_at, mode FROM conversations WHERE user = ?1 AND org = ?2 AND (created_at, id) < (?3, ?4)"
                        " ORDER BY created_at DESC, id DESC LIMIT ?5",
                        session.user(), session.org(), last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    auto c = read_conversation(r);
    if (c) out.push_back(*std::move(c));
    else damage = c.error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(out), ask);
}

Result<Conversation> Conversations::get(const Session& session, const ConversationId& id) {
  auto tx = parts_->db.begin_read();
  CAIP_TRY(c, parts_->titled(tx, {session.org(), session.user()}, id));
  std::optional<Error> damage;
  CAIP_CHECKED(tx.query("SELECT id, conversation, speaker, text, label, approval, at FROM messages WHERE conversation = ?1 ORDER BY number",
                        id, [&](const storage::Row& r) {
    auto m = read_message(r);
    if (m) c.messages.push_back(*std::move(m));
    else damage = m.error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  return c;
}

// One message of one speaker: only in a conversation of one's own; the first one begins it.
template <Action A>
Result<Message> Conversations::Parts::say(Authorized<A>&& permit, Message m, bool may_begin, json::object detail) {
  const Principal who = permit.principal();
  const Owner me{*who.org, *who.user};
  std::optional<Error> no;
  {
    auto tx = db.begin_write();
    CAIP_TRY(settings, approvals::AiControls::within(tx, me.org));
    no = approvals::keeps_from(settings, approvals::AiUse::talk);
    CAIP_TRY(owner, owner_of(tx, m.conversation));
    const auto fresh = begun(m.conversation, me);
    const bool begins = !owner && fresh && may_begin && !no;
    if (!no && !begins && !(owner && *owner == me)) no = Error{Code::not_found, "no such conversation"};
    if (begins) {
      CAIP_CHECKED(tx.exec("INSERT INTO conversations (id, org, user, title, created_at, mode) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                           m.conversation, who.org, who.user, cut(m.text, 80), fresh->at, text(fresh->mode)));
    }
    if (!no) {
      CAIP_CHECKED(insert(tx, m));
      CAIP_TRY(mode, mode_within(tx, m.conversation));
      detail["mode"] = text(mode);
      CAIP_TRY(spent, std::move(permit).spend(clock.now()));
      CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(detail)}));
      static_cast<void>(receipt);
      if (begins) empty.with([&](auto& all) { all.erase(m.conversation); });
      if (message) message(me.org, me.user, m);
      return m;
    }
  }
  CAIP_CHECKED(ledger.refuse(Denied{AnyAction{permit.action()}, who, no->code, no->detail}));
  return std::unexpected(*std::move(no));
}

namespace {

// What a reader would not see must not steer the pilot; lines and tabs are seen.
bool hides_something(std::string words) {
  std::erase_if(words, [](char c) { return c == '\n' || c == '\r' || c == '\t'; });
  return has_hidden(words);
}

}  // namespace

Result<Message> Conversations::ask(Authorized<AskPilot>&& permit, const std::string& words) {
  if (words.find_first_not_of(" \t\r\n") == std::string::npos || words.size() > kMaxText) return fail(Code::invalid, "a message has 1 to 8192 bytes of text");
  if (hides_something(words)) return fail(Code::invalid, "the message contains hidden characters (control, bidi or zero-width): " + cut(shown(words), 200));
  Message m{permit.action().message, permit.action().conversation, Speaker::user, words, {}, std::nullopt, parts_->clock.now()};
  return parts_->say(std::move(permit), std::move(m), true, {});
}

Result<Message> Conversations::reply(Authorized<PilotReply>&& permit, const std::string& words, const std::string& label,
                                     std::optional<ApprovalId> approval, json::object detail) {
  const Foreign clean(words, kMaxReply);  // a model's text
  Message m{permit.action().message, permit.action().conversation, Speaker::pilot, clean.raw(), Foreign(label, 200).raw(), approval,
            parts_->clock.now()};
  return parts_->say(std::move(permit), std::move(m), false, std::move(detail));
}

Result<PilotMode> Conversations::mode_within(storage::Reader& tx, const ConversationId& id) {
  CAIP_TRY(found, tx.one<std::string>("SELECT mode FROM conversations WHERE id = ?1", id, [](const storage::Row& r) { return r.text(0); }));
  if (!found) return PilotMode::ask;
  return parse_pilot_mode(*found);
}

Result<PilotMode> Conversations::mode(const ConversationId& id) const {
  auto tx = parts_->db.begin_read();
  return mode_within(tx, id);
}

// Of one that nothing was said in yet: in memory, where it is, and under the same lock as its first message.
Result<bool> Conversations::Parts::put_mode(storage::WriteTx& tx, const Owner& me, const ConversationId& id, PilotMode mode) {
  CAIP_TRY(owner, owner_of(tx, id));
  if (owner && *owner != me) return false;
  if (owner) {
    CAIP_CHECKED(tx.exec("UPDATE conversations SET mode = ?2 WHERE id = ?1", id, text(mode)));
    return true;
  }
  return empty.with([&](auto& all) {
    const auto it = all.find(id);
    if (it == all.end() || it->second.owner != me) return false;
    it->second.mode = mode;
    return true;
  });
}

Result<std::optional<Conversation>> Conversations::Parts::change_mode(Authorized<SetPilotMode>& permit, const Owner& me) {
  const auto [id, mode] = permit.action();
  auto tx = db.begin_write();
  CAIP_TRY(put, put_mode(tx, me, id, mode));
  if (!put) return std::optional<Conversation>{};
  std::function<void()> after = [] {};
  if (mode == PilotMode::ask && to_ask) {
    CAIP_TRY(ended, to_ask(tx, me.org, me.user, id));
    after = std::move(ended);
  }
  CAIP_TRY(now, titled(tx, me, id));
  CAIP_TRY(spent, std::move(permit).spend(clock.now()));
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {}));
  static_cast<void>(receipt);
  after();
  if (moded) moded(me.org, me.user, now);
  return std::optional(std::move(now));
}

Result<Conversation> Conversations::set_mode(Authorized<SetPilotMode>&& permit) {
  const Owner me{*permit.principal().org, *permit.principal().user};
  const auto id = permit.action().conversation;
  const auto before = parts_->begun(id, me);
  auto changed = parts_->change_mode(permit, me);
  if (!changed && before) parts_->empty.with([&](auto& all) {  // nothing of it is on the record
    if (const auto it = all.find(id); it != all.end()) it->second.mode = before->mode;
  });
  if (!changed) return std::unexpected(std::move(changed).error());
  if (*changed) return **std::move(changed);
  CAIP_CHECKED(parts_->ledger.refuse(Denied{permit.action(), permit.principal(), Code::not_found, "no such conversation"}));
  return fail(Code::not_found, "no such conversation");
}

Result<void> Conversations::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM messages WHERE conversation IN (SELECT id FROM conversations WHERE org = ?1)", org));
  CAIP_CHECKED(tx.exec("DELETE FROM conversations WHERE org = ?1", org));
  return {};
}

Result<void> Conversations::note(storage::WriteTx& tx, const approvals::Approval& a) {
  if (!a.conversation || !approvals::is_final(a.state)) return {};
  CAIP_TRY(owner, owner_of(tx, *a.conversation));
  if (!owner) return {};
  const Message m{crypto::random_id<MessageId>(), *a.conversation, Speaker::tool, cut((a.plan ? "Step " + std::to_string(a.step) + " of the plan. " : "") + words_for(a), kMaxText), {}, a.step < 2 ? std::optional(a.id) : std::nullopt, parts_->clock.now()};
  CAIP_CHECKED(insert(tx, m));
  parts_->notes.with([&](auto& all) { all.insert_or_assign(a.id, m); });
  return {};
}

Result<std::function<void()>> Conversations::interrupt(storage::WriteTx& tx, const std::vector<ConversationId>& running) {
  std::vector<std::pair<Owner, Message>> said;
  for (const auto& id : running) {
    CAIP_TRY(owner, owner_of(tx, id));
    if (!owner) continue;
    Message m{crypto::random_id<MessageId>(), id, Speaker::tool, "The AI was stopped while it answered. Nothing more comes of this question.", {}, std::nullopt,
              parts_->clock.now()};
    CAIP_CHECKED(insert(tx, m));
    said.emplace_back(*owner, std::move(m));
  }
  return [this, said] {
    for (const auto& [owner, m] : said)
      if (parts_->message) parts_->message(owner.org, owner.user, m);
  };
}

void Conversations::noted(const approvals::Approval& a) {
  const auto m = parts_->notes.with([&](auto& all) -> std::optional<Message> {
    const auto it = all.find(a.id);
    if (it == all.end()) return std::nullopt;
    auto out = it->second;
    all.erase(it);
    return out;
  });
  if (m && parts_->message) parts_->message(a.org, a.requester, *m);
}

}  // namespace caip::runner
