#include <catch2/catch_test_macros.hpp>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "base/bytes.h"
#include "crypto/ed25519.h"
#include "crypto/merkle.h"
#include "crypto/mldsa.h"
#include "crypto/note.h"
#include "storage/database.h"
#include "test_log.h"
#include "test_old.h"
#include "verifier/verifier.h"

namespace caip::audit {
namespace {

TEST_CASE("an entry says who did what, and its proof holds for someone who has the key only") {
  Log log;
  REQUIRE(log.add(7).value() == 0);
  for (std::uint8_t i = 1; i < 9; ++i) REQUIRE(log.add(i).has_value());
  Query query(*log.ledger);
  CHECK(query.size().value() == 9);
  const auto entry = parse_canonical(query.entry(0).value().body);
  REQUIRE(entry.has_value());
  CHECK(entry->at("action") == "session.sign_out");
  CHECK(entry->at("actor").at("id").as_string() == an_id<UserId>(2).str());
  CHECK(entry->at("params").at("session").as_string() == an_id<SessionId>(7).str());
  CHECK(entry->at("result") == "completed");
  CHECK(entry->at("at").as_string() == log.clock.now().str());
  for (std::uint64_t i = 0; i < 9; ++i) {
    const auto p = query.prove(i).value();
    const auto c = crypto::open_checkpoint(p.checkpoint, log.key.public_key()).value();
    CHECK(c.size == 9);
    CHECK(merkle::verify_inclusion(merkle::leaf_hash(view(p.entry_bytes)), p.index, c.size, p.hashes, c.root));
  }
}

TEST_CASE("refusals are entries; lists go newest first, filter and page") {
  Log log;
  log.fill(5);
  REQUIRE(log.ledger->refuse({SignIn{*Email::parse("a@b.example")}, Principal{}, Code::bad_credentials, "wrong password"}).has_value());
  REQUIRE(log.add(9, Ending::failed).has_value());
  Query query(*log.ledger);
  const auto first = query.list({}, 3, {}).value();
  REQUIRE(first.entries.size() == 3);
  CHECK(first.entries[0].index == 6);
  const auto second = query.list({}, 10, first.next_cursor).value();
  CHECK(second.entries.size() == 4);
  CHECK(!second.next_cursor);
  const auto blocked = query.list({.result = "blocked"}, 10, {}).value();
  REQUIRE(blocked.entries.size() == 1);
  CHECK(parse_json(blocked.entries[0].body)->at("detail").at("code") == "bad_credentials");
  CHECK(query.list({.action = "session.sign_out"}, 10, {}).value().entries.size() == 6);
  CHECK(query.list({.org = an_id<OrgId>(9)}, 10, {}).value().entries.empty());
  CHECK(query.list({.org = an_id<OrgId>(9), .unowned = true}, 10, {}).value().entries.size() == 1);
  CHECK(!query.list({}, 10, "x").has_value());
  CHECK(!query.list({}, 0, {}).has_value());
}

TEST_CASE("whoever is not signed in cannot fill the log, and what was not written is counted") {
  Log log;
  const auto stranger = [&] { return log.ledger->refuse({SignIn{*Email::parse("a@b.example")}, Principal{}, Code::bad_credentials, "wrong password"}); };
  for (int i = 0; i < static_cast<int>(kUnknown.burst); ++i) REQUIRE(stranger().has_value());
  const auto size = Query(*log.ledger).size().value();
  for (int i = 0; i < 3; ++i) CHECK(stranger().error().code == Code::too_many);
  CHECK(Query(*log.ledger).size().value() == size);
  REQUIRE(log.add(1).has_value());  // who is known is not kept from anything
  Principal member;
  member.source = Source::user;
  REQUIRE(log.ledger->refuse({SignIn{*Email::parse("a@b.example")}, member, Code::forbidden, "no"}).has_value());
  log.clock.advance(std::chrono::seconds(1));
  REQUIRE(stranger().has_value());
  const auto newest = Query(*log.ledger).list({}, 1, {}).value();
  CHECK(parse_json(newest.entries[0].body)->at("detail").at("unwritten") == 3);
}

TEST_CASE("nobody's change is committed while nobody says who may still act, and what a refusal must change is changed, also where the log has no room") {
  Log log;
  const auto read = [&]() -> Code {
    auto spent = authorization::Authorizer::permit(ReadLog{}, log.someone(), log.clock.now()).spend(log.clock.now());
    const auto done = log.ledger->commit(log.db->begin_write(), *std::move(spent));
    return done ? Code{255} : done.error().code;
  };
  CHECK(read() == Code{255});
  log.ledger->know({});
  CHECK(read() == Code::internal);
  Principal who;
  for (int i = 0; i < static_cast<int>(kUnknown.burst); ++i)
    REQUIRE(log.ledger->refuse(Denied{AnyAction{SignIn{Email::parse("x@example.com").value()}}, who, Code::bad_credentials, "no"}).has_value());
  const auto refused = [&](Ledger::Room room) {
    const auto done = log.ledger->refuse(Denied{AnyAction{SignIn{Email::parse("x@example.com").value()}}, who, Code::bad_credentials, "no"},
                                         [](storage::WriteTx& tx) -> Result<void> {
                                           CAIP_CHECKED(tx.exec("INSERT INTO thing VALUES ('4711')"));
                                           return {};
                                         }, {}, room);
    return done ? Code{255} : done.error().code;
  };
  const auto changed = [&] {
    auto tx = log.db->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM thing WHERE name = '4711'", [](const storage::Row& r) { return r.integer(0); }).value().value();
  };
  CHECK(refused(Ledger::Room::if_there_is) == Code::too_many);
  CHECK(changed() == 0);
  CHECK(refused(Ledger::Room::always) == Code{255});
  CHECK(changed() == 1);
}

TEST_CASE("one person's refusals are a bounded part of the log, and hold up nobody else's") {
  Log log;
  const auto refused = [&](const UserId& user) {
    Principal who;
    who.source = Source::user;
    who.org = OrgId{IdBytes{}};
    who.user = user;
    return log.ledger->refuse(Denied{AnyAction{ReadLog{}}, who, Code::forbidden, "no"});
  };
  const auto one = crypto::random_id<UserId>(), other = crypto::random_id<UserId>();
  for (int i = 0; i < static_cast<int>(kKnown.burst); ++i) REQUIRE(refused(one).has_value());
  for (int i = 0; i < 3; ++i) CHECK(refused(one).error().code == Code::too_many);
  CHECK(refused(other).has_value());
  log.clock.advance(std::chrono::seconds(1));
  REQUIRE(refused(one).has_value());
  const auto newest = Query(*log.ledger).list({}, 1, {}).value();
  CHECK(parse_json(newest.entries[0].body)->at("detail").at("unwritten") == 3);
}

TEST_CASE("proofs between checkpoints, tiles and bundles rebuild the tree") {
  Log log;
  log.fill(200);
  for (int i = 0; i < 100; ++i) REQUIRE(log.add(1).has_value());
  Query query(*log.ledger);
  const auto now = crypto::open_checkpoint(*query.checkpoint(), log.key.public_key()).value();
  merkle::Frontier tree, leaves;
  Digest then{};
  const Bytes full = query.tile(0, 0, 256).value(), part = query.tile(0, 1, 44).value();
  REQUIRE(full.size() == 256 * 32);
  Bytes all = full;
  all.insert(all.end(), part.begin(), part.end());
  for (std::size_t i = 0; i < 300; ++i) {
    Digest d{};
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(i * 32), 32, d.begin());
    static_cast<void>(tree.append(d));
    if (i == 130) then = tree.root();
    if (i == 255) {
      const Digest top = tree.root();
      CHECK(query.tile(1, 0, 1).value() == Bytes(top.begin(), top.end()));
    }
  }
  CHECK(tree.root() == now.root);
  CHECK(merkle::verify_consistency(131, 300, then, now.root, query.consistency(131, 300).value()));
  CHECK(!query.tile(0, 1, 45).has_value());
  CHECK(!query.tile(1, 0, 2).has_value());
  CHECK(!query.consistency(1, 301).has_value());
  const Bytes bundle = query.bundle(1, 44).value();
  const std::string last = query.entry(299).value().body;
  CHECK(text_of(bundle).ends_with(last));
}

TEST_CASE("without a signed checkpoint nothing becomes durable") {
  Log log;
  log.fill(3);
  log.signer_down = true;
  CHECK(!log.add(3).has_value());
  log.signer_down = false;
  CHECK(log.add(4).value() == 3);  // the number was not used up
  log.stop();
  const auto report = log.verify();
  CHECK(report.holds());
  CHECK(report.entries == 4);
}

TEST_CASE("many threads: each entry has its place, watchers hear the last size, the log holds") {
  Log log;
  std::atomic<std::uint64_t> told = 0;
  Query query(*log.ledger);
  auto watch = query.subscribe([&](const Growth& g) { told = g.size; });
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < 6; ++t)
      all.emplace_back([&] { for (std::uint8_t i = 0; i < 40; ++i) CAIP_ASSERT(log.add(i).has_value()); });
  }
  CHECK(told == 240);
  watch.reset();
  CHECK(log.verify().holds());  // beside a running server
  CHECK(log.db->groups() < 240);
  log.stop();
  CHECK(log.verify().entries == 240);
  log.start();
  CHECK(log.add(1).value() == 240);
}

TEST_CASE("a key other than the log's is refused") {
  Log log;
  log.fill(1);
  log.stop();
  log.key = crypto::SigningKey::generate();
  auto db = storage::Database::open(log.file(), schema());
  REQUIRE(db.has_value());
  CHECK(!Ledger::open(**db, log.clock, [&](BytesView m) -> Result<Bytes> { return log.key.sign(m); }, log.key.public_key()).has_value());
}

struct Tampering {
  const char* name;
  const char* sql;
  std::optional<std::uint64_t> index;
};

TEST_CASE("verify names the first entry that does not hold") {
  const Tampering all[] = {
      {"nothing", "", std::nullopt},
      {"one byte of an entry", "UPDATE log_entries SET body = replace(body, 'completed', 'complexed') WHERE idx = 6", 6},
      {"two entries", "UPDATE log_entries SET body = replace(body, 'completed', 'complexed') WHERE idx IN (4, 9)", 4},
      {"a leaf hash", "UPDATE log_entries SET leaf = zeroblob(32) WHERE idx = 3", 3},
      {"cut in the middle", "DELETE FROM log_entries WHERE idx = 5", 5},
      {"cut at the end", "DELETE FROM log_entries WHERE idx >= 10", 10},
      {"reordered", "UPDATE log_entries SET idx = 99 WHERE idx = 2; UPDATE log_entries SET idx = 2 WHERE idx = 3;"
                    "UPDATE log_entries SET idx = 3 WHERE idx = 99", 2},
      {"body with its leaf", "UPDATE log_entries SET body = (SELECT body FROM log_entries WHERE idx = 1),"
                             " leaf = (SELECT leaf FROM log_entries WHERE idx = 1) WHERE idx = 7", 7},
      {"no checkpoint", "DELETE FROM log_checkpoints WHERE size = 13", 12},
      {"an appended entry", "INSERT INTO log_entries SELECT 13, body, leaf FROM log_entries WHERE idx = 12", 13},
  };
  for (const auto& t : all) {
    Log log;
    log.fill(13);
    log.tamper(t.sql);
    INFO(t.name);
    const auto report = log.verify();
    if (std::string_view(t.name) == "nothing") {
      CHECK(report.holds());
      CHECK(report.entries == 13);
    } else if (std::string_view(t.name) == "an appended entry") {
      CHECK(!report.holds());
    } else {
      REQUIRE(report.broken.has_value());
      CHECK(report.broken->index == t.index);
    }
  }
}

TEST_CASE("verify names the first entry under a node that was changed, removed or is one too many") {
  for (const auto& t : {Tampering{"changed", "UPDATE log_nodes SET hash = zeroblob(32) WHERE level = 4 AND idx = 1", 16},
                        Tampering{"a high one", "UPDATE log_nodes SET hash = zeroblob(32) WHERE level = 5 AND idx = 0", 0},
                        Tampering{"removed", "DROP TRIGGER IF EXISTS log_nodes_d; DELETE FROM log_nodes WHERE level = 4 AND idx = 1", 16},
                        Tampering{"one too many", "INSERT INTO log_nodes VALUES (4, 2, zeroblob(32))", 40}}) {
    Log log;
    log.fill(40);
    log.tamper(t.sql);
    INFO(t.name);
    const auto report = log.verify();
    REQUIRE(report.broken.has_value());
    CHECK(report.broken->index == t.index);
  }
}

TEST_CASE("what is cut together with its checkpoints is found by the nodes above it, and of the newest 16 entries by a kept checkpoint") {
  const char* cut = "DELETE FROM log_entries WHERE idx >= 10; DELETE FROM log_checkpoints WHERE size > 10";
  Log log;
  log.fill(40);
  log.tamper(cut);
  CHECK(log.verify().broken->index == 10);
  Log small;
  small.fill(13);
  const std::string kept = Query(*small.ledger).checkpoint().value();
  small.tamper(cut);
  CHECK(small.verify().holds());  // as when its nodes are cut too (cheats_test.cpp): it is a whole log, of another size
  CHECK(small.verify(kept).broken->index == 10);
}

TEST_CASE("a log of an earlier version, with a row for each node and each term, holds before and after its migration, and its index finds what it found") {
  Log log;
  log.fill(40);
  const Filter filter{.org = an_id<OrgId>(1), .action = "session.sign_out"};
  const auto found = [&] { return Query(*log.ledger).list(filter, 200, {})->entries.size(); };
  const auto nodes = [&] { return log.count("SELECT count(*) FROM log_nodes"); };
  log.stop();
  CHECK(nodes() == 3);
  for (const std::uint64_t indexed : {std::uint64_t{0}, std::uint64_t{25}, std::uint64_t{40}}) {
    make_old(log.file(), indexed);
    CHECK(nodes() == 40 - 2 /* set bits */);
    CHECK(log.verify().holds());
    log.start();
    CHECK(found() == 40);
    log.stop();
    CHECK(log.count("SELECT coalesce(max(upto), 0) FROM log_posted") == static_cast<std::int64_t>(indexed));
    CHECK(log.count("SELECT count(*) FROM log_postings WHERE term IN (SELECT term FROM log_postings WHERE length(places) = 2 * (SELECT max(upto) FROM log_posted))") >= (indexed > 0));
    CHECK(log.verify().holds());
  }
  log.start();
  CHECK(log.add(40).value() == 40);
  while (log.ledger->index_some().value()) {}
  CHECK(found() == 41);
  for (std::uint64_t i = 0; i < 41; ++i) CHECK(Query(*log.ledger).inclusion(i, 41).has_value());
  log.stop();
  CHECK(nodes() == 38);
  CHECK(log.verify().holds());
}

TEST_CASE("any one byte of an entry, flipped in the file itself, is found") {
  Log log;
  log.fill(13);
  const std::string body = Query(*log.ledger).entry(6).value().body;
  log.stop();
  std::fstream f(log.file(), std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(f), {}};
  const std::size_t at = bytes.find(body);
  REQUIRE(at != bytes.npos);
  const auto put = [&](std::size_t i, char c) {
    f.clear();
    f.seekp(static_cast<std::streamoff>(at + i));
    f.put(c);
    f.flush();
  };
  for (std::size_t i = 0; i < body.size(); ++i) {
    put(i, static_cast<char>(body[i] ^ 1));
    const auto report = log.verify();
    REQUIRE(report.broken.has_value());
    REQUIRE(report.broken->index == 6);
    put(i, body[i]);
  }
  CHECK(log.verify().holds());
}

TEST_CASE("verify survives any damaged file, and never calls a changed entry good") {
  Log log;
  log.fill(13);
  const Digest root = crypto::open_checkpoint(*Query(*log.ledger).checkpoint(), log.key.public_key()).value().root;
  log.stop();
  std::fstream f(log.file(), std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(f), {}};
  for (std::size_t i = 0; i < bytes.size(); i += 37) {
    f.clear();
    f.seekp(static_cast<std::streamoff>(i));
    f.put(static_cast<char>(~bytes[i]));
    f.flush();
    const auto report = verifier::verify_data_dir(log.folder.path);
    if (report && report->holds()) REQUIRE(report->root == hex(root));
    f.seekp(static_cast<std::streamoff>(i));
    f.put(bytes[i]);
    f.flush();
  }
  CHECK(log.verify().holds());
}

// A child writes and reports each acknowledged entry until it is killed: all of them must be in
// the log afterwards, and the log must hold.
TEST_CASE("acknowledged entries survive kill -9 and the log holds") {
  Log log;
  log.stop();
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    log.start();
    for (;;)
      if (!log.add(1) || ::write(ends[1], "x", 1) != 1) ::_exit(2);
  }
  ::close(ends[1]);
  std::uint64_t acknowledged = 0;
  char byte = 0;
  while (acknowledged < 30 && ::read(ends[0], &byte, 1) == 1) ++acknowledged;
  ::kill(child, SIGKILL);
  while (::read(ends[0], &byte, 1) == 1) ++acknowledged;
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(acknowledged >= 30);
  const auto report = log.verify();  // with the write-ahead log of the killed process
  CHECK(report.holds());
  CHECK(report.entries >= acknowledged);
  log.start();
  CHECK(log.add(2).value() == report.entries);
}

TEST_CASE("with an old checkpoint even the holder of the key cannot rewrite or roll back") {
  Log log;
  log.fill(9);
  const std::string old = Query(*log.ledger).checkpoint().value();
  CHECK(log.verify(old).holds());
  log.stop();
  CHECK(log.verify(old).holds());

  Log other;  // the same key signs another history
  other.stop();
  std::filesystem::remove(other.file());
  other.key = crypto::SigningKey::from_seed(log.key.seed()).value();
  other.second = log.second;
  other.start();
  for (std::uint8_t i = 0; i < 5; ++i) REQUIRE(other.add(static_cast<std::uint8_t>(i + 1)).has_value());
  CHECK(other.verify().holds());
  const auto shorter = other.verify(old);
  REQUIRE(shorter.broken.has_value());
  CHECK(shorter.broken->index == 5);
  for (std::uint8_t i = 5; i < 12; ++i) REQUIRE(other.add(static_cast<std::uint8_t>(i + 1)).has_value());
  CHECK(other.verify().holds());
  CHECK(!other.verify(old).holds());
  CHECK(!other.verify("not a note").holds());
}

TEST_CASE("who has the log's first key alone cannot stand in for the second: what that one should have signed minutes ago is found") {
  Log log;
  log.fill(3);
  REQUIRE(log.ledger->anchor());
  log.clock.advance(std::chrono::minutes(10));
  REQUIRE(log.add(3).has_value());
  CHECK(log.verify().holds());  // a process that was killed before the second's end leaves it like this
  log.clock.advance(std::chrono::minutes(10));
  REQUIRE(log.add(4).has_value());
  REQUIRE_FALSE(log.verify().holds());
  CHECK(log.verify().broken->index == 3);
  REQUIRE(log.ledger->anchor());
  CHECK(log.verify().holds());
  log.tamper("DROP TRIGGER log_cosignatures_d; DELETE FROM log_cosignatures;");
  REQUIRE_FALSE(log.verify().holds());
  CHECK(log.verify().broken->index == 0);
}

TEST_CASE("what is no data directory is an error, not a finding") {
  Folder f;
  CHECK(verifier::verify_data_dir(f.path).error().code == Code::not_found);
  std::ofstream(f.path / storage::kDatabaseFile) << "this is not a database, whatever its name says";
  CHECK(!verifier::verify_data_dir(f.path).has_value());
}

}  // namespace
}  // namespace caip::audit
