#include "audit/ledger.h"

#include <algorithm>

#include "crypto/note.h"
#include "entry.h"
#include "parts.h"
#include "tables.h"
#include "terms.h"

namespace caip::audit {

Result<Ledger::Parts::Edge*> Ledger::Parts::edge(storage::Reader& tx, const storage::LogWriter& log) {
  if (!edge_ || undone != log.undone()) {
    edge_.reset();
    undone = log.undone();
    CAIP_TRY(size, log_size(tx));
    CAIP_TRY(loaded, merkle::Frontier::load(size, node_reader(tx)));
    Edge fresh{.tree = std::move(loaded), .last = {}, .key = {}, .key_before = {}, .next = {}};
    CAIP_CHECKED(load_keys(tx, fresh));
    if (size != 0) {
      CAIP_TRY(body, body_at(tx, size - 1));
      CAIP_TRY(last, time_of(body));
      fresh.last = last;
    }
    edge_ = std::move(fresh);
  }
  return &*edge_;
}

// Looked up once for each organisation after a start: in the entries that have no index yet, from
// the newest back, and then in the index.
Result<std::uint64_t> Ledger::Parts::next_of(storage::Reader& tx, Edge& edge, const std::string& org) const {
  if (const auto found = edge.next.find(org); found != edge.next.end()) return found->second;
  CAIP_TRY(upto, indexed_upto(tx));
  std::optional<std::uint64_t> at;
  for (std::uint64_t i = edge.tree.size(); i > upto && !at; --i) {
    CAIP_TRY(body, body_at(tx, i - 1));
    CAIP_TRY(known, known_of(body));
    if (known.org == org) at = i - 1;
  }
  if (!at && upto > 0) {
    CAIP_TRY(indexed, Places(term_of(org, "org", "")).last(tx, upto - 1));
    at = indexed;
  }
  std::uint64_t next = 0;
  if (at) {
    CAIP_TRY(body, body_at(tx, *at));
    CAIP_TRY(known, known_of(body));
    next = static_cast<std::uint64_t>(known.seq + 1);
  }
  edge.next.emplace(org, next);
  return next;
}

Result<Bytes> Ledger::Parts::sign(BytesView public_key, BytesView message) {
  const Signer signer = keys.with([&](const auto& all) {
    const auto found = std::ranges::find_if(all, [&](const LogKey& k) { return std::ranges::equal(k.public_key, public_key); });
    return found == all.end() ? Signer{} : found->sign;
  });
  if (!signer) return fail(Code::internal, "the log has no such key to sign with");
  return signer(message);
}

bool Ledger::Parts::signs(BytesView public_key) {
  return keys.with([&](const auto& all) { return std::ranges::any_of(all, [&](const LogKey& k) { return std::ranges::equal(k.public_key, public_key); }); });
}

Result<void> Ledger::Parts::load_keys(storage::Reader& tx, Edge& edge) {
  CAIP_TRY(key, key_at(tx, crypto::SuccessionKey::checkpoint));
  CAIP_TRY(switched, tx.one<std::int64_t>("SELECT idx FROM log_successions WHERE key = 'checkpoint' ORDER BY idx DESC LIMIT 1", [](const storage::Row& r) { return r.integer(0); }));
  edge.key = key.value_or(Bytes());
  if (!switched) return {};
  CAIP_TRY(before, key_at(tx, crypto::SuccessionKey::checkpoint, *switched));
  edge.key_before = std::move(before);
  return {};
}

Result<std::optional<crypto::Cosigner>> Ledger::Parts::own(storage::Reader& tx) {
  using Own = std::optional<crypto::Cosigner>;
  CAIP_TRY(key, key_at(tx, crypto::SuccessionKey::cosign));
  if (!key) return Own{};
  return Own{{std::string(crypto::kLogOrigin), crypto::CosignatureType::mldsa44, *std::move(key)}};
}

Result<crypto::NoteSignature> Ledger::Parts::second_signature(const crypto::Cosigner& own, const std::string& text) {
  return newest_second.with([&](auto& kept) -> Result<crypto::NoteSignature> {
    if (kept && kept->text == text && kept->key == own.public_key) return kept->signature;
    const auto seconds = static_cast<std::uint64_t>(clock.now().micros() / 1'000'000);
    CAIP_TRY(message, crypto::cosigned_message(own, seconds, text));
    CAIP_TRY(signature, sign(own.public_key, message));
    kept.emplace(text, own.public_key, crypto::cosignature(own, seconds, signature));
    return kept->signature;
  });
}

// Runs once per group, in it: what becomes durable has its signed checkpoint.
Result<void> Ledger::Parts::seal(storage::Reader& tx, storage::LogWriter& log) {
  CAIP_TRY(now, edge(tx, log));
  const merkle::Frontier* tree = &now->tree;
  CAIP_TRY(last, tx.one<std::int64_t>("SELECT size FROM log_checkpoints ORDER BY size DESC LIMIT 1",
                                      [](const storage::Row& r) { return r.integer(0); }));
  const auto size = static_cast<std::int64_t>(tree->size());
  if (size == last.value_or(0)) return {};
  const crypto::Checkpoint checkpoint{.size = tree->size(), .root = tree->root()};
  const std::string text = crypto::checkpoint_text(checkpoint);
  CAIP_TRY(signature, sign(now->key, view(text)));
  std::string note = crypto::checkpoint_note(checkpoint, now->key, signature);
  if (now->key_before && signs(*now->key_before)) {  // for whoever has not heard of the new key yet
    if (const auto also = sign(*now->key_before, view(text)))
      note += crypto::signature_line({checkpoint.origin, crypto::note_key_id(checkpoint.origin, *now->key_before), *also});
  }
  return log.insert("INSERT INTO log_checkpoints VALUES (?1, ?2)", size, note);
}

void Ledger::Parts::tell(std::uint64_t size) {
  std::scoped_lock lock(watchers->mutex);
  if (size <= watchers->told) return;  // another member of the group told it
  watchers->told = size;
  Growth growth{.size = size};
  for (auto& fresh = watchers->fresh; !fresh.empty() && fresh.front().first < size; fresh.pop_front()) {
    if (fresh.front().second) growth.orgs.insert(*fresh.front().second);
    else growth.unowned = true;
  }
  for (const auto& f : watchers->all) f(growth);
}

void Ledger::Parts::wrote(std::uint64_t index, const std::optional<OrgId>& org) {
  std::scoped_lock lock(watchers->mutex);
  auto& fresh = watchers->fresh;
  while (!fresh.empty() && fresh.back().first >= index) fresh.pop_back();  // of a transaction that was rolled back
  fresh.emplace_back(index, org);
}

Result<std::string> Ledger::Parts::with_second(storage::Reader& tx, const std::string& text) {
  CAIP_TRY(cosigner, own(tx));
  if (!cosigner) return text;
  CAIP_TRY(note, crypto::parse_note(text));
  if (crypto::cosigned_at(note, *cosigner)) return text;
  CAIP_TRY(signature, second_signature(*cosigner, note.text));
  note.signatures.push_back(std::move(signature));
  return crypto::format_note(note);
}

// At first use; and later that they still are what the log says.
Result<void> Ledger::Parts::record(storage::Reader& tx, storage::LogWriter log, BytesView first, const std::optional<LogKey>& second) const {
  CAIP_TRY(known, key_at(tx, crypto::SuccessionKey::checkpoint));
  if (!known) CAIP_CHECKED(log.insert("INSERT INTO log_key VALUES (1, ?1, ?2)", crypto::kLogOrigin, first));
  else if (!std::ranges::equal(*known, first)) return fail(Code::storage_failed, "the log was signed with another key than DATA/keys has");
  if (!second) return {};
  CAIP_TRY(cosigner, key_at(tx, crypto::SuccessionKey::cosign));
  if (!cosigner) return log.insert("INSERT INTO log_cosigner VALUES (1, ?1)", second->public_key);
  if (*cosigner != second->public_key) return fail(Code::storage_failed, "the log was cosigned with another key than DATA/keys has");
  return {};
}

Ledger::Ledger(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

void Ledger::know(People people) { parts_->people = std::move(people); }

Ledger::~Ledger() { parts_->database.set_seal(Badge<Ledger>(), {}); }

Result<std::unique_ptr<Ledger>> Ledger::open(storage::Database& db, const Clock& clock, Signer signer, Bytes key,
                                             std::optional<LogKey> second) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::make_unique<Parts>(db, clock)));
  Parts& p = *ledger->parts_;
  auto tx = db.begin_write();
  CAIP_CHECKED(p.record(tx, tx.log(Badge<Ledger>()), key, second));
  ledger->add_key({std::move(signer), key});
  if (second) ledger->add_key(*std::move(second));
  CAIP_TRY(now, p.edge(tx, tx.log(Badge<Ledger>())));
  const merkle::Frontier* tree = &now->tree;
  CAIP_TRY(note, newest_checkpoint(tx));
  if (note) {
    CAIP_TRY(checkpoint, crypto::open_checkpoint(*note, key));
    if (checkpoint.size != tree->size() || checkpoint.root != tree->root())
      return fail(Code::storage_failed, "the log does not match its checkpoint; run `caip audit verify`");
  } else if (tree->size() != 0) {
    return fail(Code::storage_failed, "the log has entries but no checkpoint; run `caip audit verify`");
  }
  p.watchers->told = tree->size();
  CAIP_CHECKED(std::move(tx).commit(Badge<Ledger>()));
  db.set_seal(Badge<Ledger>(), [&p](storage::Reader& r, storage::LogWriter& w) { return p.seal(r, w); });
  return ledger;
}

Result<std::uint64_t> Ledger::put(storage::WriteTx& tx, const AnyAction& action, const Principal& who, const std::optional<UserId>& approver,
                                  const Outcome& outcome) {
  auto log = tx.log(Badge<Ledger>());
  CAIP_TRY(edge, parts_->edge(tx, log));
  const auto org = org_of(action, who, outcome);
  const std::string org_text = org ? org->str() : std::string();
  CAIP_TRY(seq, parts_->next_of(tx, *edge, org_text));
  // A clock that was set back must not reorder history: time in the log stands still until then.
  const Instant at = std::max(parts_->clock.now(), edge->last);
  const std::string body = entry_body(at, seq, org, action, who, approver, outcome);
  if (body.size() > kMostBytes) return fail(Code::too_large, "a log entry has at most 64 KiB");
  const std::uint64_t index = edge->tree.size();
  const Digest leaf = merkle::leaf_hash(view(body));
  CAIP_CHECKED(log.insert("INSERT INTO log_entries VALUES (?1, ?2, ?3)", index, body, leaf));
  for (const auto& made : edge->tree.append(leaf))
    if (made.id.level >= kLowestKept) CAIP_CHECKED(log.insert("INSERT INTO log_nodes VALUES (?1, ?2, ?3)", made.id.level, made.id.index, made.hash));
  edge->last = at;
  edge->next[org_text] = seq + 1;
  parts_->wrote(index, org);
  return index;
}

Result<void> Ledger::finish(storage::WriteTx&& tx, std::uint64_t index) {
  CAIP_CHECKED(std::move(tx).commit(Badge<Ledger>()));
  parts_->tell(index + 1);
  return {};
}

template <Action A>
Result<std::uint64_t> Ledger::append(storage::WriteTx& tx, Spent<A>&& spent, Outcome outcome) {
  return put(tx, spent.action(), spent.principal(), spent.approver(), outcome);
}

// Once per command: the change, its entry and this row stand or fall together.
Result<void> Ledger::remember(storage::WriteTx& tx, const Principal& who) {
  if (!who.origin.command || !who.user) return {};
  constexpr Duration kKept = std::chrono::hours(24);
  const Command& command = *who.origin.command;
  const Instant now = parts_->clock.now();
  CAIP_TRY(payload, tx.one<Bytes>("SELECT payload FROM commands WHERE who = ?1 AND key = ?2 AND at > ?3", *who.user, command.key,
                                  now + -kKept, [](const storage::Row& r) { return r.blob(0); }));
  if (payload && !std::ranges::equal(*payload, command.payload)) return fail(Code::key_reused, "this key was used with another request");
  if (payload) return fail(Code::already_done, "it was carried out before the control plane restarted; look at what is there now");
  CAIP_CHECKED(tx.exec("DELETE FROM commands WHERE at <= ?1", now + -kKept));
  CAIP_CHECKED(tx.exec("INSERT INTO commands VALUES (?1, ?2, ?3, ?4)", *who.user, command.key, command.payload, now));
  return {};
}

Result<void> Ledger::put_elsewhere(storage::WriteTx& tx, const UserId& user, const AnyAction& action, const Principal& who, const std::optional<UserId>& approver,
                                   Outcome outcome, std::uint64_t& index) {
  if (!parts_->people.organizations) return {};
  const auto here = org_of(action, who, outcome);
  CAIP_TRY(all, parts_->people.organizations(tx, user));
  Principal shown = who;
  if (who.user && who.user != user) {  // who manages members in one organisation is not the others' to know
    shown = Principal{};
    shown.source = Source::system;
    outcome.user.reset();
  }
  for (const auto& org : all) {
    if (org == here) continue;
    outcome.org = org;
    CAIP_TRY(at, put(tx, action, shown, approver, outcome));
    index = at;
  }
  return {};
}

namespace {

template <class A, class... B>
constexpr bool kOneOf = (std::is_same_v<A, B> || ...);

// What is done to an account, whichever organisation its person acts in.
template <class A>
constexpr bool kAboutAccount = kOneOf<A, LinkIdentity, UnlinkIdentity, AddFactor, RenameFactor, RemoveFactor, ResetFactors, ResetFactorsLocally, RenewRecoveryCodes,
                                      EndSession, EndOtherSessions, HandOverSession, DisownSession, ForgetDevice, ChangePassword, ResetPassword, ChangeEmail, ConfirmEmail, ConfirmNewEmail, DisownSignIn>;

// It takes away, or may, what the person stood on: the room that does it asks at the beginning of the transaction instead.
template <class A>
bool ends_own(const A& action, const Principal& who) {
  if constexpr (kOneOf<A, RefreshSession, SignOut, DisownSession, SwitchOrganization, LeaveOrganization, TransferOwnership, SetSessionLimits, JoinOrganization, ConfirmNewEmail>) return true;
  else if constexpr (kOneOf<A, ChangeRole, RemoveMember, ResetFactors>) return action.user == who.user;
  else if constexpr (kOneOf<A, EndSession>) return action.session == who.session;
  else return false;
}

template <class A>
std::optional<UserId> account_of(const A& action, const Principal& who, const Outcome& outcome) {
  if constexpr (!kAboutAccount<A>) return std::nullopt;
  else if constexpr (requires { action.user; }) return action.user;
  else return outcome.user ? outcome.user : who.user;
}

bool ends_own(const AnyAction& action, const Principal& who) {
  return std::visit([&](const auto& a) { return ends_own(a, who); }, action);
}
std::optional<UserId> account_of(const AnyAction& action, const Principal& who, const Outcome& outcome) {
  return std::visit([&](const auto& a) { return account_of(a, who, outcome); }, action);
}

bool is_person(const Principal& who) { return who.source == Source::user || who.source == Source::api_token || who.source == Source::pilot; }

}  // namespace

Result<std::uint64_t> Ledger::commit_any(storage::WriteTx&& tx, const AnyAction& action, const Principal& who, const std::optional<UserId>& approver, Outcome outcome) {
  std::optional<Error> no;
  {
    storage::WriteTx own = std::move(tx);  // whatever happens, the lane is free when we leave
    if (is_person(who) && !ends_own(action, who)) {
      auto still = parts_->people.still ? parts_->people.still(own, who) : fail(Code::internal, "nobody says who may still act");
      if (!still) no = std::move(still).error();
    }
    if (!no) {
      CAIP_CHECKED(remember(own, who));
      CAIP_TRY(index, put(own, action, who, approver, outcome));
      std::uint64_t last = index;
      if (const auto account = account_of(action, who, outcome)) CAIP_CHECKED(put_elsewhere(own, *account, action, who, approver, std::move(outcome), last));
      CAIP_CHECKED(finish(std::move(own), last));
      return index;
    }
  }
  CAIP_CHECKED(refuse(Denied{action, who, no->code, "they may not any more"}));
  return std::unexpected(*std::move(no));
}

// As little as can be: it is compiled for each action of the product.
template <Action A>
Result<Receipt<A>> Ledger::commit(storage::WriteTx&& tx, Spent<A>&& spent, Outcome outcome) {
  const Spent<A> used = std::move(spent);
  CAIP_TRY(index, commit_any(std::move(tx), AnyAction(used.action()), used.principal(), used.approver(), std::move(outcome)));
  return Receipt<A>(Badge<Ledger>(), used.action(), index);
}

// How many were not written since the last one that was.
Result<std::int64_t> Ledger::Parts::admit_unknown() {
  return unknown.with([&](Refusals& u) -> Result<std::int64_t> {
    if (u.bucket.take(clock.now())) return std::exchange(u.unwritten, 0);
    ++u.unwritten;
    return fail(Code::too_many, "too many refused requests; try again in a minute");
  });
}

namespace {

std::string speaker(const Principal& who) {
  const auto& by = who.token ? who.token->str() : who.session ? who.session->str() : std::string();
  return who.user->str() + ' ' + by;
}

}  // namespace

Result<std::int64_t> Ledger::Parts::admit(const Principal& who) {
  if (who.source == Source::anonymous) return admit_unknown();
  if (!who.user) return 0;
  constexpr std::size_t kMost = 10'000;
  const Instant now = clock.now();
  return refusals_of.with([&](auto& all) -> Result<std::int64_t> {
    if (all.size() >= kMost) std::erase_if(all, [&](auto& one) { return one.second.unwritten == 0 && one.second.bucket.full(now); });
    auto& mine = all.try_emplace(speaker(who), Refusals{TokenBucket(kKnown, now)}).first->second;
    if (mine.bucket.take(now)) return std::exchange(mine.unwritten, 0);
    ++mine.unwritten;
    return fail(Code::too_many, "too many refused requests; try again in a minute");
  });
}

Result<void> Ledger::refuse(const Denied& d, const InRefusal& change, const std::optional<UserId>& about, Room room) {
  json::object detail{{"code", code_text(d.code)}, {"reason", d.reason}};
  const auto unwritten = parts_->admit(d.principal);
  if (!unwritten && room != Room::always) return std::unexpected(unwritten.error());
  if (unwritten && *unwritten > 0) detail["unwritten"] = *unwritten;
  auto tx = parts_->database.begin_write();
  if (change) CAIP_CHECKED(change(tx));
  const Outcome outcome{.result = Ending::blocked, .detail = std::move(detail)};
  CAIP_TRY(index, put(tx, d.action, d.principal, std::nullopt, outcome));
  if (about) CAIP_CHECKED(put_elsewhere(tx, *about, d.action, d.principal, std::nullopt, outcome, index));
  return finish(std::move(tx), index);
}

// --- its keys ------------------------------------------------------------------------------------

void Ledger::add_key(LogKey key) {
  parts_->keys.with([&](auto& all) {
    std::erase_if(all, [&](const LogKey& k) { return k.public_key == key.public_key; });
    all.push_back(std::move(key));
  });
}

void Ledger::drop_key(BytesView public_key) {
  parts_->keys.with([&](auto& all) { std::erase_if(all, [&](const LogKey& k) { return std::ranges::equal(k.public_key, public_key); }); });
}

Result<json::object> Ledger::hand_over(storage::WriteTx& tx, const MakeSuccession& make) {
  auto log = tx.log(Badge<Ledger>());
  CAIP_TRY(edge, parts_->edge(tx, log));
  const std::uint64_t index = edge->tree.size();
  CAIP_TRY(text, make(index + 1));
  CAIP_TRY(s, crypto::open_succession(text));
  CAIP_TRY(held, key_at(tx, s.key));
  if (s.size != index + 1 || (held && *held != s.old_key)) return fail(Code::internal, "a succession that does not continue what the log says");
  CAIP_CHECKED(log.insert("INSERT INTO log_successions VALUES (?1, ?2, ?3, ?4, ?5, ?6)", index, crypto::text(s.key), s.generation, s.old_key, s.new_key, text));
  CAIP_CHECKED(parts_->load_keys(tx, *edge));
  CAIP_TRY(statement, parse_object(text));
  return json::object{{"succession", std::move(statement)}};
}

Result<bool> Ledger::hands_over_to(BytesView public_key) const {
  auto tx = parts_->database.begin_read();
  CAIP_TRY(found, tx.one<bool>("SELECT 1 FROM log_successions WHERE public_key = ?1", public_key, [](const storage::Row&) { return true; }));
  return found.has_value();
}

Result<Ledger::Keys> Ledger::keys_of(storage::Database& db) {
  auto tx = db.begin_read();
  CAIP_TRY(first, key_at(tx, crypto::SuccessionKey::checkpoint));
  CAIP_TRY(second, key_at(tx, crypto::SuccessionKey::cosign));
  // By what both keys signed, and not by the column beside it: new servers pin this one.
  CAIP_TRY(statement, tx.one<std::string>("SELECT statement FROM log_successions WHERE key = 'order' ORDER BY idx DESC LIMIT 1", [](const storage::Row& r) { return r.text(0); }));
  Bytes order;
  if (statement) {
    CAIP_TRY(succession, crypto::open_succession(*statement));
    order = std::move(succession.new_key);
  }
  return Keys{first.value_or(Bytes()), second.value_or(Bytes()), std::move(order)};
}

// --- what follows the log -----------------------------------------------------------------------

Result<std::optional<std::uint64_t>> Ledger::anchor() {
  using Anchored = std::optional<std::uint64_t>;
  std::optional<std::string> text;
  std::optional<crypto::Cosigner> own;
  {
    auto tx = parts_->database.begin_read();
    CAIP_TRY(newest, newest_checkpoint(tx));
    CAIP_TRY(cosigner, Parts::own(tx));
    text = std::move(newest);
    own = std::move(cosigner);
  }
  if (!text || !own) return Anchored{};
  CAIP_TRY(note, crypto::parse_note(*text));
  CAIP_TRY(checkpoint, crypto::parse_checkpoint_text(note.text));
  if (checkpoint.size == parts_->anchored) return Anchored{};
  CAIP_TRY(signature, parts_->second_signature(*own, note.text));  // before the lane is taken: the keeper may be slow
  CAIP_CHECKED(keep(checkpoint.size, {&signature, 1}));
  parts_->anchored = checkpoint.size;
  return Anchored{checkpoint.size};
}

Result<void> Ledger::keep(std::uint64_t size, std::span<const crypto::NoteSignature> signatures) {
  auto tx = parts_->database.begin_write();
  auto log = tx.log(Badge<Ledger>());
  for (const auto& s : signatures)
    CAIP_CHECKED(log.insert("INSERT OR IGNORE INTO log_cosignatures VALUES (?1, ?2, ?3, ?4)", size, s.name, s.key_id, crypto::signature_line(s)));
  return std::move(tx).commit(Badge<Ledger>());
}

namespace {

Result<void> put_postings(storage::LogWriter& log, const Postings& postings) {
  for (const auto& [term, all] : postings)
    for (std::span<const std::uint64_t> rest = all; !rest.empty();) {
      const auto row = rest.first(std::min(rest.size(), kMostPlaces));
      CAIP_CHECKED(log.insert("INSERT INTO log_postings VALUES (?1, ?2, ?3)", term, row.front(), packed(row)));
      rest = rest.subspan(row.size());
    }
  return {};
}

}  // namespace

Result<bool> Ledger::index_some(std::size_t most) {
  most = std::min(most, kMostPosted);
  Postings postings;
  std::uint64_t from = 0, upto = 0, size = 0;
  {
    auto tx = parts_->database.begin_read();
    CAIP_TRY(indexed, indexed_upto(tx));
    CAIP_TRY(have, log_size(tx));
    from = indexed;
    size = std::max(have, from);
    upto = std::min<std::uint64_t>(size, from + most);
    if (upto == from) return false;
    CAIP_TRY(found, postings_of(tx, from, upto));
    postings = std::move(found);
  }
  auto tx = parts_->database.begin_write();
  CAIP_TRY(now, indexed_upto(tx));
  if (now != from) return true;  // another thread was here: two batches that begin at one place would hide each other's
  auto log = tx.log(Badge<Ledger>());
  CAIP_CHECKED(put_postings(log, postings));
  CAIP_CHECKED(log.insert("INSERT INTO log_posted VALUES (?1)", upto));
  CAIP_CHECKED(std::move(tx).commit(Badge<Ledger>()));
  return upto < size;
}

namespace {

// The bodies stand here and not in the header, so that nobody can specialise them and borrow
// the badge; every action of the product gets its two.
template <class... A>
consteval auto every(TypeList<A...>) {
  return std::tuple{static_cast<Result<std::uint64_t> (Ledger::*)(storage::WriteTx&, Spent<A>&&, Outcome)>(&Ledger::append<A>)...,
                    static_cast<Result<Receipt<A>> (Ledger::*)(storage::WriteTx&&, Spent<A>&&, Outcome)>(&Ledger::commit<A>)...};
}
[[gnu::used]] constinit const auto kEvery = every(AllActions{});

}  // namespace
}  // namespace caip::audit
