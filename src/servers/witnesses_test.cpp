#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "audit/access.h"
#include "channel/hub.h"
#include "crypto/cosignature.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "server_world.h"
#include "servers/witnesses.h"

namespace caip::servers {
namespace {

// A control plane with one server whose helper is played by the test.
struct World : test::Domain {
  audit::Access access{*db, *ledger, clock};
  crypto::SigningKey helper_key = crypto::SigningKey::generate();
  Witnesses witnesses{*ledger, *query, access, *servers, authorizer, clock};
  std::vector<channel::Offer> offers;

  World() : Domain(servers::migrations()) {
    witnesses.on_send([this](const ServerId&, const channel::Offer& o) -> Result<void> {
      offers.push_back(o);
      return {};
    });
    orders->on_witnesses(witnesses);
    const auto csr = crypto::make_request("web-1").value();
    const auto e = servers->enrol(offer().token, csr.csr_pem, Foreign("web-1"), Origin{"192.0.2.9", Foreign("curl"), "req_test"}, helper_key.public_key()).value();
    server = e.server;
    holds(e);
    connect();
  }
  void grow() { static_cast<void>(offer("web-" + std::to_string(offers.size() + 2))); }
  // Time passes, and what is due happens.
  void later(Duration d) {
    clock.advance(d);
    witnesses.tick();
  }
  channel::Witnessed cosigned(const channel::Offer& o, const crypto::SigningKey& by) const {
    const crypto::Cosigner me{std::string(channel::kWitnessPrefix) + server->str(), crypto::CosignatureType::ed25519, by.public_key()};
    const auto note = crypto::parse_note(o.checkpoint).value();
    const auto at = static_cast<std::uint64_t>(clock.now().micros() / 1'000'000);
    const auto size = crypto::parse_checkpoint_text(note.text)->size;
    return {.size = size, .offered = size, .line = crypto::signature_line(crypto::cosignature(me, at, by.sign(*crypto::cosigned_message(me, at, note.text)))), .refused = {}};
  }
  Quorum quorum() const { return witnesses.quorum(owner.session()).value(); }
};

std::uint64_t size_of(const channel::Offer& o) { return crypto::parse_checkpoint_text(crypto::parse_note(o.checkpoint)->text)->size; }

TEST_CASE("a server is offered checkpoints from where it is, each once, and its cosignature makes the quorum") {
  World w;
  w.witnesses.known(w.agent(), 0);
  w.later(std::chrono::seconds(1));
  REQUIRE(w.offers.size() == 1);
  CHECK(w.offers[0].old == 0);
  CHECK(w.offers[0].consistency.empty());
  w.later(std::chrono::seconds(1));
  CHECK(w.offers.size() == 1);
  CHECK_FALSE(view(w.quorum()).at("reached").as_bool());
  w.witnesses.witnessed(w.agent(), w.cosigned(w.offers[0], w.helper_key));
  CHECK(w.quorum().have == 1);
  CHECK(w.quorum().witnesses.at(0).size == size_of(w.offers[0]));
  w.grow();
  w.later(std::chrono::seconds(6));
  REQUIRE(w.offers.size() == 2);
  CHECK(w.offers[1].old == size_of(w.offers[0]));
  const auto root = [](const channel::Offer& o) { return crypto::parse_checkpoint_text(crypto::parse_note(o.checkpoint)->text)->root; };
  CHECK(merkle::verify_consistency(w.offers[1].old, size_of(w.offers[1]), root(w.offers[0]), root(w.offers[1]), w.offers[1].consistency));
  w.later(std::chrono::minutes(3));  // too old to count
  CHECK(w.quorum().have == 0);
}

TEST_CASE("a cosignature of another key or another server is not counted") {
  World w;
  w.witnesses.known(w.agent(), 0);
  w.later(std::chrono::seconds(1));
  w.witnesses.witnessed(w.agent(), w.cosigned(w.offers[0], crypto::SigningKey::generate()));
  CHECK(w.quorum().have == 0);
  auto damaged = w.cosigned(w.offers[0], w.helper_key);
  damaged.line[damaged.line.size() - 10] ^= 1;
  w.witnesses.witnessed(w.agent(), damaged);
  CHECK(w.quorum().have == 0);
}

TEST_CASE("stored cosignatures stand on the note that everyone can fetch") {
  World w;
  w.witnesses.known(w.agent(), 0);
  w.later(std::chrono::seconds(1));
  CHECK_FALSE(w.query->witnessed().has_value());
  w.witnesses.witnessed(w.agent(), w.cosigned(w.offers[0], w.helper_key));
  w.later(std::chrono::minutes(2));
  const auto note = crypto::parse_note(w.query->witnessed().value()).value();
  const crypto::Cosigner me{std::string(channel::kWitnessPrefix) + w.server->str(), crypto::CosignatureType::ed25519, w.helper_key.public_key()};
  CHECK(crypto::cosigned_at(note, me).has_value());
}

TEST_CASE("no server is ever sent a checkpoint older than the last one it was sent") {
  World w;
  w.witnesses.known(w.agent(), 0);
  w.later(std::chrono::seconds(1));  // an offer
  w.later(std::chrono::milliseconds(3200));
  w.grow();
  w.later(std::chrono::milliseconds(100));  // anchored, but not due
  REQUIRE(w.restart(w.owner));               // in a checkpoint newer than the anchor
  const std::uint64_t carried = w.sent.back().proof.size;
  w.later(std::chrono::milliseconds(700));   // due, and no anchor newer than the order
  for (std::size_t i = 1; i < w.offers.size(); ++i) CHECK(size_of(w.offers[i]) >= carried);
  w.later(std::chrono::seconds(6));
  REQUIRE(w.offers.size() >= 2);
  CHECK(size_of(w.offers.back()) >= carried);
  CHECK(w.offers.back().old == carried);
}

TEST_CASE("an order's checkpoint is chosen when it is its turn, so that a later one cannot overtake it") {
  World w;
  w.witnesses.known(w.agent(), 0);
  std::vector<std::uint64_t> sizes;
  const auto at_its_turn = [&]() -> Result<std::uint64_t> { return w.query->size().value(); };
  const auto send = [&](std::uint64_t, std::vector<Digest>, const Bytes&) -> Result<void> { return sizes.push_back(w.query->size().value()), Result<void>{}; };
  CHECK(w.witnesses.move_on(*w.server, at_its_turn, send));
  const std::uint64_t old = w.query->size().value();
  w.grow();
  CHECK(w.witnesses.move_on(*w.server, at_its_turn, send));
  CHECK(w.witnesses.move_on(*w.server, [&]() -> Result<std::uint64_t> { return old; }, send).error().code == Code::precondition_failed);
  CHECK(sizes.size() == 2);  // the third was not sent
  // Beyond our own end it is sent: the server shall say that this log was rolled back.
  w.witnesses.corrected(*w.server, 1000);
  CHECK(w.witnesses.move_on(*w.server, at_its_turn, send));
  CHECK(sizes.size() == 3);
}

TEST_CASE("a contradiction is on the record, once, and breaks the quorum") {
  World w;
  w.witnesses.known(w.agent(), 0);
  w.later(std::chrono::seconds(1));
  w.witnesses.witnessed(w.agent(), w.cosigned(w.offers[0], w.helper_key));
  for (int i = 0; i < 3; ++i) w.witnesses.witnessed(w.agent(), {.size = 40, .offered = 2, .line = {}, .refused = Foreign("digest_mismatch")});
  CHECK(w.logged("log.contradict", "failed") == 1);
  CHECK(w.quorum().have == 0);
  CHECK(w.quorum().witnesses.at(0).contradicted.has_value());
}

TEST_CASE("a server whose proofs never fit is offered no more often than others") {
  World w;
  w.witnesses.known(w.agent(), 0);
  for (int i = 0; i < 100; ++i) {
    w.later(std::chrono::milliseconds(100));
    w.witnesses.witnessed(w.agent(), {.size = 0, .offered = 1, .line = {}, .refused = Foreign("precondition_failed")});
  }
  CHECK(w.offers.size() <= 3);  // in ten seconds
}

TEST_CASE("a server that has seen more than there is says that this log was rolled back") {
  World w;
  w.witnesses.known(w.agent(), 1000);
  CHECK(w.logged("log.contradict", "failed") == 1);
}

TEST_CASE("an order continues from what its server has seen, and is sent again when it had seen less") {
  World w;
  w.witnesses.known(w.agent(), 0);
  const auto o = w.restart(w.owner).value();
  REQUIRE(w.sent.size() == 1);
  CHECK(w.sent[0].proof.old == 0);
  // The helper was somewhere else after all.
  w.witnesses.corrected(*w.server, 1);
  w.orders->resend(w.agent(), o.id);
  w.orders->tick();
  REQUIRE(w.sent.size() == 2);
  CHECK(w.sent[1].order == w.sent[0].order);  // the same bytes: it can still run only once
  CHECK(w.sent[1].proof.old == 1);
  CHECK_FALSE(w.sent[1].proof.consistency.empty());
  for (int i = 0; i < 20; ++i) {  // no server makes us sign for ever
    w.orders->resend(w.agent(), o.id);
    w.orders->tick();
  }
  CHECK(w.sent.size() <= 7);
}

// --- keys that hand over ------------------------------------------------------------------------

struct KeyWorld : World {
  std::vector<std::string> announced;  // "keys 1", "offer", "order": in the order in which they left
  std::vector<Bytes> order_keys{keeper->public_key(secrets::SigningUse::order)};
  KeyWorld() {
    witnesses.on_announce([this](const ServerId&, const std::vector<std::string>& all) -> Result<void> {
      announced.push_back("keys " + std::to_string(all.size()));
      return {};
    });
    witnesses.on_send([this](const ServerId&, const channel::Offer&) -> Result<void> {
      announced.push_back("offer");
      return {};
    });
  }
  void rotate() {
    if (order_keys.size() > 1) REQUIRE(keeper->destroy_signing_key(KeyClass::order, static_cast<std::uint32_t>(order_keys.size()) - 1));
    REQUIRE(keeper->new_signing_key(KeyClass::order));
    auto spent = std::move(authorizer.authorize_system(RotateKeyOnSchedule{KeyClass::order}).value()).spend(clock.now());
    auto tx = db->begin_write();
    auto detail = ledger->hand_over(tx, [&](std::uint64_t size) { return keeper->succession(KeyClass::order, size); }).value();
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent), {.detail = std::move(detail)}));
    order_keys.push_back(keeper->public_key(secrets::SigningUse::order));
  }
  channel::HeldKeys held(std::size_t generation) const { return {.checkpoint = {}, .cosign = {}, .order = crypto::sha256(order_keys.at(generation - 1))}; }
  std::int64_t waiting() const { return witnesses.waiting_for(crypto::SuccessionKey::order, order_keys.back()); }
  Result<void> order(Bytes* signed_with = nullptr) {
    return witnesses.move_on(*server, [this] { return query->size(); }, [&](std::uint64_t, std::vector<Digest>, const Bytes& order_key) -> Result<void> {
      announced.push_back("order");
      if (signed_with != nullptr) *signed_with = order_key;
      return {};
    });
  }
};

TEST_CASE("a server that was off during two rotations hears of both keys before the first order, and is counted until it says so") {
  KeyWorld w;
  w.rotate();
  w.rotate();
  CHECK(w.waiting() == 1);
  w.witnesses.known(w.agent(), 0, w.held(1));
  CHECK(w.waiting() == 1);
  Bytes key;
  REQUIRE(w.order(&key));
  CHECK(key == w.order_keys.back());
  CHECK(w.announced == std::vector<std::string>{"keys 2", "order"});
  REQUIRE(w.order());
  CHECK(w.announced.back() == "order");
  CHECK(w.announced.size() == 3);  // told once
  CHECK(w.waiting() == 1);
  w.witnesses.held(w.agent(), {w.held(3), {}});
  CHECK(w.waiting() == 0);
  w.rotate();
  CHECK(w.waiting() == 1);
}

TEST_CASE("a server that is connected is told of a new key within a second, and one that knows it is not") {
  KeyWorld w;
  w.witnesses.known(w.agent(), 0, w.held(1));
  w.later(std::chrono::seconds(1));
  w.announced.clear();
  w.rotate();
  w.later(std::chrono::seconds(1));
  CHECK(std::ranges::count(w.announced, "keys 1") == 1);
  w.later(std::chrono::seconds(1));
  CHECK(std::ranges::count(w.announced, "keys 1") == 1);
  w.witnesses.known(w.agent(), 0, w.held(2));  // it comes again, and says what it knows
  w.later(std::chrono::seconds(1));
  CHECK(std::ranges::count(w.announced, "keys 1") == 1);
  CHECK(w.waiting() == 0);
}

TEST_CASE("nothing is sent under a new key to a server that has not said what it goes by") {
  KeyWorld w;
  w.witnesses.known(w.agent(), 0);
  REQUIRE(w.order());  // no key was handed over yet
  w.rotate();
  CHECK(w.order().error().code == Code::precondition_failed);
  w.witnesses.held(w.agent(), {w.held(1), {}});  // its helper speaks
  REQUIRE(w.order());
  CHECK(w.announced == std::vector<std::string>{"order", "keys 1", "order"});
}

TEST_CASE("a server that refuses a new key raises the alarm once, is not told again, and still counts as waited for") {
  KeyWorld w;
  w.witnesses.known(w.agent(), 0, w.held(1));
  w.rotate();
  w.later(std::chrono::seconds(1));
  w.witnesses.held(w.agent(), {w.held(1), Foreign("forbidden")});
  CHECK(w.logged("log.contradict", "failed") == 1);
  CHECK(w.quorum().witnesses.front().contradicted.has_value());
  const auto told = std::ranges::count(w.announced, "keys 1");
  w.later(std::chrono::seconds(5));
  CHECK(std::ranges::count(w.announced, "keys 1") == told);
  CHECK(w.waiting() == 1);
  CHECK(w.order().error().code == Code::precondition_failed);  // it would come to nothing there
}

TEST_CASE("a server whose disk was full is told again, raises no alarm, and gets its orders under the key it then holds") {
  KeyWorld w;
  w.witnesses.known(w.agent(), 0, w.held(1));
  w.rotate();
  w.later(std::chrono::seconds(1));
  w.witnesses.held(w.agent(), {w.held(1), Foreign("internal")});
  CHECK(w.logged("log.contradict", "failed") == 0);
  w.announced.clear();
  w.later(std::chrono::seconds(1));
  REQUIRE(w.order());
  CHECK(std::ranges::count(w.announced, "keys 1") == 1);
  CHECK(w.announced.back() == "order");
  w.witnesses.held(w.agent(), {w.held(2), {}});
  CHECK(w.waiting() == 0);
}

}  // namespace
}  // namespace caip::servers
