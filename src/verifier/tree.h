// verifier/tree.h (private): the tree of RFC 6962 from the verifier's side.
#pragma once
#include <bit>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "crypto/hash.h"

namespace caip::verifier {

inline Digest leaf_of(BytesView entry) {
  static constexpr std::uint8_t kZero = 0;
  return crypto::sha256({BytesView(&kZero, 1), entry});
}
inline Digest parent_of(const Digest& left, const Digest& right) {
  static constexpr std::uint8_t kOne = 1;
  return crypto::sha256({BytesView(&kOne, 1), left, right});
}

// The log keeps a row for each complete node from here up, and none that counts below it: those are made of
// their leaves. A log of an earlier version has rows there, which nothing reads.
inline constexpr unsigned kLowestKept = 4;

// Subtrees put side by side from the left. made() is told of each node that gets complete.
class Stack {
 public:
  using Made = std::function<void(unsigned level, std::uint64_t index, const Digest&)>;
  // A complete subtree over 2^level leaves. False: it cannot stand here.
  bool push(unsigned level, Digest hash, const Made& made = {}) {
    if (level > 62 || (size_ & ((std::uint64_t{1} << level) - 1)) != 0) return false;
    size_ += std::uint64_t{1} << level;
    while (!parts_.empty() && parts_.back().level == level) {
      hash = parent_of(parts_.back().hash, hash);
      parts_.pop_back();
      ++level;
      if (made) made(level, (size_ >> level) - 1, hash);
    }
    parts_.push_back({level, hash});
    return true;
  }
  std::uint64_t size() const { return size_; }
  Digest root() const {
    if (parts_.empty()) return crypto::sha256(BytesView{});
    Digest out = parts_.back().hash;
    for (std::size_t i = parts_.size() - 1; i-- > 0;) out = parent_of(parts_[i].hash, out);
    return out;
  }

 private:
  struct Part {
    unsigned level;
    Digest hash;
  };
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
};

}  // namespace caip::verifier
