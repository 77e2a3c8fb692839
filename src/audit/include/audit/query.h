// audit/query.h: reading the log. Only durable entries are visible. Thread-safe.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/succession.h"
#include "model/ids.h"

namespace caip { class SecretBytes; }

namespace caip::audit {

class Ledger;

struct Entry {
  std::uint64_t index = 0;
  Digest leaf{};     // RFC 6962 leaf hash of body
  std::string body;  // canonical JSON
};
struct Page {
  std::vector<Entry> entries;  // newest first
  std::optional<std::string> next_cursor;
};
// What concerns one person's account: done to them (params.user), done by them to nobody else, or tried under their address.
struct About {
  std::string user, email;
  std::vector<std::string_view> actions;  // of these alone
};
struct Filter {  // all of them must fit; of one organisation's entries
  std::optional<OrgId> org = {};  // none: of every organisation (the control plane's own use)
  // Entries of no organisation too (a sign-in that failed for an unknown e-mail, the installation's
  // keys): they are shown to the organisation that runs the installation, and to no other.
  bool unowned = false;
  std::optional<Instant> from = {};   // at or after
  std::optional<Instant> until = {};  // before
  std::optional<std::string> actor = {}, approver = {}, source = {}, action = {}, target = {}, result = {};
  std::optional<About> about = {};
  std::optional<std::string> text = {};  // somewhere in the entry, ASCII letters of either case
};
// Whether source and result are words that entries have; else the error lists them.
Result<void> acceptable(const Filter&);

// That an entry is in the log, for someone who holds the log's public key and nothing else.
struct Proof {
  std::string entry_bytes;
  std::uint64_t index = 0;
  std::uint64_t size = 0;
  std::vector<Digest> hashes;
  std::string checkpoint;  // signed note over `size`
};
using Subscription = std::shared_ptr<void>;  // ends when dropped

struct Growth {  // of the log, since the last time
  std::uint64_t size = 0;
  std::set<OrgId> orgs = {};  // whose entries are new
  bool unowned = false;       // some are nobody's
};

class Query final {
 public:
  explicit Query(Ledger&);
  // At most `limit` (1..200) entries, newest first. May be short, even empty, while next_cursor says
  // to go on: a page looks at a bounded number of entries. A cursor is authenticated and belongs to
  // this filter in this process; another is refused (malformed).
  Result<Page> list(const Filter&, std::size_t limit, const std::optional<std::string>& cursor) const;
  Result<Entry> entry(std::uint64_t index) const;
  Result<std::uint64_t> size() const;
  // The newest signed note, with the log's second signature. Witnesses' are on witnessed() ones.
  Result<std::string> checkpoint() const;
  // The newest note that has cosignatures of witnesses, with them; not_found when none has.
  Result<std::string> witnessed() const;
  Result<std::vector<Digest>> inclusion(std::uint64_t index, std::uint64_t size) const;
  Result<std::vector<Digest>> consistency(std::uint64_t from, std::uint64_t to) const;
  Result<Proof> prove(std::uint64_t index) const;  // against the newest checkpoint
  // C2SP tlog-tiles: `width` hashes (1..256) of tile `index` at tile level `level`, and the
  // entries below a level 0 tile, each with its 16-bit big-endian length.
  Result<Bytes> tile(unsigned level, std::uint64_t index, unsigned width) const;
  Result<Bytes> bundle(std::uint64_t index, unsigned width) const;
  // One piece of a proof bundle (bundle.cpp): entries of the filter's organisation from `from` on, in a
  // log of `size`, and what stands for the others. At most 10,000 entries; where to go on.
  Result<std::pair<std::string, std::uint64_t>> bundle_piece(const Filter&, std::uint64_t from, std::uint64_t size) const;
  // Its first line. `size`: of a stored checkpoint; `closing`: the log.export entry of this export.
  Result<std::string> bundle_head(const Filter&, std::uint64_t size, std::uint64_t closing) const;
  // A piece belongs to an export that this person made and that stands in the log at `closing`: of
  // this filter, and of a log this long. Otherwise malformed.
  Result<void> check_piece(const Filter&, const UserId& by, std::uint64_t size, std::uint64_t closing) const;
  // The checkpoint that was stored for at least `size` entries.
  Result<std::pair<std::uint64_t, std::string>> checkpoint_from(std::uint64_t size) const;
  Result<Bytes> public_key() const;  // of the newest checkpoint
  struct Handover {
    crypto::SuccessionKey key;
    Bytes old_key, new_key;
    std::uint64_t size = 0;  // of the log: from here on it is the new key's
    std::string statement;   // crypto/succession.h
  };
  Result<std::vector<Handover>> successions() const;  // all there ever were, in their order
  // Called after each durable group, on a committing thread: hand over, do not work there.
  Subscription subscribe(std::function<void(const Growth&)>);

 private:
  Ledger& ledger_;
  const std::shared_ptr<const SecretBytes> cursor_key_;
};

}  // namespace caip::audit
