#include "crypto/merkle.h"

#include <bit>

#include "crypto/hash.h"

namespace caip::merkle {
namespace {

constexpr std::uint8_t kLeaf = 0;
constexpr std::uint8_t kNode = 1;

unsigned top_bit(std::uint64_t n) { return static_cast<unsigned>(std::bit_width(n)) - 1; }

// The hash over the leaves [begin, begin + count), where begin is a multiple of the largest
// power of two that count needs: a range that RFC 6962's recursion visits. Its subtrees are the
// set bits of count, largest first, folded from the right.
Result<Digest> range_hash(std::uint64_t begin, std::uint64_t count, const NodeReader& read) {
  std::vector<Digest> peaks;
  while (count != 0) {
    const unsigned level = top_bit(count);
    CAIP_TRY(hash, read({level, begin >> level}));
    peaks.push_back(hash);
    begin += std::uint64_t{1} << level;
    count -= std::uint64_t{1} << level;
  }
  CAIP_ASSERT(!peaks.empty());
  Digest out = peaks.back();
  for (std::size_t i = peaks.size() - 1; i-- > 0;) out = node_hash(peaks[i], out);
  return out;
}

}  // namespace

Digest leaf_hash(BytesView entry) { return crypto::sha256({BytesView(&kLeaf, 1), entry}); }
Digest node_hash(const Digest& l, const Digest& r) { return crypto::sha256({BytesView(&kNode, 1), l, r}); }
Digest empty_root() { return crypto::sha256(BytesView{}); }

Result<Frontier> Frontier::load(std::uint64_t size, const NodeReader& read) {
  Frontier f;
  f.size_ = size;
  std::uint64_t begin = 0;
  for (std::uint64_t rest = size; rest != 0;) {
    const unsigned level = top_bit(rest);
    CAIP_TRY(hash, read({level, begin >> level}));
    f.peaks_.push_back(hash);
    begin += std::uint64_t{1} << level;
    rest -= std::uint64_t{1} << level;
  }
  return f;
}

std::vector<Frontier::Made> Frontier::append(const Digest& leaf) {
  std::vector<Made> made;
  Digest hash = leaf;
  std::uint64_t index = size_;
  for (unsigned level = 1; (index & 1) == 1; ++level) {
    hash = node_hash(peaks_.back(), hash);
    peaks_.pop_back();
    index >>= 1;
    made.push_back({{level, index}, hash});
  }
  peaks_.push_back(hash);
  ++size_;
  return made;
}

Digest Frontier::root() const {
  if (peaks_.empty()) return empty_root();
  Digest out = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) out = node_hash(peaks_[i], out);
  return out;
}

Result<Digest> root(std::uint64_t size, const NodeReader& read) {
  if (size == 0) return empty_root();
  return range_hash(0, size, read);
}

Result<std::vector<Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size, const NodeReader& read) {
  if (index >= size) return fail(Code::invalid, "the entry is not below that size");
  // PATH(m, D[n]): walk down from the root, keep the sibling of each step, turn round.
  std::vector<Digest> down;
  for (std::uint64_t begin = 0, count = size; count > 1;) {
    const std::uint64_t k = std::bit_floor(count - 1);
    if (index < begin + k) {
      CAIP_TRY(right, range_hash(begin + k, count - k, read));
      down.push_back(right);
      count = k;
    } else {
      CAIP_TRY(left, range_hash(begin, k, read));
      down.push_back(left);
      begin += k;
      count -= k;
    }
  }
  return std::vector<Digest>(down.rbegin(), down.rend());
}

Result<std::vector<Digest>> consistency_proof(std::uint64_t from, std::uint64_t to, const NodeReader& read) {
  if (from > to) return fail(Code::invalid, "the older size is the larger one");
  std::vector<Digest> down;
  if (from == 0 || from == to) return down;
  // SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2.
  std::uint64_t begin = 0, count = to, m = from;
  bool whole = true;  // b: D[begin, begin+m) is a subtree the verifier knows as the old root
  while (m != count) {
    const std::uint64_t k = std::bit_floor(count - 1);
    if (m <= k) {
      CAIP_TRY(right, range_hash(begin + k, count - k, read));
      down.push_back(right);
      count = k;
    } else {
      CAIP_TRY(left, range_hash(begin, k, read));
      down.push_back(left);
      begin += k;
      count -= k;
      m -= k;
      whole = false;
    }
  }
  if (!whole) {
    CAIP_TRY(rest, range_hash(begin, count, read));
    down.push_back(rest);
  }
  return std::vector<Digest>(down.rbegin(), down.rend());
}

bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> proof,
                      const Digest& root) {  // RFC 9162 section 2.1.3.2
  if (index >= size) return false;
  std::uint64_t fn = index, sn = size - 1;
  Digest r = leaf;
  for (const Digest& p : proof) {
    if (sn == 0) return false;
    if ((fn & 1) == 1 || fn == sn) {
      r = node_hash(p, r);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = node_hash(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && r == root;
}

bool verify_consistency(std::uint64_t from, std::uint64_t to, const Digest& old_root, const Digest& new_root,
                        std::span<const Digest> proof) {  // RFC 9162 section 2.1.4.2
  if (from > to) return false;
  if (from == to) return proof.empty() && old_root == new_root;
  if (from == 0) return proof.empty() && old_root == empty_root();
  std::size_t next = 0;
  const bool known = std::has_single_bit(from);
  if (!known && proof.empty()) return false;
  Digest fr = known ? old_root : proof[next++];
  Digest sr = fr;
  std::uint64_t fn = from - 1, sn = to - 1;
  while ((fn & 1) == 1) {
    fn >>= 1;
    sn >>= 1;
  }
  for (; next < proof.size(); ++next) {
    const Digest& c = proof[next];
    if (sn == 0) return false;
    if ((fn & 1) == 1 || fn == sn) {
      fr = node_hash(c, fr);
      sr = node_hash(c, sr);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = node_hash(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && fr == old_root && sr == new_root;
}

}  // namespace caip::merkle
