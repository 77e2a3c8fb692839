// Ten ways in which logs were changed unnoticed elsewhere (lessons, part 5), each done here by
// somebody with full access to the database file and, where it says so, to the log's keys. An agent
// or the verifier must notice, and does so without the help of whoever cheats.
#include <catch2/catch_test_macros.hpp>

#include <sqlite3.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <functional>

#include "agent/witness.h"
#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "crypto/merkle.h"
#include "crypto/mldsa.h"
#include "crypto/note.h"
#include "order_fixture.h"
#include "storage/database.h"
#include "verifier/verifier.h"

namespace caip::authorization {
class Authorizer {  // stands in for the real one: it may mint permits
 public:
  template <Action A>
  static Authorized<A> permit(A a, Principal p, Instant now) {
    return Authorized<A>(Badge<Authorizer>(), std::move(a), std::move(p), std::nullopt, now);
  }
};
}  // namespace caip::authorization

namespace caip::agent {
namespace {

namespace fs = std::filesystem;

template <class I>
I an_id(std::uint8_t n) {
  IdBytes b{};
  b[15] = n;
  return I{b};
}

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-cheat-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

// A control plane's log with both keys, and servers that watch it.
struct World {
  Folder folder;
  ManualClock clock{Instant{1'790'000'000'000'000}};
  std::shared_ptr<const crypto::SigningKey> key = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate());
  std::shared_ptr<const crypto::CosigningKey> second = std::make_shared<const crypto::CosigningKey>(crypto::CosigningKey::generate());
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<audit::Ledger> ledger;
  std::vector<std::unique_ptr<Folder>> memories;
  std::vector<Witness> agents;

  World() { start(); }
  void start() {
    fs::create_directories(data());
    db = storage::Database::open(data() / storage::kDatabaseFile, audit::migrations()).value();
    ledger = audit::Ledger::open(*db, clock, [k = key](BytesView m) -> Result<Bytes> { return k->sign(m); }, key->public_key(),
                                 audit::LogKey{[k = second](BytesView m) -> Result<Bytes> { return k->sign(m); }, second->public_key()})
                 .value();
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
  }
  void stop() {
    ledger.reset();
    db.reset();
  }
  fs::path data() const { return folder.path / "data"; }
  void add(std::uint8_t n, std::uint8_t org = 1) {
    clock.advance(std::chrono::seconds(1));
    Principal p;
    p.source = Source::user;
    p.org = an_id<OrgId>(org);
    p.user = an_id<UserId>(2);
    p.origin = {"192.0.2.1", Foreign("test"), "req_1"};
    auto spent = authorization::Authorizer::permit(SignOut{an_id<SessionId>(n)}, p, clock.now()).spend(clock.now());
    REQUIRE(ledger->commit(db->begin_write(), *std::move(spent)).has_value());
  }
  void fill(int count, std::uint8_t org = 1) {
    for (int i = 0; i < count; ++i) add(static_cast<std::uint8_t>(i), org);
  }
  void enlist(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      memories.push_back(std::make_unique<Folder>());
      agents.push_back(Witness::open(memories.back()->path, trust(), crypto::SigningKey::generate(), clock).value());
    }
  }
  channel::OrderTrust trust() const { return {channel::test_server(), Bytes(32, 1), key->public_key(), second->public_key(), channel::test_certificate()}; }

  // What the control plane can honestly prove to an agent, or, when it cannot, what it would try.
  Result<void> show(Witness& agent) {
    const audit::Query q(*ledger);
    const std::string note = q.checkpoint().value();
    const auto size = crypto::parse_checkpoint_text(crypto::parse_note(note)->text)->size;
    auto proof = agent.size() <= size ? q.consistency(agent.size(), size) : Result<std::vector<Digest>>(std::vector<Digest>{});
    return agent.see(note, agent.size(), proof ? *proof : std::vector<Digest>{});
  }
  void everybody_looks() {
    for (auto& a : agents) REQUIRE(show(a).has_value());
  }
  bool noticed(Witness& a) {
    const auto r = show(a);
    return !r && r.error().code == Code::digest_mismatch;
  }
  // SQL behind the product's back, with its guards taken away first.
  void tamper(const std::string& sql) {
    stop();
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open((data() / storage::kDatabaseFile).c_str(), &raw) == SQLITE_OK);
    std::string all;
    for (const char* t : {"entries", "nodes", "checkpoints", "cosigner", "cosignatures", "postings"})
      all += std::string("DROP TRIGGER log_") + t + "_u; DROP TRIGGER log_" + t + "_d;";
    char* why = nullptr;
    const int rc = sqlite3_exec(raw, (all + sql).c_str(), nullptr, nullptr, &why);
    INFO((why ? why : ""));
    REQUIRE(rc == SQLITE_OK);
    sqlite3_close(raw);
  }
  // With the keys: a log whose bytes, tree and signature are all right, of other entries. `change`
  // gives an entry's new text, or nothing: then it was never there.
  void forge(const std::function<std::optional<std::string>(std::uint64_t, std::string)>& change) {
    std::vector<std::string> bodies;
    {
      const audit::Query q(*ledger);
      for (std::uint64_t i = 0; i < q.size().value(); ++i)
        if (auto body = change(i, q.entry(i)->body)) bodies.push_back(*std::move(body));
    }
    tamper("DELETE FROM log_entries; DELETE FROM log_nodes; DELETE FROM log_checkpoints; DELETE FROM log_cosignatures;");
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open((data() / storage::kDatabaseFile).c_str(), &raw) == SQLITE_OK);
    const auto put = [&](const std::string& sql) { REQUIRE(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK); };
    merkle::Frontier tree;
    for (const auto& body : bodies) {
      const Digest leaf = merkle::leaf_hash(view(body));
      put("INSERT INTO log_entries VALUES (" + std::to_string(tree.size()) + ", CAST(x'" + hex(view(body)) + "' AS TEXT), x'" + hex(leaf) + "')");
      for (const auto& m : tree.append(leaf))
        put("INSERT INTO log_nodes VALUES (" + std::to_string(m.id.level) + ", " + std::to_string(m.id.index) + ", x'" + hex(m.hash) + "')");
    }
    const crypto::Checkpoint c{.size = tree.size(), .root = tree.root()};
    const std::string note = crypto::checkpoint_note(c, key->public_key(), key->sign(view(crypto::checkpoint_text(c))));
    put("INSERT INTO log_checkpoints VALUES (" + std::to_string(tree.size()) + ", CAST(x'" + hex(view(note)) + "' AS TEXT))");
    sqlite3_close(raw);
  }
  // With the keys: the whole log anew, other entries in it.
  void write_anew(int count, std::uint8_t first) {
    stop();
    fs::remove_all(data());
    start();
    for (int i = 0; i < count; ++i) add(static_cast<std::uint8_t>(first + i));
  }
  std::string checkpoint() { return audit::Query(*ledger).checkpoint().value(); }
  verifier::Report verify(const std::optional<std::string>& kept = {}) const {
    auto r = verifier::verify_data_dir(data(), kept);
    REQUIRE(r.has_value());
    return *r;
  }
};

TEST_CASE("cheat 1: a value is edited on the disk under its valid index") {
  World w;
  w.fill(20);
  w.tamper("UPDATE log_entries SET body = replace(body, 'completed', 'failed') WHERE idx = 7");
  CHECK(w.verify().broken->index == 7);
}

TEST_CASE("cheat 2: the newest entries are cut, with everything that speaks of them") {
  World w;
  w.fill(20);
  w.enlist(1);
  w.everybody_looks();
  const std::string kept = w.checkpoint();
  w.stop();
  w.tamper("DELETE FROM log_entries WHERE idx >= 12; DELETE FROM log_checkpoints WHERE size > 12;"
           "DELETE FROM log_nodes WHERE ((idx + 1) << level) > 12; DELETE FROM log_cosignatures WHERE size > 12;");
  CHECK(w.verify().holds());  // alone, the file is a whole log: this is why witnesses are
  CHECK(w.verify(kept).broken->index == 12);
  w.start();
  CHECK(w.noticed(w.agents[0]));
}

TEST_CASE("cheat 3: a whole organisation's entries are deleted") {
  World w;
  w.fill(5, 1);
  w.fill(5, 2);
  w.fill(5, 1);
  w.tamper("DELETE FROM log_entries WHERE body ->> '$.org' = '" + an_id<OrgId>(2).str() + "'");
  CHECK(w.verify().broken->index == 5);
}

TEST_CASE("cheat 4: everything is rewritten and signed again, with the keys from the same host") {
  World w;
  w.fill(20);
  w.enlist(1);
  w.everybody_looks();
  const std::string kept = w.checkpoint();
  w.write_anew(20, 100);
  CHECK(w.verify().holds());
  CHECK_FALSE(w.verify(kept).holds());
  CHECK(w.noticed(w.agents[0]));
  w.fill(10);  // longer than before: still another log
  CHECK(w.noticed(w.agents[0]));
}

TEST_CASE("cheat 5: the newest entries are replaced by as many others, with the keys") {
  World w;
  w.fill(10);
  const auto before = w.data().string() + ".at10";
  w.stop();
  fs::copy(w.data(), before, fs::copy_options::recursive);
  w.start();
  w.fill(10);
  w.enlist(1);
  w.everybody_looks();
  const std::string kept = w.checkpoint();
  w.stop();
  fs::remove_all(w.data());
  fs::copy(before, w.data(), fs::copy_options::recursive);
  w.start();
  for (int i = 0; i < 10; ++i) w.add(static_cast<std::uint8_t>(200 + i));
  CHECK(w.verify().holds());
  CHECK_FALSE(w.verify(kept).holds());
  CHECK(w.noticed(w.agents[0]));
}

TEST_CASE("cheat 6: an order is never logged, or its entry is dropped; no server runs it, and its number is missing") {
  channel::OrderFixture f;
  auto order = f.make();
  order.proof.entry = canonical(json::object{{"action", "unit.restart"}});  // nothing of the kind is in the tree
  CHECK_FALSE(f.verifier().verify(order).has_value());
  // With the keys: the log is written again as if the entry had never been. The organisation's
  // numbers then have a gap, or the log is another one (cheat 4).
  World w;
  w.fill(9);
  w.forge([](std::uint64_t i, std::string body) { return i == 4 ? std::nullopt : std::optional(std::move(body)); });
  const auto report = w.verify();
  REQUIRE(report.broken.has_value());
  CHECK(report.broken->index == 4);
  CHECK(report.broken->what.find("number 4 of its organisation is missing") != std::string::npos);
}

TEST_CASE("cheat 7: two servers are shown two logs; whoever sees both notices") {
  World w;
  w.fill(10);
  w.enlist(2);
  REQUIRE(w.show(w.agents[0]).has_value());
  w.write_anew(12, 50);
  REQUIRE(w.show(w.agents[1]).has_value());  // it sees the second view first: nothing to compare with
  CHECK(w.noticed(w.agents[0]));
  // The two notes are signed by the same keys and contradict each other: the evidence is on the disk.
  CHECK(fs::exists(w.memories[0]->path / "contradiction"));
}

TEST_CASE("cheat 8: an old backup is restored, and work goes on from there") {
  World w;
  w.fill(10);
  const auto backup = w.data().string() + ".backup";
  w.stop();
  fs::copy(w.data(), backup, fs::copy_options::recursive);
  w.start();
  w.fill(10);
  w.enlist(1);
  w.everybody_looks();
  w.stop();
  fs::remove_all(w.data());
  fs::copy(backup, w.data(), fs::copy_options::recursive);
  w.start();
  CHECK(w.noticed(w.agents[0]));  // shorter
  for (int i = 0; i < 15; ++i) w.add(static_cast<std::uint8_t>(90 + i));
  CHECK(w.noticed(w.agents[0]));  // longer by now
}

TEST_CASE("cheat 9: the clock is moved back, and a number is used twice") {
  World w;
  w.fill(5);
  const auto before = w.clock.now();
  w.clock.advance(-std::chrono::hours(1));
  w.add(77);  // the log's time stands still instead of going back
  CHECK(w.verify().holds());
  CHECK(parse_object(audit::Query(*w.ledger).entry(5)->body)->at("at").as_string() == before.str());
  // With the keys, by hand: the tree is right, and the order is not.
  const auto forged = [](const std::string& from, const std::string& to) {
    World other;
    other.fill(5);
    other.forge([&](std::uint64_t i, std::string body) {
      if (i == 3) body.replace(body.find(from), from.size(), to);
      return std::optional(std::move(body));
    });
    return other.verify().broken;
  };
  CHECK(forged("\"seq\":3", "\"seq\":3") == std::nullopt);  // nothing was changed
  CHECK(forged("\"seq\":3", "\"seq\":2")->what == "entry 3: its number 2 was used before");
  CHECK(forged("\"at\":\"20", "\"at\":\"19")->what == "entry 3: its time is before that of the entry before it");
  CHECK(forged("\"v\":2", "\"v\": 2")->index == 3);  // nor is it what the log writes
}

TEST_CASE("cheat 10: an export leaves rows out") {
  World w;
  w.fill(6, 1);
  w.fill(3, 2);
  const audit::Filter all{.org = an_id<OrgId>(1)};
  Principal p;
  p.source = Source::user;
  p.org = an_id<OrgId>(1);
  p.user = an_id<UserId>(2);
  auto spent = authorization::Authorizer::permit(ExportLog{9}, p, w.clock.now()).spend(w.clock.now());
  const auto closing = w.ledger->commit(w.db->begin_write(), *std::move(spent)).value().index();
  const audit::Query q(*w.ledger);
  const std::string bundle = *q.bundle_head(all, closing + 1, closing) + q.bundle_piece(all, 0, closing + 1)->first;
  const auto whole = verifier::verify_bundle(bundle);
  REQUIRE(whole.has_value());
  INFO((whole->broken ? whole->broken->what : ""));
  CHECK(whole->holds());
  CHECK(whole->entries == 7);

  // A row is replaced by its hash: the tree is right, the organisation's numbers are not.
  const auto without = [&](std::uint64_t index) {
    std::string out;
    for (std::string_view rest = bundle; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
      const std::string line(rest.substr(0, rest.find('\n') + 1));
      if (line.ends_with(",\"i\":" + std::to_string(index) + "}\n") && line.starts_with("{\"e\""))
        out += "{\"h\":\"" + hex(q.entry(index)->leaf) + "\",\"i\":" + std::to_string(index) + ",\"l\":0}\n";
      else out += line;
    }
    return verifier::verify_bundle(out);
  };
  for (std::uint64_t i : {0u, 3u, 5u}) CHECK(without(i)->broken.has_value());
  CHECK(without(closing)->broken.has_value());  // nor the last: an export closes with its own entry
  // A row or the end is dropped, a byte is changed: the tree is not the signed one.
  std::string cut = bundle.substr(0, bundle.rfind("{\"end\""));
  CHECK(verifier::verify_bundle(cut)->broken.has_value());
  for (std::size_t at = bundle.find("\n{\"e\"") + 1; at < bundle.size(); at += 211) {
    std::string changed = bundle;
    changed[at] ^= 1;
    CHECK(verifier::verify_bundle(changed)->broken.has_value());
  }
}

TEST_CASE("of 1,000 agents one notices a rewritten log within five seconds") {
  World w;
  w.fill(50);
  w.enlist(1000);
  w.everybody_looks();
  w.write_anew(60, 100);
  // With 1,000 servers each is shown a checkpoint every 20 s (servers/witnesses.cpp): 250 in 5 s. It
  // takes one; all of them would.
  const auto began = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::duration> first;
  std::size_t found = 0;
  for (std::size_t n = 0; n < 250; ++n) {
    if (!w.noticed(w.agents[n])) continue;
    ++found;
    if (!first) first = std::chrono::steady_clock::now() - began;
  }
  CHECK(found == 250);
  REQUIRE(first.has_value());
  CHECK(*first < std::chrono::seconds(5));
}

}  // namespace
}  // namespace caip::agent
