// verifier/history.h (private): what must hold from one entry to the next, for a whole log or for
// pieces of it that are checked side by side: times that never go back, numbers of an organisation
// that have no gap and no double.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "entry.h"
#include "verifier/verifier.h"

namespace caip::verifier {

inline std::string entry_name(std::uint64_t index) { return "entry " + std::to_string(index); }

class History {
 public:
  // The next entry, in order. The first finding stays.
  void see(std::uint64_t index, const Entry& e) {
    if (!last_at_.empty() && e.at < last_at_) found(index, ": its time is before that of the entry before it");
    if (first_at_.empty()) {
      first_at_ = e.at;
      first_ = index;
    }
    last_at_ = e.at;
    if (!e.seq) return;
    Run& r = run_of(e.org, index, *e.seq);
    if (r.next != *e.seq)
      found(index, *e.seq < r.next ? ": its number " + std::to_string(*e.seq) + " was used before"
                                   : ": number " + std::to_string(r.next) + " of its organisation is missing before it");
    r.next = *e.seq + 1;
  }
  // A later piece behind this one.
  void join(const History& later) {
    if (later.broken_) keep(*later.broken_);
    if (!last_at_.empty() && !later.first_at_.empty() && later.first_at_ < last_at_) keep({later.first_, entry_name(later.first_) + ": its time is before that of the entry before it"});
    if (first_at_.empty()) first_at_ = later.first_at_;
    if (!later.last_at_.empty()) last_at_ = later.last_at_;
    for (const Run& r : later.runs_) {
      Run* mine = find(r.org);
      if (!mine) {
        runs_.push_back(r);
        continue;
      }
      if (mine->next != r.first)
        keep({r.index, entry_name(r.index) + (r.first < mine->next ? ": its number " + std::to_string(r.first) + " was used before"
                                                                   : ": number " + std::to_string(mine->next) + " of its organisation is missing before it")});
      mine->next = r.next;
    }
  }
  // At the end of a whole log: every organisation's numbers begin at 0.
  void finish() {
    for (const Run& r : runs_)
      if (r.first != 0) keep({r.index, entry_name(r.index) + ": number 0 of its organisation is missing before it"});
  }
  const std::optional<Finding>& broken() const { return broken_; }

 private:
  struct Run {
    std::string org;
    std::uint64_t index, first, next;
  };
  Run* find(std::string_view org) {
    const auto at = std::ranges::find(runs_, org, &Run::org);
    return at == runs_.end() ? nullptr : &*at;
  }
  Run& run_of(std::string_view org, std::uint64_t index, std::uint64_t seq) {
    if (Run* r = find(org)) return *r;
    runs_.push_back({std::string(org), index, seq, seq});
    return runs_.back();
  }
  void found(std::uint64_t index, const std::string& what) { keep({index, entry_name(index) + what}); }
  void keep(Finding f) {
    if (!broken_ || (f.index && broken_->index && *f.index < *broken_->index)) broken_ = std::move(f);
  }

  std::string first_at_, last_at_;
  std::uint64_t first_ = 0;
  std::vector<Run> runs_;
  std::optional<Finding> broken_;
};

}  // namespace caip::verifier
