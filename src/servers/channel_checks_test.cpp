// Checks of a channel from end to end.
#include "crypto/hash.h"
#include "test_keys.h"

namespace caip::servers {
namespace {

struct World : KeyWorld {
  Result<void> check(const test::Person& who, const ServerId& id) {
    auto permit = authorize(who.session(), CheckChannel{id});
    if (!permit) return fail(permit.error().code);
    return servers->check_channel(*std::move(permit));
  }
  Result<void> check() { return check(owner, *server); }
  channel::KeyProof answer(const Bytes& nonce) const { return answer(nonce, key); }
  channel::KeyProof answer(const Bytes& nonce, const SecretBytes& by) const {
    auto made = crypto::sign_with_key(by, caip::view(channel::proof_text(*server, nonce))).value();
    return {nonce, made.public_key, made.signature};
  }
  json::object said() const {
    const auto s = servers->find(*server).value();
    return view(s.key, s.online, s.group).at("check").as_object();
  }
  std::string state() const { return std::string(said().at("state").as_string()); }
};

TEST_CASE("a check passes when the agent comes anew and signs the challenge with its key; the facts are kept") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  CHECK(w.state() == "never");
  REQUIRE(w.check());
  CHECK(w.state() == "running");
  REQUIRE(w.challenged.size() == 1);
  REQUIRE(w.comes());
  w.clock.advance(std::chrono::milliseconds(40));
  w.servers->proved(w.agent(), w.answer(w.challenged[0].second));
  CHECK(w.state() == "passed");
  CHECK(w.said().at("signature") == "mldsa65");
  CHECK(w.said().at("group") == "X25519MLKEM768");
  CHECK(w.said().at("milliseconds") == 40);
  CHECK(w.logged("server.check_channel", "completed") == 1);
  w.servers->proved(w.agent(), w.answer(w.challenged[0].second));  // nobody asked any more
  CHECK(w.logged("server.check_channel", "completed") == 1);
  w.restart();
  CHECK(w.state() == "passed");
}

TEST_CASE("an answer over the old connection, to another challenge, by another key or none fails the check") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  REQUIRE(w.check());
  const Bytes nonce = w.challenged[0].second;
  const auto other = crypto::make_request("x");
  channel::KeyProof proof = w.answer(nonce);
  bool late = false;
  SECTION("the old connection") {}
  SECTION("another challenge") {
    REQUIRE(w.comes());
    proof = w.answer(Bytes(channel::kNonce, 1));
  }
  SECTION("another key") {
    REQUIRE(w.comes());
    proof = w.answer(nonce, other->key_pem);
  }
  SECTION("another key that says it is this one") {
    REQUIRE(w.comes());
    proof.signature = w.answer(nonce, other->key_pem).signature;
  }
  SECTION("none in time") {
    late = true;
    w.clock.advance(kCheckTime + std::chrono::seconds(1));
    w.servers->tick_keys();
  }
  if (!late) w.servers->proved(w.agent(), proof);
  CHECK(w.state() == "failed");
  CHECK_FALSE(w.said().at("why").as_string().empty());
  CHECK(w.logged("server.check_channel", "failed") == 1);
  CHECK(w.logged("server.check_channel", "completed") == 0);
}

TEST_CASE("one check at a time for each organisation, which keeps no other from its own") {
  World w;
  w.enrol_agent();
  REQUIRE(w.comes());
  REQUIRE(w.check());
  CHECK(code_of(w.check()) == Code::too_many);
  const test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(code_of(w.check(stranger, *w.server)) == Code::not_found);
  CHECK(w.challenged.size() == 1);
  // Another organisation's server.
  auto permit = w.authorize(stranger.session(), CreateEnrolment{crypto::random_id<EnrolmentId>(), ServerName::parse("theirs").value()});
  const auto token = w.servers->create_enrolment(std::move(*permit)).value().token;
  const auto csr = crypto::make_request("theirs").value();
  const auto theirs = w.servers->enrol(token, csr.csr_pem, Foreign("theirs"), Origin{"192.0.2.9", Foreign("curl"), "req_test"}, {}, true).value();
  const auto agent = channel::Handshake::mint(theirs.server, theirs.certificate_pem, w.servers->key_time());
  REQUIRE(w.servers->met(agent, true, true));
  REQUIRE(w.servers->online(agent, kFacts));
  CHECK(code_of(w.check(stranger, theirs.server)) == kFine);
  w.clock.advance(kCheckTime + std::chrono::seconds(1));
  w.servers->tick_keys();
  CHECK(code_of(w.check()) == kFine);
}

TEST_CASE("what is not connected, or cannot be asked, is not checked") {
  World w;
  w.enrol_agent();
  CHECK(code_of(w.check()) == Code::server_offline);
  REQUIRE(w.comes(w.agent(), false));
  CHECK(code_of(w.check()) == Code::conflict);
  CHECK(w.challenged.empty());
  CHECK(w.logged("server.check_channel", "blocked") == 2);
}

}  // namespace
}  // namespace caip::servers
