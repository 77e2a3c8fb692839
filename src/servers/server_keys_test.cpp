// Keys of agents: what is let in, what is renewed, what takes another's place, and what is worth nothing any more.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "test_keys.h"

namespace caip::servers {
namespace {

using World = KeyWorld;

TEST_CASE("an agent that renews gets a day, and is asked from the half of it on; one that does not is asked nothing, and gets two years") {
  World w;
  w.enrol_agent();
  const auto c = crypto::read_agent_certificate(w.certificate_pem).value();
  CHECK(c.until - c.from == kDay);
  CHECK_FALSE(w.comes().value());
  w.clock.advance(kDay / 2 - kHour);
  w.servers->tick_keys();
  CHECK(w.asks.empty());
  w.clock.advance(kHour);
  w.servers->tick_keys();
  REQUIRE(w.asks.size() == 1);
  CHECK_FALSE(w.asks.front().rotate);
  w.servers->tick_keys();
  CHECK(w.asks.size() == 1);  // not each second
  w.clock.advance(std::chrono::minutes(1));
  w.servers->tick_keys();
  CHECK(w.asks.size() == 2);
  const auto issued = w.servers->offered(w.agent(), w.same()).value();
  CHECK_FALSE(issued.reconnect);
  const auto renewed = crypto::read_agent_certificate(issued.certificate).value();
  CHECK(renewed.key == c.key);
  CHECK(renewed.uri == c.uri);
  CHECK(renewed.until - renewed.from == kDay);
  CHECK(renewed.from == w.clock.now());
  w.clock.advance(std::chrono::minutes(2));
  w.servers->tick_keys();
  CHECK(w.asks.size() == 2);
  CHECK(w.logged("server.renew_certificate", "completed") == 1);

  World before;
  before.enrol_agent(false);
  const auto long_one = crypto::read_agent_certificate(before.certificate_pem).value();
  CHECK(long_one.until - long_one.from == 730 * kDay);
  before.clock.advance(400 * kDay);
  CHECK_FALSE(before.comes(before.agent(), false).value());
  before.servers->tick_keys();
  CHECK(before.asks.empty());
}

TEST_CASE("an enrolment without a witness key goes on for as long as it is renewed; its key stays") {
  World w;
  w.enrol_agent(true, false);
  for (int half_days = 0; half_days < 80; ++half_days) {
    w.renew();
    w.clock.advance(kDay / 2);
    w.servers->tick_keys();
    for (const auto& ask : w.asks) CHECK_FALSE(ask.rotate);
  }
  CHECK(code_of(w.comes()) == kFine);
  auto permit = w.authorize(w.owner.session(), RotateServerKey{*w.server});
  CHECK(code_of(w.servers->rotate_key(*std::move(permit))) == Code::conflict);
}

TEST_CASE("a certificate is for the key that was shown, and only in answer to a question, once") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  CHECK(code_of(w.servers->offered(w.agent(), w.same())) == Code::conflict);
  w.clock.advance(kDay / 2);
  w.servers->tick_keys();
  CHECK(code_of(w.servers->offered(w.agent(), w.fresh(w.asks.back()).offer)) == Code::forbidden);  // not what was asked for
  CHECK(code_of(w.servers->offered(w.agent(), w.same())) == Code::conflict);                       // and that was the answer
  w.clock.advance(std::chrono::minutes(1));
  w.servers->tick_keys();
  CHECK(code_of(w.servers->offered(w.agent(), w.same())) == kFine);
  CHECK(w.logged("server.connect", "blocked") == 1);
}

TEST_CASE("whoever else has the key asks nothing away, and a late answer is passed over") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  auto permit = w.authorize(w.owner.session(), RotateServerKey{*w.server});
  REQUIRE(w.servers->rotate_key(*std::move(permit)));
  const auto ask = w.comes().value().value();
  REQUIRE(ask.rotate);
  const auto ended = channel::Handshake::mint(*w.server, w.certificate_pem, w.clock.now() + 2 * kDay);  // an old copy, that dials again and again
  REQUIRE(w.servers->ask_key(ended));
  channel::KeyAsk unknown = ask;
  unknown.nonce = Bytes(channel::kNonce, 9);
  CHECK(code_of(w.servers->offered(w.agent(), w.same(unknown))) == Code::conflict);  // no lie: it may have been asked before
  CHECK(code_of(w.servers->offered(w.agent(), w.fresh(ask).offer)) == kFine);
  CHECK(w.logged("server.connect", "blocked") == 0);
}

TEST_CASE("a certificate that did not arrive is asked for again with the next hello; a key that is not made keeps none from being renewed") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  auto permit = w.authorize(w.owner.session(), RotateServerKey{*w.server});
  REQUIRE(w.servers->rotate_key(*std::move(permit)));
  CHECK(w.comes().value()->rotate);  // no answer
  w.clock.advance(kDay / 2);
  w.servers->tick_keys();
  CHECK_FALSE(w.asks.back().rotate);
  REQUIRE(w.servers->offered(w.agent(), w.same()));  // and the answer is lost
  const auto again = w.comes().value();
  REQUIRE(again);
  CHECK_FALSE(again->rotate);
}

TEST_CASE("either key is let in until the new one was used; then the old one is retired, also after a restart") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const std::string old = w.certificate_pem, fresh = w.rotated();
  CHECK(crypto::read_agent_certificate(fresh)->key != crypto::read_agent_certificate(old)->key);
  const bool killed = GENERATE(false, true);
  if (killed) w.restart();  // the certificate may not have arrived
  CHECK(code_of(w.comes(w.shows(old))) == kFine);
  CHECK(w.servers->accepts(w.shows(old)));
  REQUIRE(w.comes(w.shows(fresh)));
  CHECK(w.servers->accepts(w.shows(fresh)));
  CHECK_FALSE(w.servers->accepts(w.shows(old)));
  CHECK(code_of(w.servers->knocks(w.shows(old))) == Code::forbidden);
  CHECK(w.logged("server.adopt_key", "completed") == 1);
  CHECK(w.told("uses a new key") == 1);
  CHECK(w.logged("server.connect", "blocked") == 1);
  CHECK(code_of(w.servers->knocks(w.shows(old))) == Code::forbidden);
  CHECK(w.logged("server.connect", "blocked") == 1);  // once an hour
  w.restart();
  CHECK(code_of(w.servers->knocks(w.shows(old))) == Code::forbidden);
  CHECK(code_of(w.comes(w.shows(fresh))) == kFine);
  // What was left of the connection with the old one says nothing any more.
  w.servers->report(w.shows(old), Sample{.load1 = 0.5, .at = w.clock.now()});
  CHECK_FALSE(w.servers->get(w.owner.session(), *w.server)->latest);
}

TEST_CASE("a new key takes no place that the root half did not speak for") {
  World w;
  w.enrol_agent();
  auto permit = w.authorize(w.owner.session(), RotateServerKey{*w.server});
  REQUIRE(w.servers->rotate_key(*std::move(permit)));
  const auto ask = w.comes().value().value();
  auto offered = w.fresh(ask);
  channel::KeyAsk other = ask;
  other.nonce = Bytes(channel::kNonce, 9);
  SECTION("nothing said") { offered.offer.voucher = {}; }
  SECTION("by another key") { offered.offer.voucher = crypto::SigningKey::generate().sign(caip::view("caip server key v1\n")); }
  SECTION("in answer to another question") { offered.offer.voucher = w.vouch(other, offered.key); }
  SECTION("for another key") { offered.offer.voucher = w.vouch(ask, Digest{}); }
  SECTION("of an earlier enrolment") {
    w.enrolment = std::string(64, 'e');
    offered.offer.voucher = w.vouch(ask, offered.key);
  }
  CHECK(code_of(w.servers->offered(w.agent(), offered.offer)) == Code::forbidden);
  CHECK(w.servers->find(*w.server)->key.next.empty());
  CHECK(code_of(w.comes()) == kFine);
  CHECK(w.logged("server.renew_certificate", "completed") == 0);
}

TEST_CASE("a new key is ML-DSA-65, and whoever has another is asked for one at once") {
  World w;
  w.enrol_agent();
  const auto classical = w.comes(w.shows(w.certificate_pem, "ecdsa_secp256r1_sha256")).value();
  REQUIRE(classical);
  CHECK(classical->rotate);
  CHECK_FALSE(w.comes().value());
  w.clock.advance(channel::kKeyLife);  // renewals in between would have changed nothing of the key's age
  const auto old = w.comes(w.agent());
  CHECK(w.agent().shown().lapsed);
  REQUIRE(*old);
  CHECK_FALSE((*old)->rotate);  // first it renews
  w.certificate_pem = w.servers->offered(w.agent(), w.same())->certificate;
  CHECK(w.comes().value()->rotate);
}

TEST_CASE("whose certificate has ended may renew it, and nothing else") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  w.clock.advance(kDay);
  w.servers->tick_keys();
  CHECK(w.parted == std::vector{*w.server});  // it did not answer for half a day
  const auto late = w.agent();
  CHECK(late.shown().lapsed);
  CHECK_FALSE(w.servers->accepts(late));
  CHECK_FALSE(w.servers->online(late, kFacts));
  w.servers->report(late, Sample{.load1 = 0.5, .at = w.clock.now()});
  CHECK_FALSE(w.servers->get(w.owner.session(), *w.server)->latest);
  const auto ask = w.comes().value();
  REQUIRE(ask);
  const auto issued = w.servers->offered(late, w.same()).value();
  CHECK(issued.reconnect);
  w.certificate_pem = issued.certificate;
  CHECK(code_of(w.comes()) == kFine);
  CHECK(w.servers->accepts(w.agent()));
  CHECK(w.told("came back after its certificate had ended") == 1);
}

TEST_CASE("a server that was off for 44 days comes back by itself; after 46 it takes an install command") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const auto days = GENERATE(44, 46);
  for (int hour = 0; hour < days * 24; ++hour) {  // we listen all the time
    w.clock.advance(kHour);
    w.servers->tick_keys();
  }
  CHECK(code_of(w.comes()) == (days == 44 ? kFine : Code::forbidden));
  if (days == 44) return;
  CHECK(w.logged("server.connect", "blocked") == 1);
  w.take(w.enrol(w.offer("web-1", true).token));
  CHECK(code_of(w.comes()) == kFine);
}

TEST_CASE("what the control plane was off for is nobody's absence") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const Instant newest = w.clock.now();
  w.clock.advance(46 * kDay);
  w.restart();
  w.servers->not_before(newest);
  auto tx = w.db->begin_write();
  REQUIRE(w.servers->keep_time(tx));
  auto permit = w.authorizer.authorize_system(StartSystem{});
  REQUIRE(w.ledger->commit(std::move(tx), std::move(*permit).spend(w.clock.now()).value()));
  CHECK(code_of(w.comes()) == kFine);
  const Instant started = w.clock.now();  // and at once again, before anybody came
  w.restart();
  w.servers->not_before(started);
  CHECK(code_of(w.comes()) == kFine);
  for (int hour = 0; hour < 46 * 24; ++hour) {
    w.clock.advance(kHour);
    w.servers->tick_keys();
  }
  CHECK(code_of(w.comes()) == Code::forbidden);
}

TEST_CASE("a clock that is behind makes no certificate valid that has ended, and no absence shorter") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  for (int hour = 0; hour < 46 * 24; ++hour) {
    w.clock.advance(kHour);
    w.servers->tick_keys();
  }
  const Instant newest = w.clock.now();
  w.clock.advance(-400 * kDay);  // a machine without a clock of its own
  w.restart();
  w.servers->not_before(newest);
  const Instant first = w.servers->key_time();
  CHECK(first >= newest);
  CHECK(first < newest + std::chrono::minutes(1));
  bool moves = false;  // as time passes, and not as the clock has it
  for (int n = 0; n < 10'000'000 && !moves; ++n) moves = w.servers->key_time() > first;
  CHECK(moves);
  CHECK(w.agent().shown().lapsed);
  CHECK(code_of(w.comes()) == Code::forbidden);
  w.take(w.enrol(w.offer("web-1", true).token));  // what is issued meanwhile is of the log's time
  CHECK_FALSE(w.agent().shown().lapsed);
  CHECK(code_of(w.comes()) == kFine);
  w.clock.advance(400 * kDay + 2 * kDay);  // the clock is set: two days are no absence
  w.servers->tick_keys();
  CHECK(w.agent().shown().lapsed);
  CHECK(code_of(w.comes()) == kFine);
}

// An install command of before undoes nothing.
void is_worth_nothing(World& w, const std::string& token) {
  const auto csr = crypto::make_request("x").value();
  CHECK(code_of(w.servers->enrol(token, csr.csr_pem, Foreign("x"), Origin{"192.0.2.9", Foreign("curl"), "req_test"}, {}, true)) == Code::bad_credentials);
}

TEST_CASE("a revoked key is out at once, with what was under way, and stays out; an install command is the way back") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const auto early = w.offer("web-1", true);
  const std::string fresh = w.rotated(), old = w.certificate_pem;
  const auto sent = w.orders->issue(w.authorize(w.owner.session(), UnitStatus{*w.server, test::unit("nginx.service")}).value()).value();
  REQUIRE(w.revoke());
  CHECK(w.thrown_out == std::vector{*w.server});
  CHECK(w.orders->find(sent.id)->finished());
  is_worth_nothing(w, early.token);
  CHECK(code_of(w.orders->finish(w.agent(), sent.id, {.ok = true, .result = {}, .error = {}})) == Code::forbidden);
  for (const auto& pem : {old, fresh}) {
    CHECK(code_of(w.servers->knocks(w.shows(pem))) == Code::forbidden);
    CHECK_FALSE(w.servers->online(w.shows(pem), kFacts));
  }
  CHECK_FALSE(w.servers->get(w.owner.session(), *w.server)->online);
  CHECK(code_of(w.revoke()) == Code::conflict);
  w.restart();
  CHECK(code_of(w.servers->knocks(w.shows(old))) == Code::forbidden);
  CHECK(w.told("was revoked") == 1);
  CHECK(w.logged("server.revoke_key", "completed") == 1);
  w.take(w.enrol(w.offer("web-1", true).token));
  CHECK(code_of(w.comes()) == kFine);
  CHECK(code_of(w.servers->knocks(w.shows(old))) == Code::forbidden);
}

TEST_CASE("two live holders: neither is let in any more, people are told, and an install command is the way back") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const std::string old = w.certificate_pem;
  const auto sent = w.orders->issue(w.authorize(w.owner.session(), UnitStatus{*w.server, test::unit("nginx.service")}).value()).value();
  w.servers->twice(w.agent(), "192.0.2.1", "192.0.2.2");
  w.servers->twice(w.agent(), "192.0.2.1", "192.0.2.2");
  CHECK(w.thrown_out == std::vector{*w.server});
  CHECK(w.orders->find(sent.id)->finished());
  CHECK(code_of(w.servers->knocks(w.agent())) == Code::forbidden);
  CHECK(w.told("from 192.0.2.1 and 192.0.2.2", "server.quarantined") == 1);
  CHECK(w.logged("server.quarantine", "completed") == 1);
  CHECK(w.servers->get(w.owner.session(), *w.server)->key.state == KeyState::quarantined);
  w.restart();
  CHECK(code_of(w.servers->knocks(w.agent())) == Code::forbidden);
  w.take(w.enrol(w.offer("web-1", true).token));
  CHECK(code_of(w.comes()) == kFine);
  w.servers->twice(w.shows(old), "192.0.2.1", "192.0.2.2");  // of the key of before: nothing of it is left
  CHECK(code_of(w.comes()) == kFine);
}

TEST_CASE("whoever comes with a key that was retired is told of, once") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const std::string old = w.certificate_pem, fresh = w.rotated();
  REQUIRE(w.comes(w.shows(fresh)));
  for (int hour = 0; hour < 3; ++hour) {
    CHECK(code_of(w.servers->knocks(w.shows(old))) == Code::forbidden);
    w.clock.advance(kHour);
  }
  CHECK(w.logged("server.connect", "blocked") == 3);
  CHECK(w.told("with a key that it had before", "server.quarantined") == 1);
  CHECK(code_of(w.comes(w.shows(fresh))) == kFine);  // it is no reason to shut the server out
}

TEST_CASE("a certificate that was asked for before its key was revoked is not given out") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  w.clock.advance(kDay / 2);
  w.servers->tick_keys();
  REQUIRE(w.revoke());
  CHECK(code_of(w.servers->offered(w.agent(), w.same())) == Code::conflict);
}

TEST_CASE("a server of before there were keys goes by its certificate, and by its key once that was renewed") {
  World w;
  w.enrol_agent(false);
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE servers SET agent_key = '', certificate_from = NULL, certificate_until = NULL"));
    auto permit = w.authorizer.authorize_system(StartSystem{});
    REQUIRE(w.ledger->commit(std::move(tx), std::move(*permit).spend(w.clock.now()).value()));
  }
  w.restart();
  const std::string stranger = w.keeper->issue_agent_certificate(crypto::make_request("x")->csr_pem, *w.server, w.clock.now(), kDay).value();
  CHECK(code_of(w.servers->knocks(w.shows(stranger))) == Code::forbidden);
  CHECK_FALSE(w.comes(w.agent(), false).value());
  const auto ask = w.comes().value();  // its agent was replaced by one that knows the question
  REQUIRE(ask);
  CHECK_FALSE(ask->rotate);
  const auto issued = w.servers->offered(w.agent(), w.same()).value();
  w.certificate_pem = issued.certificate;
  CHECK(code_of(w.comes()) == kFine);
  CHECK(w.servers->find(*w.server)->key.key == hex(w.agent().shown().key));
}

TEST_CASE("another authority: each server that is connected is asked at once, comes again with a certificate of it, and a count says who has not") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  CHECK(w.servers->of_earlier_authorities() == 0);
  w.servers->tick_keys();
  CHECK(w.asks.empty());
  const auto before = w.keeper->authority(KeyClass::agent_ca).pem;
  REQUIRE(w.keeper->rotate(KeyClass::agent_ca));
  w.clock.advance(kDay / 2);
  REQUIRE(w.comes().value());
  CHECK(code_of(w.servers->offered(w.agent(), w.same())) == Code::conflict);  // the listener does not show it yet
  w.asks.clear();
  w.clock.advance(std::chrono::minutes(2));
  w.servers->authority_changed();
  CHECK(w.servers->of_earlier_authorities() == 1);
  w.servers->tick_keys();
  REQUIRE(w.asks.size() == 1);
  CHECK_FALSE(w.asks.back().rotate);
  const auto issued = w.servers->offered(w.agent(), w.same()).value();
  const auto now = w.keeper->authority(KeyClass::agent_ca);
  CHECK(issued.reconnect);
  CHECK(issued.authorities == now.pem + now.links);
  CHECK(crypto::signed_by(issued.certificate, now.pem));
  CHECK(crypto::follow_links(before, issued.authorities).value() == now.pem);
  w.restart();
  REQUIRE(w.comes());  // with the one before: the answer was lost
  CHECK(w.servers->of_earlier_authorities() == 1);
  CHECK_FALSE(w.asks.empty());
  w.certificate_pem = issued.certificate;
  w.asks.clear();
  REQUIRE(w.comes());
  CHECK(w.asks.empty());
  CHECK(w.servers->of_earlier_authorities() == 0);
  w.restart();
  CHECK(w.servers->of_earlier_authorities() == 1);  // until it comes or renews; never fewer than there are
  REQUIRE(w.comes());
  CHECK(w.servers->of_earlier_authorities() == 0);
  w.clock.advance(kDay / 2);
  REQUIRE(w.comes().value());
  REQUIRE(w.servers->offered(w.agent(), w.same()));
  w.restart();
  CHECK(w.servers->of_earlier_authorities() == 0);
}

TEST_CASE("keys of a server are for its own organisation's people, and go with it") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  const test::Person stranger{crypto::random_id<OrgId>()};
  auto revoke = w.authorize(stranger.session(), RevokeServerKey{*w.server});
  CHECK(code_of(w.servers->revoke_key(*std::move(revoke))) == Code::not_found);
  auto rotate = w.authorize(stranger.session(), RotateServerKey{*w.server});
  CHECK(code_of(w.servers->rotate_key(*std::move(rotate))) == Code::not_found);
  CHECK(code_of(w.servers->knocks(w.agent())) == kFine);
  CHECK(w.logged("server.revoke_key", "blocked") == 1);
}

}  // namespace
}  // namespace caip::servers
