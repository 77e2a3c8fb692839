// agent/order_book.h: which orders were begun and how they ended, one file each. Begun is on the
// disk (file and folder) before the order runs: after a crash it is known to have begun and is not
// run again. Ids and nonces are kept for a day after the order expired; results stay on the disk,
// are read when asked for, and are let go when the order has expired or they come to more than
// kMaxResultBytes together. Not thread-safe.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "channel/order.h"

namespace caip::wire { class OrderResult; }

namespace caip::agent {

class OrderBook {
 public:
  static constexpr std::uint64_t kMaxResultBytes = 16 * 1024 * 1024;

  static Result<OrderBook> open(std::string dir, Instant now);
  // The stored answer for exactly these order bytes; one without an end, or whose end is not kept
  // any more, says so.
  std::optional<wire::OrderResult> find(const Digest& order_bytes) const;
  Result<void> begin(const channel::Order&, const Digest& order_bytes);  // key_reused: seen before
  Result<void> end(const Digest& order_bytes, const wire::OrderResult&);
  void prune(Instant now);

 private:
  struct Record {
    IdBytes order{}, nonce{};
    std::int64_t expires = 0;  // seconds; with the digest it is the file's name
    std::uint64_t size = 0;    // of the file: 0 while it runs, 1 when the result was let go
  };
  std::string file_of(const Digest&, const Record&) const;
  void let_go(const Digest&, Record&);
  void fit();

  std::string dir_;
  std::map<Digest, Record> records_;
  std::set<IdBytes> used_;  // ids and nonces
  std::uint64_t kept_ = 0;  // bytes of results
  Instant pruned_;
};

}  // namespace caip::agent
