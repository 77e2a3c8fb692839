// verifier/chain.h (private): which key signs checkpoints of which size, when keys hand over to
// others (crypto/succession.h, read here a second time).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "note.h"

namespace caip::verifier {

struct Handover {
  std::string kind;  // checkpoint, cosign, order
  std::uint64_t generation = 0, size = 0;
  Bytes old_key, new_key;
};
// Nothing when it is not exactly what the keys of a log write, signed by both.
std::optional<Handover> read_handover(std::string_view statement);

// The statement in an entry's detail; empty when there is none.
std::string_view handover_in(std::string_view action, std::string_view detail);

class Chain {
 public:
  explicit Chain(Key first) { keys_.push_back({0, std::move(first)}); }
  // False: it is not the newest key that hands over, or not to the next generation, or too early.
  bool follow(const Handover&);
  const Key& at(std::uint64_t size) const;  // whose checkpoints of that size are
  const Key& newest() const { return keys_.back().key; }
  bool has(std::string_view public_key) const;
  bool signs(const Checkpoint&) const;  // one of its keys did
  bool wrong(const Checkpoint&) const;  // one of its keys' signatures is there and does not hold

 private:
  struct Reign {
    std::uint64_t from;
    Key key;
  };
  std::vector<Reign> keys_;
};

}  // namespace caip::verifier
