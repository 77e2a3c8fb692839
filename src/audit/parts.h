// audit/parts.h (private): what Ledger and Query share.
#pragma once
#include <deque>
#include <list>
#include <map>
#include <mutex>

#include "audit/ledger.h"
#include "audit/query.h"
#include "base/guarded.h"
#include "crypto/cosignature.h"
#include "crypto/merkle.h"
#include "storage/database.h"

namespace caip::audit {

struct Watchers {
  std::mutex mutex;  // held while they are called, so that a dropped subscription is really over
  std::uint64_t told = 0;
  std::list<std::function<void(const Growth&)>> all;
  std::deque<std::pair<std::uint64_t, std::optional<OrgId>>> fresh;  // entries that nobody was told of yet, with whose they are
};

struct Ledger::Parts {
  Parts(storage::Database& d, const Clock& c) : database(d), clock(c), unknown(Refusals{TokenBucket(kUnknown, c.now())}) {}
  storage::Database& database;
  const Clock& clock;
  Guarded<std::vector<LogKey>> keys;  // that can sign; which one does is what the log says

  Result<Bytes> sign(BytesView public_key, BytesView message);
  bool signs(BytesView public_key);

  // The log's right edge as of the open group: touched by the holder of the writer lane only.
  // Stale when a transaction was undone since it was read.
  struct Edge {
    merkle::Frontier tree;
    Instant last;                               // time of the newest entry
    Bytes key;                                  // what the next checkpoint is signed with
    std::optional<Bytes> key_before;            // and with this one too, while it exists
    std::map<std::string, std::uint64_t> next;  // `seq` of an organisation's next entry
  };
  std::optional<Edge> edge_;
  std::uint64_t undone = 0;

  struct Refusals {
    TokenBucket bucket;
    std::int64_t unwritten = 0;
  };
  Guarded<Refusals> unknown;  // of people who are not signed in
  Guarded<std::map<std::string, Refusals>> refusals_of;  // of each who is; full ones are let go
  People people;

  std::shared_ptr<Watchers> watchers = std::make_shared<Watchers>();

  Result<std::int64_t> admit_unknown();
  Result<std::int64_t> admit(const Principal&);
  Result<Edge*> edge(storage::Reader&, const storage::LogWriter&);
  Result<std::uint64_t> next_of(storage::Reader&, Edge&, const std::string& org) const;
  Result<void> load_keys(storage::Reader&, Edge&);
  // The log as its own cosigner; nothing when it has no second key.
  static Result<std::optional<crypto::Cosigner>> own(storage::Reader&);
  // The second signature on this note; made once for a size.
  Result<crypto::NoteSignature> second_signature(const crypto::Cosigner&, const std::string& text);
  // The note with the second signature, when there is a key for it and it is not there yet.
  Result<std::string> with_second(storage::Reader&, const std::string& note);
  Result<void> record(storage::Reader&, storage::LogWriter, BytesView first, const std::optional<LogKey>& second) const;
  struct Second {
    std::string text;
    Bytes key;
    crypto::NoteSignature signature;
  };
  Guarded<std::optional<Second>> newest_second;
  std::atomic<std::uint64_t> anchored = 0;
  Result<void> seal(storage::Reader&, storage::LogWriter&);
  void tell(std::uint64_t size);
  void wrote(std::uint64_t index, const std::optional<OrgId>& org);  // in its transaction, which may be undone
};

}  // namespace caip::audit
