#include "entry.h"
#include "history.h"
#include "note.h"
#include "tree.h"
#include "verifier/verifier.h"

namespace caip::verifier {
namespace {

// The root that a path leads to, from a leaf among `size`; nothing when it has not the right length.
std::optional<Digest> root_of(Digest hash, const Place& at, std::uint64_t size) {
  std::uint64_t node = at.index, last = size - 1;
  for (const Digest& beside : at.path) {
    if (last == 0) return std::nullopt;
    if (node % 2 == 1 || node == last) {
      hash = parent_of(beside, hash);
      while (node % 2 == 0 && node != 0) node /= 2, last /= 2;
    } else {
      hash = parent_of(hash, beside);
    }
    node /= 2;
    last /= 2;
  }
  return last == 0 ? std::optional(hash) : std::nullopt;
}

}  // namespace

Result<Report> verify_entry(std::string_view entry, const Place& at, std::string_view checkpoint) {
  const auto head = read_checkpoint(checkpoint);
  if (!head) return fail(Code::malformed, "this is no checkpoint");
  if (at.index >= head->size) return fail(Code::invalid, "the checkpoint is over " + std::to_string(head->size) + " entries: it is older than " + entry_name(at.index));
  Report report;
  report.entries = 1;
  report.size = head->size;
  report.root = hex(head->root);
  report.checkpoint = std::string(checkpoint);
  if (!scan_entry(entry)) report.broken = Finding{at.index, entry_name(at.index) + ": it is not what the log writes"};
  else if (root_of(leaf_of(view(entry)), at, head->size) != head->root)
    report.broken = Finding{at.index, entry_name(at.index) + " is not in the tree that the checkpoint is over: it, its place or its proof was changed"};
  return report;
}

}  // namespace caip::verifier
