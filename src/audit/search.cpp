#include "search.h"

#include <algorithm>
#include <functional>

#include "crypto/mac.h"
#include "entry.h"
#include "tables.h"
#include "terms.h"

namespace caip::audit {
namespace {

// What one page may cost. A row that is passed over costs about a microsecond, a seek three.
constexpr std::uint64_t kMostRows = 12'000;
constexpr std::uint64_t kMostSeeks = 4'000;
constexpr std::size_t kMac = 16;

using Value = std::pair<std::string_view, const std::optional<std::string>&>;
std::array<Value, 6> values_of(const Filter& f) {
  return {{{"action", f.action}, {"actor", f.actor}, {"approver", f.approver}, {"result", f.result}, {"source", f.source}, {"target", f.target}}};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool contains_text(std::string_view body, std::string_view wanted) {
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  return std::ranges::search(body, wanted, same).begin() != body.end();
}

// Cheap and necessary: a value that is there stands in the canonical text as it is.
bool may_match(const Filter& f, std::string_view body) {
  for (const auto& [member, value] : values_of(f))
    if (value && body.find(json::serialize(json::string(*value))) == body.npos) return false;
  if (f.about && body.find(f.about->user) == body.npos && body.find(f.about->email) == body.npos) return false;
  if (f.org && !f.unowned && body.find(f.org->str()) == body.npos) return false;
  return !f.text || contains_text(body, *f.text);
}

std::string_view param_of(const json::object& entry, std::string_view name) {
  const auto* params = entry.if_contains("params");
  return params && params->is_object() ? text_in(params->get_object(), name) : std::string_view();
}

bool is_about(const About& who, const json::object& entry) {
  if (std::ranges::find(who.actions, text_in(entry, "action")) == who.actions.end()) return false;
  if (const auto user = param_of(entry, "user"); !user.empty()) return user == who.user;
  return text_in(entry, "actor") == who.user || param_of(entry, "email") == who.email;
}

// The first index whose entry is at or after that time: entries stand in the order of their times.
Result<std::uint64_t> first_at(storage::Reader& tx, Instant when, std::uint64_t size) {
  std::uint64_t low = 0, high = size;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    CAIP_TRY(body, body_at(tx, middle));
    CAIP_TRY(at, time_of(body));
    if (at < when) low = middle + 1;
    else high = middle;
  }
  return low;
}

class Search {
 public:
  Search(storage::Reader& tx, const Filter& f, std::size_t limit) : tx_(tx), filter_(f), limit_(limit) {}

  Result<Found> run(std::uint64_t low, std::uint64_t below) {
    low_ = low;
    CAIP_TRY(upto, indexed_upto(tx_));
    auto terms = wanted();
    if (terms.empty()) {
      CAIP_CHECKED(scan(low, below));
      return std::move(found_);
    }
    CAIP_CHECKED(scan(std::max(low, std::min(upto, below)), below));
    if (found_.next > low && found_.entries.size() < limit_ && found_.next <= upto) CAIP_CHECKED(leap(terms, std::min(upto, found_.next)));
    return std::move(found_);
  }

 private:
  // An entry's organisation is a part of its terms, so whoever also reads what is nobody's has two lists for each value.
  struct Wanted {
    Places own;
    std::optional<Places> unowned = {};
  };

  std::vector<Wanted> wanted() const {
    std::vector<Wanted> out;
    if (!filter_.org) return out;
    const auto want = [&](std::string_view member, std::string_view value) {
      out.push_back({Places(term_of(filter_.org->str(), member, value))});
      if (filter_.unowned) out.back().unowned.emplace(term_of("", member, value));
    };
    for (const auto& [member, value] : values_of(filter_))
      if (value) want(member, *value);
    // Where nearly everything is one's own, looking at each entry costs less than a list of all.
    if (out.empty() && !filter_.unowned) want("org", "");
    return out;
  }

  Result<std::optional<std::uint64_t>> last_of(Wanted& w, std::uint64_t at) {
    CAIP_TRY(own, w.own.last(tx_, at));
    if (!w.unowned || own == at) return own;
    CAIP_TRY(unowned, w.unowned->last(tx_, at));
    return std::max(own, unowned);  // nothing is less than any place
  }

  // Takes it, if it fits; false when the page is full.
  bool take(std::uint64_t index, std::string_view body, BytesView leaf) {
    if (matches(filter_, body)) {
      Entry e{.index = index, .leaf = {}, .body = std::string(body)};
      std::ranges::copy(leaf.first(std::min(leaf.size(), e.leaf.size())), e.leaf.begin());
      found_.entries.push_back(std::move(e));
    }
    found_.next = index;
    return found_.entries.size() < limit_;
  }

  // From below - 1 down to `low`, every entry.
  Result<void> scan(std::uint64_t low, std::uint64_t below) {
    found_.next = below;
    if (below <= low) return {};
    const std::uint64_t floor = below - low > kMostRows ? below - kMostRows : low;
    bool more = true;
    // In pieces, so that a full page reads no further.
    for (std::uint64_t top = below; more && top > floor;) {
      const std::uint64_t bottom = top - floor > 256 ? top - 256 : floor;
      CAIP_CHECKED(tx_.query("SELECT idx, body, leaf FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx DESC", static_cast<std::int64_t>(bottom),
                             static_cast<std::int64_t>(top), [&](const storage::Row& r) {
                               if (more) more = take(static_cast<std::uint64_t>(r.integer(0)), r.text_view(1), r.blob_view(2));
                             }));
      top = bottom;
    }
    if (more) found_.next = floor;
    if (found_.next <= low_) found_.next = 0;
    return {};
  }

  // All the terms' lists side by side, each asked for its largest entry at or below the place where
  // the others are: the cost is that of the shortest list.
  Result<void> leap(std::vector<Wanted>& terms, std::uint64_t below) {
    std::uint64_t seeks = 0;
    std::uint64_t at = below;  // exclusive
    while (at > low_) {
      std::uint64_t candidate = at - 1;
      for (std::size_t agreed = 0, i = 0; agreed < terms.size(); i = (i + 1) % terms.size()) {
        if (++seeks > kMostSeeks) return void(found_.next = candidate + 1), Result<void>{};
        CAIP_TRY(next, last_of(terms[i], candidate));
        if (!next || *next < low_) return void(found_.next = 0), Result<void>{};
        agreed = *next == candidate ? agreed + 1 : 1;
        candidate = *next;
      }
      bool more = true;
      CAIP_CHECKED(tx_.query("SELECT body, leaf FROM log_entries WHERE idx = ?1", static_cast<std::int64_t>(candidate),
                             [&](const storage::Row& r) { more = take(candidate, r.text_view(0), r.blob_view(1)); }));
      at = candidate;
      if (!more) break;
    }
    found_.next = at <= low_ ? 0 : at;
    return {};
  }

  storage::Reader& tx_;
  const Filter& filter_;
  const std::size_t limit_;
  std::uint64_t low_ = 0;
  Found found_;
};

}  // namespace

bool matches(const Filter& f, std::string_view body) {
  if (!may_match(f, body)) return false;
  const auto entry = parse_object(body);
  if (!entry) return false;
  if (f.org) {
    const auto org = text_in(*entry, "org");
    if (org != f.org->str() && !(f.unowned && org.empty())) return false;
  }
  if (f.about && !is_about(*f.about, *entry)) return false;
  return std::ranges::all_of(values_of(f), [&](const Value& v) { return !v.second || text_in(*entry, v.first) == *v.second; });
}

bool fits(const Filter& f, std::string_view body) {
  if (!matches(f, body)) return false;
  const auto at = time_of(body);
  return at && (!f.from || *at >= *f.from) && (!f.until || *at < *f.until);
}

json::object filter_json(const Filter& f) {
  json::object out;
  const auto put = [&](std::string_view name, const std::optional<std::string>& value) {
    if (value) out[name] = *value;
  };
  put("actor", f.actor);
  put("approver", f.approver);
  put("source", f.source);
  put("action", f.action);
  put("target", f.target);
  put("result", f.result);
  put("text", f.text);
  if (f.from) out["from"] = f.from->str();
  if (f.until) out["until"] = f.until->str();
  return out;
}

Result<Found> search(storage::Reader& tx, const Filter& filter, std::size_t limit, std::optional<std::uint64_t> below) {
  CAIP_TRY(size, log_size(tx));
  std::uint64_t high = std::min(size, below.value_or(size)), low = 0;
  if (filter.until && high > 0) {
    CAIP_TRY(at, first_at(tx, *filter.until, high));
    high = at;
  }
  if (filter.from && high > 0) {
    CAIP_TRY(at, first_at(tx, *filter.from, high));
    low = at;
  }
  return Search(tx, filter, limit).run(low, high);
}

namespace {

Bytes mac_of(const SecretBytes& key, const Filter& f, std::uint64_t next) {
  const json::object bound{{"next", next}, {"org", f.org ? f.org->str() : std::string()}, {"unowned", f.unowned}, {"about", f.about ? f.about->user : std::string()}, {"filter", filter_json(f)}};
  Bytes mac = crypto::hmac_sha384(key, view(json::serialize(bound)));
  mac.resize(kMac);
  return mac;
}

}  // namespace

std::string seal_cursor(const SecretBytes& key, const Filter& f, std::uint64_t next) {
  std::array<std::uint8_t, 8 + kMac> out{};
  for (std::size_t i = 0; i < 8; ++i) out.at(i) = static_cast<std::uint8_t>(next >> (56 - 8 * i));
  std::ranges::copy(mac_of(key, f, next), out.begin() + 8);
  return base64url(out);
}

Result<std::uint64_t> open_cursor(const SecretBytes& key, const Filter& f, std::string_view cursor) {
  const auto raw = cursor.size() <= 64 ? from_base64url(cursor) : std::nullopt;
  if (raw && raw->size() == 8 + kMac) {
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < 8; ++i) next = next << 8 | (*raw)[i];
    if (crypto::equal_ct(BytesView(*raw).subspan(8), mac_of(key, f, next))) return next;
  }
  return fail(Code::malformed, "not a cursor of this list; begin again without one");
}

}  // namespace caip::audit
