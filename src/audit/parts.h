// audit/parts.h (private): what Ledger and Query share.
#pragma once
#include <list>
#include <mutex>

#include "audit/ledger.h"
#include "base/guarded.h"
#include "crypto/merkle.h"
#include "storage/database.h"

namespace caip::audit {

struct Watchers {
  std::mutex mutex;  // held while they are called, so that a dropped subscription is really over
  std::uint64_t told = 0;
  std::list<std::function<void(std::uint64_t)>> all;
};

struct Ledger::Parts {
  Parts(storage::Database& d, const Clock& c, Signer s, Bytes key)
      : database(d), clock(c), signer(std::move(s)), public_key(std::move(key)) {}
  storage::Database& database;
  const Clock& clock;
  const Signer signer;
  const Bytes public_key;

  // The tree's right edge as of the open group: touched by the holder of the writer lane only.
  // Stale when a transaction was undone since it was read.
  std::optional<merkle::Frontier> frontier;
  std::uint64_t undone = 0;

  std::shared_ptr<Watchers> watchers = std::make_shared<Watchers>();

  Result<merkle::Frontier*> edge(storage::Reader&, const storage::LogWriter&);
  Result<void> seal(storage::Reader&, storage::LogWriter&);
  void tell(std::uint64_t size);
};

}  // namespace caip::audit
