// crypto/merkle.h: the Merkle tree of RFC 6962 / RFC 9162. Pure functions over hashes; where
// the hashes are kept is the caller's affair. A node (level, index) covers the leaves
// [index << level, (index + 1) << level) and exists only when all of them do.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::merkle {

struct NodeId {
  unsigned level = 0;
  std::uint64_t index = 0;
  bool operator==(const NodeId&) const = default;
};
using NodeReader = std::function<Result<Digest>(NodeId)>;

Digest leaf_hash(BytesView entry);
Digest node_hash(const Digest& left, const Digest& right);
Digest empty_root();

// The right edge of a growing tree: what append needs and nothing more.
class Frontier {
 public:
  struct Made {
    NodeId id;
    Digest hash;
  };
  static Result<Frontier> load(std::uint64_t size, const NodeReader&);
  std::uint64_t size() const { return size_; }
  // Appends a leaf; returns the nodes (level >= 1) that became complete, lowest first.
  std::vector<Made> append(const Digest& leaf);
  Digest root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> peaks_;  // one per set bit of size_, largest subtree first
};

Result<Digest> root(std::uint64_t size, const NodeReader&);
Result<std::vector<Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size, const NodeReader&);
Result<std::vector<Digest>> consistency_proof(std::uint64_t from, std::uint64_t to, const NodeReader&);

bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> proof,
                      const Digest& root);
bool verify_consistency(std::uint64_t from, std::uint64_t to, const Digest& old_root, const Digest& new_root,
                        std::span<const Digest> proof);

}  // namespace caip::merkle
