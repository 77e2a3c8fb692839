// What this server proves itself with, over crashes between any two steps.
#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>

#include "agent/helper.h"
#include "agent/identity.h"
#include "crypto/certificates.h"
#include "failing_calls.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;
const Instant kNow(1'790'000'000'000'000);
const Duration kDay = std::chrono::hours(24);

struct Rig {
  std::string path = [] {
    std::string name = (fs::temp_directory_path() / "caip-identity-XXXXXX").string();
    return std::string(::mkdtemp(name.data()));
  }();
  Rig() { REQUIRE(enrol()); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;
  ~Rig() { fs::remove_all(path); }

  crypto::KeyAndCertificate platform = *crypto::make_authority("test", kNow, 3650);
  crypto::KeyAndCertificate ca = *crypto::make_authority("test", kNow, 3650, crypto::Signature::mldsa65);
  channel::OrderFixture f;
  const std::string uri = "caip:server:" + channel::test_server().str();
  std::string enrolment;

  std::string issue(const std::string& csr, const crypto::KeyAndCertificate& by, const std::string& name) { return crypto::issue_client_certificate(by, csr, name, kNow, kDay).value(); }
  std::string issue(const std::string& csr) { return issue(csr, ca, uri); }
  Result<void> enrol() {
    auto request = crypto::make_request("web-1");
    Enrolled e{.server = *Endpoint::parse("localhost:1"), .trust = f.trust(), .ca_pem = platform.certificate_pem, .agent_ca_pem = ca.certificate_pem, .certificate_pem = issue(request->csr_pem)};
    enrolment = crypto::certificate_fingerprint(e.certificate_pem).value();
    return store(path, e, request->key_pem, SecretBytes(crypto::random_bytes(32)));
  }
  Identity open() { return Identity::open(path, path).value(); }
  // What the network half would be let in with, were everything killed now.
  Digest key_on_disk() { return crypto::public_half(load_agent(path, path)->key_pem).value(); }
  Digest certified_on_disk() { return crypto::read_agent_certificate(load_agent(path, path)->certificate_pem)->key; }
};

TEST_CASE("a new key does nothing to the old one until its certificate is there, and both are of one piece at any moment") {
  Rig r;
  const Digest first = r.key_on_disk();
  auto identity = r.open();
  const auto request = identity.request(true).value();
  CHECK(request.held == first);
  CHECK(request.next != first);
  CHECK(crypto::read_request(request.csr_pem)->key == request.next);
  CHECK(crypto::read_request(request.csr_pem)->post_quantum);
  CHECK(r.key_on_disk() == first);
  auto again = r.open();  // killed here: the control plane may have registered it
  CHECK(again.request(true)->next == request.next);
  CHECK(again.request(false)->next == first);
  REQUIRE(again.take({r.issue(request.csr_pem)}));
  CHECK(r.key_on_disk() == request.next);
  CHECK(r.certified_on_disk() == request.next);
  auto later = r.open();
  CHECK(later.request(false)->next == request.next);
  CHECK(later.request(true)->next != request.next);  // another rotation, another key
}

TEST_CASE("a renewed certificate keeps the key, and a key that waits for its own") {
  Rig r;
  auto identity = r.open();
  const auto waits = identity.request(true)->next;
  const auto request = identity.request(false).value();
  const std::string renewed = r.issue(request.csr_pem);
  REQUIRE(identity.take({renewed}));
  CHECK(load_agent(r.path, r.path)->certificate_pem == renewed);
  CHECK(r.key_on_disk() == request.held);
  CHECK(r.open().request(true)->next == waits);
}

TEST_CASE("a certificate of another authority, for another server or another key is not taken") {
  Rig r;
  auto identity = r.open();
  const auto request = identity.request(false).value();
  const auto other = *crypto::make_authority("test", kNow, 3650);  // by the same name
  CHECK(identity.take({r.issue(request.csr_pem, other, r.uri)}).error().code == Code::forbidden);
  CHECK(identity.take({r.issue(request.csr_pem, r.ca, "caip:server:" + ServerId{IdBytes{9}}.str())}).error().code == Code::forbidden);
  CHECK(identity.take({r.issue(crypto::make_request("x")->csr_pem)}).error().code == Code::forbidden);
  CHECK_FALSE(identity.take({"nonsense"}));
  CHECK_FALSE(fs::exists(r.path + kIdentityFile));
  CHECK(r.key_on_disk() == request.held);
}

TEST_CASE("an authority in another's place is believed over a link from the one before, which is trusted no more") {
  Rig r;
  auto identity = r.open();
  const auto next = *crypto::make_authority("test", kNow, 3650, crypto::Signature::mldsa65);
  const std::string link = crypto::link_authority(r.ca, next.certificate_pem).value();
  const auto csr = [&] { return identity.request(false)->csr_pem; };
  CHECK(identity.take({.certificate = r.issue(csr(), next, r.uri), .authorities = next.certificate_pem}).error().code == Code::forbidden);  // nobody speaks for it
  const auto stranger = *crypto::make_authority("test", kNow, 3650, crypto::Signature::mldsa65);
  const std::string foreign = crypto::link_authority(stranger, next.certificate_pem).value();
  CHECK(identity.take({.certificate = r.issue(csr(), next, r.uri), .authorities = next.certificate_pem + foreign}).error().code == Code::forbidden);
  CHECK(identity.take({.certificate = r.issue(csr()), .authorities = next.certificate_pem + link}).error().code == Code::forbidden);  // of the one before
  CHECK(identity.authority() == r.ca.certificate_pem);
  REQUIRE(identity.take({.certificate = r.issue(csr(), next, r.uri), .authorities = next.certificate_pem + link}));
  CHECK(load_agent(r.path, r.path)->authority_pem == next.certificate_pem);
  auto later = r.open();
  CHECK(later.take({r.issue(csr())}).error().code == Code::forbidden);
  CHECK(later.take({.certificate = r.issue(csr()), .authorities = r.ca.certificate_pem}).error().code == Code::forbidden);  // nor back
  CHECK(later.take({.certificate = r.issue(csr(), next, r.uri), .authorities = next.certificate_pem + link}));  // again, as after a lost answer
}

TEST_CASE("an older certificate for the same key takes no newer one's place") {
  Rig r;
  auto identity = r.open();
  const std::string csr = identity.request(false)->csr_pem;
  const auto issued = [&](Instant from) { return crypto::issue_client_certificate(r.ca, csr, r.uri, from, kDay).value(); };
  const std::string older = issued(kNow), newer = issued(kNow + kDay / 2);
  REQUIRE(identity.take({newer}));
  CHECK(identity.take({older}).error().code == Code::forbidden);
  CHECK(load_agent(r.path, r.path)->certificate_pem == newer);
  CHECK(identity.take({newer}));
}

TEST_CASE("a server that knew one authority for everything follows the link to that of the agents' channel") {
  Rig r;
  fs::remove(r.path + kAuthorityFile);  // an enrolment of before
  auto identity = r.open();
  CHECK(identity.authority() == r.platform.certificate_pem);
  const std::string link = crypto::link_authority(r.platform, r.ca.certificate_pem).value();
  REQUIRE(identity.take({.certificate = r.issue(identity.request(false)->csr_pem), .authorities = r.ca.certificate_pem + link}));
  CHECK(r.open().authority() == r.ca.certificate_pem);
}

TEST_CASE("what an earlier enrolment left counts for nothing") {
  Rig r;
  auto identity = r.open();
  REQUIRE(identity.take({r.issue(identity.request(true)->csr_pem)}));
  const Digest old = r.key_on_disk();
  REQUIRE(r.enrol());  // the file is still there, as after a crash
  CHECK(r.key_on_disk() != old);
  CHECK(r.key_on_disk() == r.certified_on_disk());
  CHECK(r.open().request(true)->next != old);
}

TEST_CASE("whatever fails on the disk at whatever call: one whole pair is there, and the same step works afterwards") {
  Rig r;
  const auto step = [&](std::size_t n, int error, const auto& act) {
    const test::FailingCalls look(n, error);
    static_cast<void>(act());
    return look.reached();
  };
  const auto life = [&](std::size_t n, int error) {
    fs::remove(r.path + kIdentityFile);
    const Digest first = r.key_on_disk();
    auto identity = r.open();
    const bool asked = step(n, error, [&] { return identity.request(true); });
    CHECK(r.key_on_disk() == first);
    const auto request = identity.request(true).value();
    CHECK(r.open().request(true)->next == request.next);  // what is asked for lies on the disk
    const std::string certificate = r.issue(request.csr_pem);
    const bool took = step(n, error, [&] { return identity.take({certificate}); });
    CHECK(r.key_on_disk() == r.certified_on_disk());
    CHECK((r.key_on_disk() == first || r.key_on_disk() == request.next));
    auto again = r.open();
    REQUIRE(again.take({certificate}));
    CHECK(r.key_on_disk() == request.next);
    return asked || took;
  };
  CHECK(test::each_fault(life) >= 4 * 5);
}

// --- the root half ---------------------------------------------------------------------------

struct NoUnits final : UnitManager {
  Result<void> list(wire::UnitList&) override { return {}; }
  Result<void> status(const UnitName&, wire::Unit&) override { return fail(Code::not_found); }
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName& u) override { return std::vector{u.str()}; }
  Result<void> run(UnitVerb, const UnitName&) override { return {}; }
  Result<void> reboot() override { return {}; }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override { return std::vector<std::string>{}; }
};

struct Root : Rig {
  crypto::SigningKey witness = crypto::SigningKey::generate();
  Bytes witness_key = witness.public_key();
  NoUnits units;
  Helper helper{*Keys::open(path, f.trust()), *Witness::open(path, f.trust(), std::move(witness), f.clock), *OrderBook::open(path + "/book", f.clock.now()), units, EnvFiles(path), f.clock};
  wire::KeyAsk ask(bool rotate, Bytes nonce = Bytes(channel::kNonce, 1)) {
    wire::KeyAsk out;
    channel::to_wire(channel::KeyAsk{rotate, std::move(nonce)}, out);
    return out;
  }
  bool speaks_for(const wire::KeyOffer& offer, const Digest& held, const Bytes& nonce) {
    const auto next = crypto::read_request(offer.request())->key;
    const std::string text = channel::voucher_text({.server = channel::test_server(), .enrolment = channel::test_certificate(), .held = held, .next = next, .nonce = nonce});
    return crypto::ed25519_verify(witness_key, view(text), view(offer.voucher()));
  }
};

TEST_CASE("the root half speaks for a new key with its witness key, for that question alone; for the old one it need not") {
  Root r;
  CHECK(r.helper.offer(r.ask(false)).request().empty());  // it was given no identity
  r.helper.prove_with(r.open());
  const Digest held = r.key_on_disk();
  const Bytes nonce(channel::kNonce, 2);
  const auto fresh = r.helper.offer(r.ask(true, nonce));
  CHECK(crypto::read_request(fresh.request())->key != held);
  CHECK(r.speaks_for(fresh, held, nonce));
  CHECK_FALSE(r.speaks_for(fresh, held, Bytes(channel::kNonce, 3)));
  CHECK_FALSE(r.speaks_for(fresh, crypto::read_request(fresh.request())->key, nonce));
  const auto same = r.helper.offer(r.ask(false));
  CHECK(crypto::read_request(same.request())->key == held);
  CHECK(same.voucher().empty());
  CHECK(r.helper.offer(r.ask(true, Bytes(3, 1))).request().empty());  // no number

  wire::KeyIssued issued;
  issued.set_certificate(r.issue(fresh.request()));
  issued.set_reconnect(true);
  const auto credential = r.helper.take(issued);
  CHECK(credential.certificate() == issued.certificate());
  CHECK(credential.reconnect());
  CHECK(crypto::public_half(SecretBytes(std::string_view(credential.key()))).value() == r.key_on_disk());
  issued.set_certificate("nonsense");
  CHECK(r.helper.take(issued).certificate().empty());
}

TEST_CASE("a challenge is signed with the key that is used, for this server and this challenge") {
  Root r;
  wire::ChannelCheck check;
  check.set_nonce(std::string(channel::kNonce, 7));
  CHECK(r.helper.prove(check).signature().empty());  // it was given no identity
  r.helper.prove_with(r.open());
  const auto proof = channel::from_wire(r.helper.prove(check)).value();
  const crypto::KeySignature signature{proof.key, proof.signature};
  const Bytes nonce(channel::kNonce, 7);
  CHECK(crypto::sha256(proof.key) == r.key_on_disk());
  CHECK(crypto::verify_with_key(signature, view(channel::proof_text(channel::test_server(), nonce))));
  CHECK_FALSE(crypto::verify_with_key(signature, view(channel::proof_text(ServerId{IdBytes{9}}, nonce))));
  check.set_nonce("short");
  CHECK(r.helper.prove(check).signature().empty());
}

TEST_CASE("without a witness key there is no new key") {
  Root r;
  Helper silent(*Keys::open(r.path, r.f.trust()), *Witness::open(r.path, r.f.trust(), std::nullopt, r.f.clock), *OrderBook::open(r.path + "/other", r.f.clock.now()), r.units, EnvFiles(r.path), r.f.clock);
  silent.prove_with(r.open());
  CHECK(silent.offer(r.ask(true)).request().empty());
  CHECK_FALSE(silent.offer(r.ask(false)).request().empty());
}

}  // namespace
}  // namespace caip::agent
