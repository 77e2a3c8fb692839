#include <catch2/catch_test_macros.hpp>
#include <map>

#include "crypto/hash.h"
#include "crypto/merkle.h"

namespace caip::merkle {
namespace {

struct Tree {  // keeps what a log keeps
  Frontier edge;
  std::map<std::pair<unsigned, std::uint64_t>, Digest> nodes;
  std::vector<Digest> leaves;
  void add(BytesView entry) {
    const Digest leaf = leaf_hash(entry);
    nodes[{0, edge.size()}] = leaf;
    leaves.push_back(leaf);
    for (const auto& m : edge.append(leaf)) nodes[{m.id.level, m.id.index}] = m.hash;
  }
  NodeReader reader() const {
    return [this](NodeId id) -> Result<Digest> {
      const auto at = nodes.find({id.level, id.index});
      if (at == nodes.end()) return fail(Code::not_found);
      return at->second;
    };
  }
};

// The reference tree of the Certificate Transparency project (RFC 6962).
const char* const kEntries[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const char* const kRoots[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::vector<std::string> texts(const Result<std::vector<Digest>>& proof) {
  REQUIRE(proof.has_value());
  std::vector<std::string> out;
  for (const auto& d : *proof) out.push_back(hex(d));
  return out;
}

TEST_CASE("SHA-256 of FIPS 180-4") {
  CHECK(hex(crypto::sha256(view("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(crypto::sha256({view("a"), view(""), view("bc")}) == crypto::sha256(view("abc")));
  CHECK(hex(empty_root()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("the reference tree of RFC 6962 has the known roots and proofs") {
  Tree t;
  for (std::size_t i = 0; i < 8; ++i) {
    t.add(*from_hex(kEntries[i]));
    CHECK(hex(t.edge.root()) == kRoots[i]);
    CHECK(hex(*root(i + 1, t.reader())) == kRoots[i]);
  }
  using V = std::vector<std::string>;
  CHECK(texts(consistency_proof(1, 8, t.reader())) ==
        V{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"});
  CHECK(texts(consistency_proof(6, 8, t.reader())) ==
        V{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"});
  CHECK(texts(consistency_proof(2, 5, t.reader())) ==
        V{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"});
  CHECK(texts(inclusion_proof(0, 8, t.reader())) ==
        V{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"});
}

TEST_CASE("every proof of every size up to 70 holds, and no altered one") {
  Tree t;
  std::vector<Digest> roots{empty_root()};
  for (std::uint64_t n = 1; n <= 70; ++n) {
    const std::string entry = "entry " + std::to_string(n);
    t.add(view(entry));
    roots.push_back(t.edge.root());
    CHECK(Frontier::load(n, t.reader())->root() == t.edge.root());
    for (std::uint64_t i = 0; i < n; ++i) {
      auto proof = *inclusion_proof(i, n, t.reader());
      REQUIRE(verify_inclusion(t.leaves[i], i, n, proof, roots[n]));
      REQUIRE_FALSE(verify_inclusion(leaf_hash(view("x")), i, n, proof, roots[n]));
      REQUIRE_FALSE(verify_inclusion(t.leaves[i], i + 1, n, proof, roots[n]));
      proof.push_back(roots[1]);
      REQUIRE_FALSE(verify_inclusion(t.leaves[i], i, n, proof, roots[n]));
    }
    for (std::uint64_t m = 0; m <= n; ++m) {
      auto proof = *consistency_proof(m, n, t.reader());
      REQUIRE(verify_consistency(m, n, roots[m], roots[n], proof));
      if (m > 0) REQUIRE_FALSE(verify_consistency(m, n, roots[m - 1], roots[n], proof));
      if (m < n && m > 0) REQUIRE_FALSE(verify_consistency(m, n, roots[m], roots[n - 1], proof));
      if (proof.empty()) continue;
      proof.back()[0] ^= 1;
      REQUIRE_FALSE(verify_consistency(m, n, roots[m], roots[n], proof));
    }
  }
  CHECK(!inclusion_proof(70, 70, t.reader()).has_value());
  CHECK(!consistency_proof(71, 70, t.reader()).has_value());
  CHECK(!verify_inclusion(t.leaves[0], 0, 0, {}, roots[0]));
}

}  // namespace
}  // namespace caip::merkle
