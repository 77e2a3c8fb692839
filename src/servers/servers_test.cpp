#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <fstream>
#include <limits>

#include "server_world.h"

namespace caip::servers {
namespace {

struct World : test::Domain {
  World() : Domain(servers::migrations()) {}
};

template <class T>
Code code_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error().code;
}

TEST_CASE("an enrolment token works once, for an hour, and nothing else works") {
  World w;
  const auto offer = w.offer();
  CHECK(code_of(w.enrol("not-a-token")) == Code::bad_credentials);
  const auto e = w.enrol(offer.token).value();
  CHECK(e.order_key == w.keeper->public_key(secrets::SigningUse::order));
  CHECK(crypto::certificate_uri(e.certificate_pem).value().ends_with(e.server.str()));
  CHECK(code_of(w.enrol(offer.token)) == Code::bad_credentials);
  const auto late = w.offer("web-2");
  w.clock.advance(std::chrono::hours(1));
  CHECK(code_of(w.enrol(late.token)) == Code::bad_credentials);
  CHECK(w.logged("server.enrol", "blocked") == 3);
  CHECK(w.logged("server.enrol", "completed") == 1);
  CHECK(w.servers->list(w.owner.session()).value().size() == 1);
  CHECK(w.servers->enrolments(w.owner.session(), {}).value().items.size() == 2);
}

TEST_CASE("a machine set up anew keeps its id; its old certificate is not let in any more") {
  World w;
  w.with_server();
  const auto before = w.agent();
  CHECK(w.servers->accepts(before));
  const auto again = w.enrol(w.offer("web-1", true).token).value();
  CHECK(again.server == *w.server);
  CHECK_FALSE(w.servers->accepts(before));
  w.holds(again);
  CHECK(w.servers->accepts(w.agent()));
  w.open();
  w.start();
  CHECK(w.servers->accepts(w.agent()));
  CHECK_FALSE(w.servers->accepts(before));
}

TEST_CASE("a revoked install command lets no machine in, and a used one is not revoked") {
  World w;
  const auto offer = w.offer();
  const auto revoke = [&](const EnrolmentId& id) { return w.servers->revoke_enrolment(w.authorize(w.owner.session(), RevokeEnrolment{id}).value()); };
  CHECK(code_of(revoke(crypto::random_id<EnrolmentId>())) == Code::not_found);
  w.clock.advance(std::chrono::seconds(2));
  REQUIRE(revoke(offer.enrolment.id));
  CHECK(w.logged("enrolment.revoke", "completed") == 1);
  w.clock.advance(std::chrono::seconds(-1));  // as a machine has it that asked before, and waited for its turn
  CHECK(code_of(w.enrol(offer.token)) == Code::bad_credentials);
  CHECK(w.servers->list(w.owner.session()).value().empty());
  CHECK(code_of(revoke(offer.enrolment.id)) == Code::conflict);
  const auto used = w.offer();
  REQUIRE(w.enrol(used.token));
  CHECK(code_of(revoke(used.enrolment.id)) == Code::conflict);
}

TEST_CASE("a command ends with the authority of whoever made it") {
  World w;
  const auto offer = w.offer();
  w.makers_gone = true;
  CHECK(code_of(w.enrol(offer.token)) == Code::bad_credentials);
  CHECK(w.logged("server.enrol", "blocked") == 1);
  w.makers_gone = false;
  w.servers->on_maker({});  // nobody says who may still
  CHECK(code_of(w.enrol(offer.token)) == Code::bad_credentials);
}

TEST_CASE("a server's place is taken only by a command that says so") {
  World w;
  const auto early = w.offer();  // made before there is a server of that name
  w.with_server();
  CHECK(code_of(w.enrol(early.token)) == Code::bad_credentials);
  auto permit = w.authorize(w.owner.session(), CreateEnrolment{crypto::random_id<EnrolmentId>(), ServerName::parse("web-1").value()});
  CHECK(code_of(w.servers->create_enrolment(std::move(*permit))) == Code::conflict);
  CHECK(w.servers->accepts(w.agent()));
  CHECK(w.enrol(w.offer("web-1", true).token)->server == *w.server);
}

TEST_CASE("a server is seen by its own organisation only; numbers that cannot be are 0") {
  World w;
  w.with_server();
  const test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(code_of(w.servers->get(stranger.session(), *w.server)) == Code::not_found);
  CHECK(w.servers->list(stranger.session()).value().empty());
  for (int i = 0; i < 300; ++i)
    w.servers->report(w.agent(), Sample{.cpu_ratio = std::numeric_limits<double>::quiet_NaN(), .mem_used = -1, .load1 = 0.5, .at = w.clock.now()});
  const auto samples = w.servers->samples(w.owner.session(), *w.server).value();
  CHECK(samples.size() == 240);
  CHECK(samples.back().cpu_ratio == 0);
  CHECK(samples.back().mem_used == 0);
  const auto v = view(w.servers->get(w.owner.session(), *w.server).value());
  CHECK(v.at("channel").at("status") == "post_quantum");
  w.servers->offline(w.agent());
  CHECK(view(w.servers->get(w.owner.session(), *w.server).value()).at("channel").at("status") == "offline");
}

TEST_CASE("an order is in the log before it is sent, and a helper would take it") {
  World w;
  w.with_server();
  const auto o = w.restart(w.owner).value();
  CHECK(o.status == OperationStatus::running);
  REQUIRE(w.sent.size() == 1);
  const channel::OrderVerifier helper({*w.server, w.keeper->public_key(secrets::SigningUse::order), w.key.public_key(), w.second.public_key(), w.certificate},
                                    w.clock);
  const auto verified = helper.verify(w.sent.front());
  REQUIRE(verified.has_value());
  CHECK(verified->order().order == o.id);
  REQUIRE(w.answer(o.id).has_value());
  CHECK(w.orders->wait(o.id, Duration{0}).value().status == OperationStatus::succeeded);
  CHECK(view(w.orders->get(w.owner.session(), o.id).value()).at("result").at("unit").at("active") == "active");
  CHECK(code_of(w.answer(o.id, false)) == Code::conflict);  // another answer is refused, on the record
  CHECK(w.logged("operation.finish", "blocked") == 1);
  CHECK(w.orders->find(o.id)->status == OperationStatus::succeeded);
  CHECK(w.logged("operation.finish", "completed") == 1);
}

TEST_CASE("refused and on the record: offline, another organisation's server, another server's answer") {
  World w;
  w.with_server();
  const auto o = w.restart(w.owner).value();
  const test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(code_of(w.restart(stranger)) == Code::not_found);
  CHECK(code_of(w.orders->get(stranger.session(), o.id)) == Code::not_found);
  const auto other = w.enrol(w.offer("web-2").token).value();
  CHECK(code_of(w.orders->finish(channel::Handshake::mint(other.server, other.certificate_pem), o.id, {.ok = true, .result = {}, .error = {}})) == Code::not_found);
  CHECK(w.orders->find(o.id)->status == OperationStatus::running);
  w.servers->offline(w.agent());
  CHECK(code_of(w.restart(w.owner)) == Code::server_offline);
  CHECK(w.logged("unit.restart", "blocked") == 2);
  CHECK(w.logged("operation.finish", "blocked") == 1);
  CHECK(w.sent.size() == 1);
}

TEST_CASE("a viewer does not get what a journal brought back") {
  World w;
  w.with_server();
  auto p = w.authorize(w.owner.session(), ReadJournal{*w.server, test::unit("nginx.service"), 10});
  const auto o = w.orders->issue(std::move(*p)).value();
  const test::Person viewer{w.org, crypto::random_id<UserId>(), Role::viewer};
  CHECK(code_of(w.orders->get(viewer.session(), o.id)) == Code::forbidden);
  CHECK(code_of(w.restart(viewer)) == Code::forbidden);
}

TEST_CASE("killed after the commit, before the order was sent: sent after the restart, same id, same bytes") {
  World w;
  w.with_server();
  w.wire_down = true;
  const auto o = w.restart(w.owner).value();
  CHECK(o.status == OperationStatus::pending);
  const auto refused = w.restart(test::Person{w.org, crypto::random_id<UserId>(), Role::viewer});  // other entries around it
  CHECK_FALSE(refused.has_value());
  w.open();
  w.start();
  w.wire_down = false;
  REQUIRE(w.orders->recover().has_value());
  w.orders->tick();
  CHECK(w.sent.empty());  // its server is not back yet
  w.connect();
  w.orders->tick();
  REQUIRE(w.sent.size() == 1);
  CHECK(w.last_order() == o.id);
  w.orders->tick();
  CHECK(w.sent.size() == 1);
  w.connect();  // the connection broke: the same order again, which the helper runs once
  w.orders->tick();
  REQUIRE(w.sent.size() == 2);
  CHECK(w.sent[0].order == w.sent[1].order);
  CHECK(w.sent[0].signature == w.sent[1].signature);
  REQUIRE(w.answer(o.id).has_value());
  w.connect();
  w.orders->tick();
  CHECK(w.sent.size() == 2);
}

TEST_CASE("no answer in time: given up with a text that says what is known, and a later answer is refused") {
  World w;
  w.with_server();
  w.wire_down = true;
  const auto never = w.restart(w.owner).value();
  w.wire_down = false;
  w.clock.advance(std::chrono::seconds(1));
  const auto lost = w.restart(w.owner).value();
  w.clock.advance(kOrderLife);
  w.orders->tick();
  CHECK(w.sent.size() == 1);  // what has expired is not sent any more
  CHECK_FALSE(w.orders->find(lost.id)->finished());
  w.clock.advance(channel::kClockSkew);
  w.orders->tick();
  CHECK(w.orders->find(never.id)->error.find("Nothing was run") != std::string::npos);
  CHECK(w.orders->find(lost.id)->status == OperationStatus::expired);
  CHECK(w.orders->find(lost.id)->error.find("It may have run") != std::string::npos);
  CHECK(code_of(w.answer(lost.id)) == Code::expired);
  CHECK(w.logged("operation.fail", "expired") == 2);
}

TEST_CASE("100,000 answers to orders that nobody gave: one entry, no write, and soon over") {
  World w;
  w.with_server();
  const auto size = w.logged("operation.finish", "blocked");
  const auto began = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    IdBytes id{};
    std::memcpy(id.data(), &i, sizeof i);
    const auto said = w.orders->finish(w.agent(), OperationId{id}, {.ok = true, .result = {}, .error = {}});
    if (said.has_value() || said.error().code != Code::not_found) FAIL("answer " << i);
  }
  CHECK(w.logged("operation.finish", "blocked") == size + 1);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(60));
  w.clock.advance(std::chrono::minutes(2));
  CHECK(code_of(w.orders->finish(w.agent(), OperationId{IdBytes{9}}, {.ok = true, .result = {}, .error = {}})) == Code::not_found);
  CHECK(w.logged("operation.finish", "blocked") == size + 2);
}

TEST_CASE("another outcome than the one that is recorded is refused, on the record") {
  World w;
  w.with_server();
  const auto o = w.restart(w.owner).value();
  REQUIRE(w.answer(o.id).has_value());
  CHECK(code_of(w.answer(o.id, false)) == Code::conflict);
  CHECK(w.orders->find(o.id)->status == OperationStatus::succeeded);
  CHECK(w.logged("operation.finish", "blocked") == 1);
}

// The handlers of the channel looked at the certificate a moment ago; then the server was enrolled anew.
TEST_CASE("what a replaced machine says after its certificate ended changes nothing") {
  World w;
  w.with_server();
  const auto before = w.agent();
  const auto o = w.restart(w.owner).value();
  std::vector<ServerId> told;
  w.servers->on({.server_updated = {}, .metrics = {}, .units_updated = {}, .gone = {}, .departed = {}, .reenrolled = [&](const ServerId& id) { told.push_back(id); }});
  const auto again = w.enrol(w.offer("web-1", true).token).value();
  CHECK(told == std::vector{again.server});
  CHECK_FALSE(w.servers->online(before, {Foreign("old"), Foreign(), Foreign()}));
  w.servers->report(before, Sample{.load1 = 0.5, .at = w.clock.now()});
  w.servers->report(before, {{Foreign("a.service"), Foreign(), Foreign(), Foreign(), Foreign(), Foreign()}});
  CHECK(code_of(w.orders->finish(before, o.id, {.ok = true, .result = {}, .error = {}})) == Code::forbidden);
  const auto server = w.servers->get(w.owner.session(), *w.server).value();
  CHECK_FALSE(server.online);
  CHECK_FALSE(server.latest);
  CHECK(w.servers->units(w.owner.session(), *w.server)->empty());
  w.holds(again);
  w.connect();
  w.servers->offline(before);
  CHECK(w.servers->get(w.owner.session(), *w.server)->online);
}

TEST_CASE("orders under way end when their server is enrolled anew, and the new machine would not run them") {
  World w;
  w.with_server();
  w.servers->on({.server_updated = {}, .metrics = {}, .units_updated = {}, .gone = {}, .departed = {}, .reenrolled = [&](const ServerId& id) { w.orders->reenrolled(id); }});
  w.wire_down = true;
  const auto unsent = w.restart(w.owner).value();
  w.wire_down = false;
  const auto sent = w.restart(w.owner).value();
  const auto old_order = w.sent.back();
  const auto again = w.enrol(w.offer("web-1", true).token).value();
  CHECK(w.orders->find(unsent.id)->status == OperationStatus::expired);
  CHECK(w.orders->find(unsent.id)->error.contains("Nothing was run"));
  CHECK(w.orders->find(sent.id)->status == OperationStatus::expired);
  CHECK(w.orders->find(sent.id)->error.contains("may have"));
  w.holds(again);
  w.connect();
  const auto count = w.sent.size();
  w.orders->tick();
  CHECK(w.sent.size() == count);
  const channel::OrderVerifier helper({*w.server, w.keeper->public_key(secrets::SigningUse::order), w.key.public_key(), w.second.public_key(), w.certificate}, w.clock);
  CHECK(helper.verify(old_order).error().code == Code::forbidden);
  REQUIRE(w.restart(w.owner).has_value());
  CHECK(helper.verify(w.sent.back()).has_value());
}

TEST_CASE("killed between a new enrolment and the end of the old orders: they are not sent to the new machine") {
  World w;
  w.with_server();
  w.wire_down = true;
  const auto o = w.restart(w.owner).value();
  w.wire_down = false;
  const auto again = w.enrol(w.offer("web-1", true).token).value();
  w.open();
  w.start();
  REQUIRE(w.orders->recover().has_value());
  w.holds(again);
  w.connect();
  w.orders->tick();
  CHECK(w.sent.empty());
  w.clock.advance(kOrderLife + channel::kClockSkew);
  w.orders->tick();
  CHECK(w.orders->find(o.id)->status == OperationStatus::expired);
}

TEST_CASE("what a read brought back is let go after a day; the operation stays, and so does what a write answered") {
  World w;
  w.with_server();
  auto p = w.authorize(w.owner.session(), ReadJournal{*w.server, test::unit("nginx.service"), 10});
  const auto journal = w.orders->issue(std::move(*p)).value();
  REQUIRE(w.orders->finish(w.agent(), journal.id, {.ok = true, .result = {{"lines", json::array{"a secret line" + std::string(64 * 1024, 'x') + "its end"}}}, .error = {}}).has_value());
  const auto restart = w.restart(w.owner).value();
  REQUIRE(w.answer(restart.id).has_value());
  const auto in_the_file = [&](std::string_view text) {
    w.open();  // closing it brings all that is in the journal into the file
    w.start();
    std::ifstream file(w.folder.path + "/caip.db", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    return bytes.contains(text);
  };
  CHECK(in_the_file("its end"));
  w.clock.advance(kResultLife);
  w.orders->tick();
  CHECK(w.orders->find(journal.id)->result.contains("a secret line"));
  w.clock.advance(std::chrono::minutes(11));
  w.orders->tick();
  CHECK(w.orders->find(journal.id)->result.empty());
  CHECK(w.orders->find(journal.id)->status == OperationStatus::succeeded);
  CHECK(w.orders->find(restart.id)->result.contains("active"));
  CHECK(w.logged("operation.forget", "completed") == 1);
  w.clock.advance(std::chrono::hours(1));
  w.orders->tick();
  CHECK(w.logged("operation.forget", "completed") == 1);  // nothing to let go, nothing to say
  CHECK_FALSE(in_the_file("a secret line"));
  CHECK_FALSE(in_the_file("its end"));  // nor in a free page
}

TEST_CASE("an order that expired while we were down ends with an honest text") {
  World w;
  w.with_server();
  const auto o = w.restart(w.owner).value();
  w.clock.advance(std::chrono::minutes(5));
  w.open();
  w.start();
  REQUIRE(w.orders->recover().has_value());
  w.connect();
  w.orders->tick();
  CHECK(w.sent.size() == 1);  // the one from before
  CHECK(w.orders->find(o.id)->status == OperationStatus::expired);
  CHECK(w.orders->find(o.id)->error.find("may have run") != std::string::npos);
}

}  // namespace
}  // namespace caip::servers
