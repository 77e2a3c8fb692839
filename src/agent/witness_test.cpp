#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "agent/helper.h"
#include "agent/witness.h"
#include "crypto/merkle.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-witness-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

// A log that keeps everything, signed with the fixture's keys.
struct Tree {
  merkle::Frontier edge;
  std::map<std::pair<unsigned, std::uint64_t>, Digest> nodes;
  void add(const std::string& entry) {
    const Digest leaf = merkle::leaf_hash(view(entry));
    nodes[{0, edge.size()}] = leaf;
    for (const auto& m : edge.append(leaf)) nodes[{m.id.level, m.id.index}] = m.hash;
  }
  void grow(std::uint64_t to, const std::string& word) {
    while (edge.size() < to) add(word + std::to_string(edge.size()));
  }
  std::vector<Digest> consistency(std::uint64_t from) const {
    return *merkle::consistency_proof(from, edge.size(), [this](merkle::NodeId id) -> Result<Digest> { return nodes.at({id.level, id.index}); });
  }
  crypto::Checkpoint head() const { return {.size = edge.size(), .root = edge.root()}; }
};

struct Rig {
  Folder folder;
  channel::OrderFixture f;
  Tree log;
  crypto::SigningKey key = crypto::SigningKey::generate();
  Witness witness = open();
  Witness open() { return *Witness::open(folder.path, f.trust(), *crypto::SigningKey::from_seed(key.seed()), f.clock); }
  Result<void> show() { return show(log, witness.size()); }
  Result<void> show(const Tree& t, std::uint64_t old) {
    return witness.see(f.sign(t.head()), old, old <= t.edge.size() ? t.consistency(old) : std::vector<Digest>{});
  }
};

Code code(const Result<void>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error().code;
}

TEST_CASE("a witness follows a log that grows, remembers it over a restart, and cosigns it") {
  Rig r;
  CHECK(r.witness.size() == 0);
  for (std::uint64_t size : {1u, 2u, 7u, 7u, 64u, 100u}) {
    r.log.grow(size, "e");
    REQUIRE(r.show().has_value());
    CHECK(r.witness.size() == size);
    CHECK(r.open().size() == size);
  }
  const auto line = crypto::parse_signature_line(r.witness.cosign().value()).value();
  const crypto::Cosigner me{std::string(channel::kWitnessPrefix) + channel::test_server().str(), crypto::CosignatureType::ed25519, r.key.public_key()};
  CHECK(crypto::cosigned_at({crypto::checkpoint_text(r.log.head()), {line}}, me) == 1'790'000'000u);
}

TEST_CASE("a fork is refused, after a restart too, and both signed notes are kept as evidence") {
  Rig r;
  r.log.grow(10, "e");
  REQUIRE(r.show().has_value());
  Tree fork;
  fork.grow(9, "e");
  fork.grow(20, "x");
  CHECK(code(r.show(fork, 10)) == Code::digest_mismatch);
  Tree same_size;
  same_size.grow(9, "e");
  same_size.grow(10, "x");
  CHECK(code(r.show(same_size, 10)) == Code::digest_mismatch);
  r.witness = r.open();
  CHECK(code(r.show(fork, 10)) == Code::digest_mismatch);
  CHECK(r.witness.size() == 10);
  std::ifstream evidence(r.folder.path + "/contradiction");
  const std::string both{std::istreambuf_iterator<char>(evidence), {}};
  CHECK(both.find("\n10\n") != both.npos);
  CHECK(both.find("\n20\n") != both.npos);
  r.log.grow(30, "e");  // the true log is still followed
  CHECK(r.show().has_value());
}

TEST_CASE("a log that was cut or rolled back is refused") {
  Rig r;
  Tree old;
  old.grow(6, "e");
  r.log.grow(10, "e");
  REQUIRE(r.show().has_value());
  CHECK(code(r.show(old, 6)) == Code::digest_mismatch);
  old.grow(10, "after the restore ");
  old.grow(15, "after the restore ");
  CHECK(code(r.show(old, 10)) == Code::digest_mismatch);
}

TEST_CASE("a proof from another size is no proof, and no accusation either") {
  Rig r;
  r.log.grow(5, "e");
  REQUIRE(r.show().has_value());
  r.log.grow(8, "e");
  CHECK(code(r.show(r.log, 3)) == Code::precondition_failed);
  CHECK(code(r.show(r.log, 0)) == Code::precondition_failed);
  CHECK_FALSE(fs::exists(r.folder.path + "/contradiction"));
  CHECK(r.show(r.log, 5).has_value());
}

TEST_CASE("both keys of the log must have signed") {
  Rig r;
  r.log.grow(3, "e");
  auto note = crypto::parse_note(r.f.sign(r.log.head())).value();
  REQUIRE(note.signatures.size() == 2);
  for (std::size_t missing : {0u, 1u}) {
    auto half = note;
    half.signatures.erase(half.signatures.begin() + static_cast<std::ptrdiff_t>(missing));
    CHECK(code(r.witness.see(crypto::format_note(half), 0, {})) == Code::forbidden);
  }
  channel::OrderFixture stranger;
  CHECK(code(r.witness.see(stranger.sign(r.log.head()), 0, {})) == Code::forbidden);
  CHECK(r.witness.size() == 0);
}

TEST_CASE("what is remembered and cannot be written is not believed") {
  Rig r;
  r.log.grow(3, "e");
  REQUIRE(r.show().has_value());
  const auto before = r.witness.size();
  fs::create_directory(r.folder.path + "/witness.new");  // the write beside it fails
  r.log.grow(4, "e");
  CHECK_FALSE(r.show().has_value());
  CHECK(r.witness.size() == before);
}

TEST_CASE("a damaged memory does not open: no orders rather than orders without a memory") {
  Rig r;
  std::ofstream(r.folder.path + "/witness") << "not a checkpoint";
  CHECK_FALSE(Witness::open(r.folder.path, r.f.trust(), std::nullopt, r.f.clock).has_value());
}

struct Units final : UnitManager {
  int runs = 0;
  Result<void> list(wire::UnitList&) override { return {}; }
  Result<void> status(const UnitName&, wire::Unit&) override { return {}; }
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName& n) override { return std::vector<std::string>{n.str()}; }
  Result<void> run(UnitVerb, const UnitName&) override { ++runs; return {}; }
  Result<void> reboot() override { return {}; }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override { return std::vector<std::string>{}; }
};

TEST_CASE("the helper runs no order whose log was forked, shortened or is older than what it saw") {
  Rig r;
  Units units;
  r.log.grow(10, "e");
  REQUIRE(r.show().has_value());
  Helper helper(*Keys::open(r.folder.path, r.f.trust()), std::move(r.witness), *OrderBook::open(r.folder.path + "/book", r.f.clock.now()), units, EnvFiles(r.folder.path), r.f.clock);
  wire::Order order;
  channel::to_wire(r.f.make(), order);  // a well-proven order, in a log of two entries
  const auto refused = helper.handle(order);
  CHECK_FALSE(refused.succeeded());
  CHECK(refused.contradicts());
  CHECK(refused.witnessed() == 10);
  CHECK(units.runs == 0);
  wire::CheckpointOffer offer;
  channel::to_wire(channel::Offer{r.f.sign(r.log.head()), 10, {}}, offer);
  CHECK_FALSE(helper.look(offer).line().empty());
}

}  // namespace
}  // namespace caip::agent
