// What the list of env values on servers says, whatever becomes of the orders that changed them.
#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "server_world.h"

namespace caip::servers {
namespace {

template <class T>
Code code_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error().code;
}

// Env values for www-data: the secrets 1 and 2 in versions 1 and 3, opened by `opens`.
struct EnvWorld : test::Domain {
  const SecretId a{IdBytes{1}}, b{IdBytes{2}};
  int opened = 0;
  std::optional<Code> opens_not;
  explicit EnvWorld(storage::Migrations all = servers::migrations()) : Domain(std::move(all)) {
    with_server();
    again();
  }
  void reopen() {
    open();
    start();
    again();
    REQUIRE(orders->recover());
    connect();
  }
  void again() {
    orders->on_env([this](const Operation&, const PlaceEnv& place) -> Result<channel::EnvValues> {
      ++opened;
      if (opens_not) return fail(*opens_not, "no");
      std::vector<channel::EnvValue> values;
      for (const auto& [id, version] : place.secrets) values.push_back({id == a ? "A" : "B", SecretBytes(std::string_view("canary-value"))});
      return channel::EnvValues::of(std::move(values));
    });
  }
  Result<Operation> place(std::map<SecretId, std::int64_t> secrets, const char* user = "www-data") {
    return orders->issue(authorize(owner.session(), PlaceEnv{*server, UnixUser::parse(user).value(), std::move(secrets)}).value());
  }
  Result<Operation> remove(const char* user = "www-data") {
    return orders->issue(authorize(owner.session(), RemoveEnv{*server, UnixUser::parse(user).value()}).value());
  }
  std::vector<std::string> files() {
    std::vector<std::string> out;
    const auto all = orders->placements(owner.session(), *server).value();
    for (const auto& p : all)
      out.push_back(p.user.str() + (p.secret == a ? " A" : " B") + std::to_string(p.version) + " " + p.state);
    return out;
  }
};
using Files = std::vector<std::string>;

constexpr Duration kGivenUp = kOrderLife + channel::kClockSkew + std::chrono::seconds(1);

TEST_CASE("env values go beside a signed order, and into no row and no entry") {
  EnvWorld w;
  const auto o = w.place({{w.a, 1}, {w.b, 3}}).value();
  REQUIRE(w.sent.size() == 1);
  CHECK(w.sent.front().env->all().size() == 2);
  CHECK(w.files() == Files{"www-data A1 sent", "www-data B3 sent"});
  REQUIRE(w.answer(o.id));
  CHECK(w.files() == Files{"www-data A1 placed", "www-data B3 placed"});
  CHECK(w.orders->placed_on(w.org).value() == std::map<SecretId, std::int64_t>{{w.a, 1}, {w.b, 1}});
  std::ifstream db(w.folder.path + "/caip.db", std::ios::binary), wal(w.folder.path + "/caip.db-wal", std::ios::binary);
  const std::string bytes = std::string(std::istreambuf_iterator<char>(db), {}) + std::string(std::istreambuf_iterator<char>(wal), {});
  CHECK(bytes.contains("env.place"));
  CHECK_FALSE(bytes.contains("canary-value"));
}

TEST_CASE("what was placed before is forgotten when the next is placed, and when the file is removed") {
  EnvWorld w;
  REQUIRE(w.answer(w.place({{w.a, 1}, {w.b, 1}})->id));
  REQUIRE(w.answer(w.place({{w.a, 1}}, "other")->id));
  const auto failed = w.place({{w.b, 2}}).value();
  REQUIRE(w.answer(failed.id, false));
  CHECK(w.files() == Files{"other A1 placed", "www-data A1 placed", "www-data B1 placed"});
  REQUIRE(w.answer(w.place({{w.b, 2}})->id));
  CHECK(w.files() == Files{"other A1 placed", "www-data B2 placed"});
  REQUIRE(w.answer(w.remove()->id));
  CHECK(w.files() == Files{"other A1 placed"});
}

TEST_CASE("an order without an answer leaves it unknown what is there; one that was never sent leaves nothing") {
  EnvWorld w;
  REQUIRE(w.place({{w.a, 1}}));
  w.clock.advance(std::chrono::minutes(3));
  w.orders->tick();
  CHECK(w.files() == Files{"www-data A1 unknown"});
  w.wire_down = true;
  REQUIRE(w.place({{w.a, 2}}));
  w.clock.advance(std::chrono::minutes(3));
  w.orders->tick();
  CHECK(w.files() == Files{"www-data A1 unknown"});
  w.wire_down = false;
  REQUIRE(w.answer(w.place({{w.a, 3}})->id));
  CHECK(w.files() == Files{"www-data A3 placed"});
  REQUIRE(w.enrol(w.offer("web-1", true).token));
  CHECK(w.files() == Files{"www-data A3 unknown"});
}

TEST_CASE("values that can never be opened end the order at once; what may pass is tried again, also after a restart") {
  EnvWorld w;
  w.opens_not = Code::conflict;
  const auto o = w.place({{w.a, 1}}).value();
  CHECK(w.orders->find(o.id)->status == OperationStatus::failed);
  CHECK(w.orders->find(o.id)->error.contains("Nothing was run"));
  CHECK(w.files().empty());
  CHECK(w.logged("operation.fail", "failed") == 1);
  w.opens_not = Code::unavailable;
  const auto later = w.place({{w.a, 1}}).value();
  CHECK(w.sent.empty());
  w.opens_not.reset();
  w.reopen();
  w.orders->tick();
  REQUIRE(w.sent.size() == 1);
  CHECK(w.last_order() == later.id);
  CHECK(w.sent.front().env);
}

TEST_CASE("an order that may have run before leaves doubt when its values no longer open, and when its helper does not know") {
  EnvWorld w;
  const auto sent = w.place({{w.a, 1}}).value();
  w.opens_not = Code::conflict;
  w.connect();  // it comes back: the order is sent again
  w.orders->tick();
  CHECK(w.orders->find(sent.id)->error.contains("may have run"));
  CHECK(w.files() == Files{"www-data A1 unknown"});
  w.opens_not.reset();
  w.clock.advance(std::chrono::seconds(1));  // they are listed by time
  const auto killed = w.place({{w.b, 3}}).value();
  REQUIRE(w.orders->finish(w.agent(), killed.id, {.ok = false, .result = {}, .error = Foreign("the helper was stopped"), .unknown = true}));
  CHECK(w.files() == Files{"www-data A1 unknown", "www-data B3 unknown"});
}

TEST_CASE("where env values are is seen by who may see secrets, of their own organisation") {
  EnvWorld w;
  CHECK(w.orders->placements(test::Person{.org = w.org, .role = Role::member}.session(), *w.server));
  CHECK(code_of(w.orders->placements(test::Person{.org = w.org, .role = Role::viewer}.session(), *w.server)) == Code::forbidden);
  CHECK(code_of(w.orders->placements(test::Person{.org = crypto::random_id<OrgId>()}.session(), *w.server)) == Code::not_found);
}

TEST_CASE("one order about a user's file at a time: a late answer to a removal takes no newer placing from the list") {
  EnvWorld w;
  REQUIRE(w.answer(w.place({{w.a, 1}})->id));
  const auto removal = w.remove().value();
  const auto refused = w.place({{w.b, 2}});
  CHECK(code_of(refused) == Code::conflict);
  CHECK(refused.error().detail.contains("www-data"));
  CHECK(refused.error().detail.contains(removal.id.str()));
  CHECK(code_of(w.remove()) == Code::conflict);
  CHECK(w.logged("env.place", "blocked") == 1);
  CHECK(w.logged("env.remove", "blocked") == 1);
  CHECK(w.sent.size() == 2);
  REQUIRE(w.answer(w.place({{w.a, 1}}, "other")->id));  // that is another file
  REQUIRE(w.answer(removal.id));
  REQUIRE(w.answer(w.place({{w.b, 2}})->id));
  CHECK(code_of(w.answer(removal.id, true, true)) == Code::key_reused);
  CHECK(w.files() == Files{"other A1 placed", "www-data B2 placed"});
}

TEST_CASE("that an order about a file has not ended is known after a restart, and an order that was given up holds nothing") {
  EnvWorld w;
  const auto removal = w.remove().value();
  w.reopen();
  CHECK(code_of(w.place({{w.a, 1}})) == Code::conflict);
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.orders->find(removal.id)->status == OperationStatus::expired);
  const auto failed = w.place({{w.a, 1}}).value();
  REQUIRE(w.answer(failed.id, false));
  CHECK(w.place({{w.a, 1}}));
}

TEST_CASE("a removal that had no answer leaves it unknown what is there, and is asked for again; one that failed for certain does not") {
  EnvWorld w;
  REQUIRE(w.answer(w.place({{w.a, 1}})->id));
  REQUIRE(w.answer(w.remove()->id, false));
  CHECK(w.files() == Files{"www-data A1 placed"});
  w.wire_down = true;
  const auto unsent = w.remove().value();
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.orders->find(unsent.id)->error.contains("Nothing was run"));
  CHECK(w.files() == Files{"www-data A1 placed"});
  w.wire_down = false;
  const auto lost = w.remove().value();
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.orders->find(lost.id)->error.contains("place or remove the values again"));
  CHECK(w.files() == Files{"www-data A1 unknown"});
  CHECK(code_of(w.answer(lost.id)) == Code::expired);
  CHECK(w.files() == Files{"www-data A1 unknown"});
  REQUIRE(w.answer(w.remove()->id));
  CHECK(w.files().empty());
}

TEST_CASE("a placing that had no answer leaves unknown what was there before, too") {
  EnvWorld w;
  REQUIRE(w.answer(w.place({{w.a, 1}})->id));
  w.clock.advance(std::chrono::seconds(1));  // they are listed by time
  REQUIRE(w.place({{w.b, 2}}));
  CHECK(w.files() == Files{"www-data A1 placed", "www-data B2 sent"});
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.files() == Files{"www-data A1 unknown", "www-data B2 unknown"});
}

TEST_CASE("an order that was under way before there was one at a time holds its file, too") {
  auto before = migrations();
  std::erase_if(before, [](const storage::Migration& m) { return m.name.starts_with("servers/7"); });
  EnvWorld w(before);
  const auto id = crypto::random_id<OperationId>();
  const ServerAction removal = RemoveEnv{*w.server, UnixUser::parse("www-data").value()};
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("INSERT INTO operations (id, org, action, signed_order, status, created_at, expires_at) VALUES (?1, ?2, ?3, '', 'pending', ?4, ?5)", id, w.org,
                    encode(removal), w.clock.now(), w.clock.now() + kOrderLife));
    auto spent = std::move(*w.authorizer.authorize_system(FailOperation{id}, w.org)).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  }
  w.migrations = servers::migrations();
  w.reopen();
  CHECK(code_of(w.place({{w.a, 1}})) == Code::conflict);
  CHECK(w.place({{w.a, 1}}, "other"));
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.place({{w.a, 1}}));
}

}  // namespace
}  // namespace caip::servers
