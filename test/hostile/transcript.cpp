#include "transcript.h"

#include "crypto/hash.h"
#include "wire.pb.h"

namespace caip::hostile {
namespace {

bool plain_text(std::string_view s) {
  return std::ranges::all_of(s, [](char c) { return c >= 0x20 && c < 0x7f; });
}

constexpr std::array kVendors{AiVendor::openai_compatible, AiVendor::openai, AiVendor::anthropic, AiVendor::gemini, AiVendor::ollama};

}  // namespace

Transcript::Transcript(World& w, Model& model, std::uint64_t seed, Tally& tally) : w_(w), model_(model), dice_(seed), seed_(seed), tally_(tally) {}

void Transcript::run() {
  ++tally_.transcripts;
  w_.clock.advance(std::chrono::milliseconds(500 + dice_.below(3000)));
  if (seed_ % 64 == 0) w_.freshen();
  before();
  talk();
  collect();
  for (std::size_t acts = cards_.empty() ? 0 : 1 + dice_.below(5); acts > 0; --acts) {
    act();
    look();
  }
  end();
}

// What a person has set before the question: most often nothing.
void Transcript::before() {
  asker_ = dice_.below(10) < 5 ? &w_.member : dice_.one_in(2) ? &w_.admin : &w_.owner;
  mode_ = dice_.one_in(8) ? PilotMode::ask : PilotMode::plan;
  if (!dice_.one_in(16)) return;
  w_.freshen();
  switch (dice_.below(5)) {
    case 0: return w_.forbid_writes();
    case 1: return w_.operation("unit.restart", false);
    case 2: return w_.two_people(true);
    case 3: return w_.unprotect(std::chrono::minutes(5));
    default: return w_.access(w_.named.at("web-1"), AiAccess::none);
  }
}

void Transcript::while_it_speaks() {
  ++tally_.stops;
  switch (dice_.below(5)) {
    case 0: return w_.forbid_writes();
    case 1: return w_.access(w_.named.at("web-1"), dice_.one_in(2) ? AiAccess::none : AiAccess::read);
    case 2: {
      mode_ = PilotMode::ask;
      CAIP_ASSERT(w_.plane->conversations.set_mode(w_.permit(*asker_, SetPilotMode{*talk_, PilotMode::ask}).value()));
      return;
    }
    default: return w_.stop_ai();
  }
}

void Transcript::talk() {
  auto& plane = *w_.plane;
  const auto id = [&](const char* as) { return w_.named.at(as).str(); };
  Names names{{"web-1", "web-1", "web-2", id("web-1"), id("web-2")},
              {"db-1", "new-1", "cache-1", "vault-7", id("db-1"), id("new-1"), id("cache-1"), id("vault-7"), id("theirs"), "web-3", "localhost", "*", "", "srv_00000000000000000000000000", w_.ours.str()},
              {"apr_00000000000000000000000000"}, {w_.owner.user.str(), w_.admin.user.str()}, {w_.ours.str(), w_.theirs.str()}};
  const auto words = std::make_shared<Words>(names, dice_);
  const std::size_t turns = dice_.one_in(6) ? 2 + dice_.below(3) : 1, event_at = dice_.one_in(14) ? dice_.below(turns) : turns + 1;
  model_.play({.vendor = kVendors.at(dice_.below(kVendors.size())),
               .say = [=, this](std::size_t turn, std::span<const pilot::Message>) { return turn < turns ? words->turn() : Said{words->text(), {}}; },
               .seed = seed_, .damage = dice_.one_in(4) ? 2U : 0U,
               .while_it_speaks = [this, event_at](std::size_t turn) { if (turn == event_at) while_it_speaks(); }});
  talk_ = plane.conversations.create(w_.session(*asker_), mode_).id;
  if (event_at < turns) w_.freshen();
  if (!w_.ask(*asker_, *talk_, words->question(), [this] { return model_.quiet(); })) w_.oracle.wrong("the question was not taken");
  tally_.turns += model_.turns();
}

void Transcript::collect() {
  std::vector<ApprovalId> ids;
  {
    auto tx = w_.plane->db.begin_read();
    CAIP_ASSERT(tx.query("SELECT id FROM approvals WHERE org = ?1 AND created_at >= ?2 ORDER BY created_at, id", w_.ours, Instant{w_.clock.now().micros() - 30'000'000},
                         [&](const storage::Row& r) { ids.push_back(r.id<ApprovalId>(0).value()); }));
  }
  for (const auto& id : ids) {
    Card card = w_.plane->gate.find(id).value();
    if (card.conversation != talk_) continue;
    ++tally_.cards;
    w_.oracle.proposed(id, card.requester, mode_);
    if (card.requester != asker_->user || card.org != w_.ours) w_.oracle.wrong("a card is in another one's name");
    if (!plain_text(card.bytes)) w_.oracle.wrong("a card has bytes that a person cannot see");
    const auto open = w_.oracle.why_no_yes(w_.owner.user, card.bytes, id, true);
    if (approvals::undecided(card.state) && !open.empty()) w_.oracle.wrong("a card waits that must not: " + open + ": " + card.bytes);
    if (plain(card.bytes).cuts_access() && asker_->role == Role::member) w_.oracle.wrong("a card proposes what who asked could not do: " + card.bytes);
    cards_.push_back(std::move(card));
  }
  if (!w_.sent_writes().empty()) w_.oracle.wrong("a write was sent before anybody was asked");
}

Person& Transcript::anybody() {
  const std::array<Person*, 6> all{&w_.owner, &w_.admin, &w_.second, &w_.member, &w_.viewer, &w_.stranger};
  return *dice_.of(all);
}

void Transcript::act() {
  switch (dice_.below(15)) {
    case 0: case 1: case 2: case 3: case 4: return right_way();
    case 5: case 6: return attempt();
    case 7: return go(any());
    case 8: return flip();
    case 9: return race();
    case 10: return replay();
    case 11: return tamper();
    case 12: return wait();
    case 13: return deny();
    default: return as_pilot(any());
  }
}

void Transcript::attempt() {
  const Card& card = any();
  Digest digest = dice_.one_in(3) ? any().digest : card.digest;
  if (dice_.one_in(6)) digest.at(dice_.below(digest.size())) ^= 1U;
  attempt(anybody(), card, digest, !dice_.one_in(4));
}

// A yes by this person to what they were shown, with or without having just shown who they are.
void Transcript::attempt(Person& who, const Card& card, const Digest& digest, bool step_up) {
  if (step_up) w_.freshen();
  const Session session = w_.session(who);
  auto permit = step_up ? w_.permit(who, Approve{card.id, digest}) : w_.plane->authorizer.authorize_without_step_up(session, Approve{card.id, digest});
  if (!permit) {
    ++tally_.refused_yeses;
    return;
  }
  std::string no = w_.oracle.why_no_yes(who.user, card.bytes, card.id, step_up);
  if (digest != card.digest) no = "to another digest";
  if (w_.clock.now() >= card.expires_at) no = "after its end";
  const auto taken = w_.plane->gate.approve(std::move(*permit));
  if (!taken) {
    ++tally_.refused_yeses;
    return;
  }
  ++tally_.yeses;
  if (!no.empty()) w_.oracle.wrong("a yes was taken that must not be: " + no + ": " + card.bytes);
  w_.oracle.yes(card.id, {who.user, card.bytes, step_up, card.expires_at});
}

// The AI itself, with all that its human could show.
void Transcript::as_pilot(const Card& card) {
  w_.freshen();
  const Session pilot = w_.session(w_.owner).as_pilot();
  auto proof = w_.plane->step_up.prove(w_.session(w_.owner));
  auto permit = w_.plane->authorizer.authorize(pilot, Approve{card.id, card.digest}, *std::move(proof));
  if (!permit) return;
  w_.oracle.wrong("the AI was permitted to say yes");
  if (w_.plane->gate.approve(std::move(*permit))) w_.oracle.wrong("the AI said yes, and it was taken");
}

void Transcript::deny() {
  const Card& card = any();
  Person& who = anybody();
  auto permit = w_.permit(who, Deny{card.id, card.digest});
  if (!permit || !w_.plane->gate.deny(std::move(*permit), "no")) return;
  if (who.org != w_.ours || who.role == Role::viewer) w_.oracle.wrong("a no was taken from somebody who may not decide");
}

void Transcript::go(const Card& card) {
  static_cast<void>(w_.plane->approval_runner.run(card.id));
  if (dice_.one_in(3)) static_cast<void>(w_.plane->approval_runner.run(card.id));
  if (dice_.one_in(3)) w_.plane->approval_runner.tick();
  w_.settle();
  for (auto& o : w_.sent_writes()) sent_.push_back(std::move(o));
}

void Transcript::right_way() {
  const Card& card = any();
  attempt(w_.second, card, card.digest, true);
  if (dice_.one_in(5)) attempt(w_.owner, card, card.digest, true);
  if (dice_.one_in(8)) return;  // and is run later
  go(card);
}

// Something is taken away between the yes and the run, or between the run and the wire.
void Transcript::flip() {
  ++tally_.flips;
  const Card& card = any();
  w_.freshen();
  if (dice_.one_in(2)) attempt(w_.second, card, card.digest, true);
  const bool later = dice_.one_in(3);  // it is ordered, and cannot be sent yet
  if (later) {
    w_.hold_wire(true);
    go(card);
  }
  const ServerId& server = approvals::server_of(card);
  switch (dice_.below(9)) {
    case 0: w_.stop_ai(); break;
    case 1: w_.forbid_writes(); break;
    case 2: w_.operation(plain(card.bytes).action, false); break;
    case 3: w_.access(server, AiAccess::read); break;
    case 4: w_.access(server, AiAccess::none); break;
    case 5: w_.environment(server, Environment::production); break;
    case 6:
      CAIP_ASSERT(w_.plane->conversations.set_mode(w_.permit(*asker_, SetPilotMode{*talk_, PilotMode::ask}).value()));
      for (const Card& c : cards_) w_.oracle.mode(c.id, PilotMode::ask);
      break;
    case 7: w_.role(w_.second, Role::viewer); break;
    default:
      if (asker_->role == Role::owner) break;  // the last one
      w_.role(*asker_, Role::viewer);
  }
  w_.hold_wire(false);
  go(card);
  w_.plane->approval_runner.tick();
  w_.settle();
  look();
  if (dice_.one_in(2)) {
    w_.as_before();
    go(card);
  }
}

// All at once. Both who say yes may; so what counts is that it runs once at most, and not where a no was first.
void Transcript::race() {
  const Card& card = any();
  w_.freshen();
  auto yes = w_.permit(w_.second, Approve{card.id, card.digest}), too = w_.permit(w_.owner, Approve{card.id, card.digest});
  auto no = w_.permit(w_.admin, Deny{card.id, card.digest});
  auto stop = w_.permit(w_.owner, StopAi{});
  if (!yes || !too || !no || !stop) return;
  ++tally_.races;
  const bool could = w_.oracle.why_no_yes(w_.second.user, card.bytes, card.id, true).empty() && w_.clock.now() < card.expires_at;
  for (Person* p : {&w_.second, &w_.owner}) w_.oracle.yes(card.id, {p->user, card.bytes, true, card.expires_at});
  std::atomic<int> taken = 0, denied = 0;
  const bool stops = dice_.one_in(3), denies = dice_.one_in(2);
  {
    std::vector<std::jthread> all;
    all.emplace_back([&] { taken += w_.plane->gate.approve(std::move(*yes)) ? 1 : 0; });
    all.emplace_back([&] { taken += w_.plane->gate.approve(std::move(*too)) ? 1 : 0; });
    if (denies) all.emplace_back([&] { denied += w_.plane->gate.deny(std::move(*no), "no") ? 1 : 0; });
    if (stops) all.emplace_back([&] { CAIP_ASSERT(w_.plane->ai.stop(std::move(*stop))); });
    for (int i = 0; i < 2; ++i) all.emplace_back([&] { static_cast<void>(w_.plane->approval_runner.run(card.id)); });
  }
  const auto state = w_.plane->gate.find(card.id);
  if (state && (approvals::undecided(state->state) || state->state == approvals::State::denied)) w_.oracle.take_back(card.id);
  if (stops) w_.stop_ai();  // once more, so that it is on the list of what is put back
  if (taken > 0 && !could) w_.oracle.wrong("a yes in a race was taken that must not be");
  if (!card.second_person && (taken > 1 || taken + denied > 1)) w_.oracle.wrong("two decisions of one card were taken");
  w_.settle();
  if (denied > 0 && taken == 0 && w_.oracle.orders(card.id) > 0 && w_.plane->gate.find(card.id)->state == approvals::State::denied) w_.oracle.wrong("it was denied and sent");
  go(card);
}

// What was sent comes again: to its server, to others, bent, and late.
void Transcript::replay() {
  for (auto& o : w_.sent_writes()) sent_.push_back(std::move(o));
  if (sent_.empty()) return right_way();
  ++tally_.replays;
  w_.settle();
  auto order = sent_.at(dice_.below(sent_.size()));
  if (dice_.one_in(3)) w_.clock.advance(std::chrono::seconds(dice_.one_in(2) ? 50 : 1200));
  for (std::size_t n = 1 + dice_.below(3); n > 0; --n) {
    if (dice_.below(3) != 0) bend(order);
    std::vector<ServerId> all;
    for (const auto& m : w_.machines) all.push_back(m.first);
    const auto target = ServerId::parse(plain(order.action).server);
    const ServerId to = dice_.one_in(3) || !target || !w_.machines.contains(*target) ? dice_.of(all) : *target;
    static_cast<void>(w_.machine(to).handle(order));
  }
}

void Transcript::bend(channel::SignedOrder& o) {
  const auto replace = [](std::string& s, const std::string& from, const std::string& to) {
    if (const auto at = s.find(from); at != std::string::npos) s.replace(at, from.size(), to);
  };
  const auto& other = sent_.at(dice_.below(sent_.size()));
  switch (dice_.below(12)) {
    case 0: replace(o.action, "unit.restart", "unit.stop"); break;
    case 1: replace(o.action, "nginx", "redis"); break;
    case 2: replace(o.action, w_.named.at("web-1").str(), w_.named.at("db-1").str()); break;
    case 3: if (!o.signature.empty()) o.signature.at(dice_.below(o.signature.size())) ^= 1U; break;
    case 4: o.order.at(dice_.below(o.order.size())) ^= 1; break;
    case 5: replace(o.order, "\"nonce\":\"", "\"nonce\":\"0"); break;
    case 6: o.began = std::nullopt; break;
    case 7: o.began = other.began; break;
    case 8: o.proof = other.proof; break;
    case 9: o.order = other.order; o.signature = other.signature; break;
    case 10: replace(o.proof.entry, "\"result\":\"pending\"", "\"result\":\"blocked\""); break;
    default: o.action = other.action; break;
  }
}

// Somebody changes what was proposed, or approved, in the database.
void Transcript::tamper() {
  const Card& card = any();
  if (dice_.one_in(2)) attempt(w_.second, card, card.digest, true);
  std::string bytes = card.bytes;
  const auto other = dice_.one_in(2) ? any().bytes : std::string();
  if (other.empty()) {
    const std::string from = w_.named.at("web-1").str();
    if (const auto at = bytes.find(from); at != std::string::npos) bytes.replace(at, from.size(), w_.named.at("web-2").str());
    else if (const auto verb = bytes.find("unit.restart"); verb != std::string::npos) bytes.replace(verb, 12, "unit.stop");
  } else {
    bytes = other;
  }
  const bool whole = !approvals::undecided(w_.plane->gate.find(card.id)->state);  // a yes is bound by its digest alone
  ++tally_.tampered;
  w_.tamper([&](storage::WriteTx& tx) {
    if (whole || dice_.one_in(2)) CAIP_ASSERT(tx.exec("UPDATE approvals SET bytes = ?2 WHERE id = ?1", card.id, bytes));
    else CAIP_ASSERT(tx.exec("UPDATE approvals SET bytes = ?2, digest = ?3 WHERE id = ?1", card.id, bytes, crypto::sha256(caip::view(bytes))));
  });
  attempt(w_.owner, card, card.digest, true);
  go(card);
}

void Transcript::wait() {
  const Card& card = any();
  if (dice_.one_in(2)) attempt(w_.second, card, card.digest, true);
  if (dice_.one_in(2)) {
    w_.hold_wire(true);
    go(card);
  }
  w_.clock.advance(dice_.one_in(6) ? std::chrono::seconds(1000) : std::chrono::seconds(dice_.below(90)));
  w_.hold_wire(false);
  go(card);
  w_.plane->approval_runner.tick();
  w_.settle();
}

void Transcript::look() {
  using approvals::State;
  for (const Card& card : cards_) {
    const auto now = w_.plane->gate.find(card.id);
    if (!now) continue;  // what nobody can read any more is ended by the next tick
    const bool over = now->state == State::denied || now->state == State::expired || now->state == State::failed || now->state == State::held;
    if (over) w_.oracle.no(card.id);
    if ((now->state == State::denied || now->state == State::expired || now->state == State::held) && w_.oracle.runs(card.id) > 0) w_.oracle.wrong("a card that was " + std::string(text(now->state)) + " ran");
    if (now->state == State::completed && w_.oracle.runs(card.id) != 1) w_.oracle.wrong("a card is completed and ran " + std::to_string(w_.oracle.runs(card.id)) + " times");
  }
}

void Transcript::end() {
  w_.hold_wire(false);
  w_.settle();
  look();
  for (const Card& card : cards_) {
    const auto now = w_.plane->gate.find(card.id);
    if (now && !approvals::undecided(now->state)) continue;
    auto permit = w_.permit(w_.owner, Deny{card.id, now ? now->digest : card.digest});
    if (permit) static_cast<void>(w_.plane->gate.deny(std::move(*permit), "the end"));
  }
  w_.as_before();
  for (std::size_t n = 0; n <= cards_.size(); ++n) {  // of a plan, one step after the other
    w_.plane->approval_runner.tick();
    w_.settle();
  }
  look();
  static_cast<void>(w_.sent_writes());
  w_.oracle.forget();
}

}  // namespace caip::hostile
