#include "tidy.h"

#include <algorithm>

#include "base/text.h"
#include "channel/frame.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

constexpr std::size_t kCutMark = sizeof("\xe2\x80\xa6(cut)") - 1;   // what base/text.h adds
constexpr std::size_t kMaxError = 1024;
constexpr std::size_t kMaxLines = 512 * 1024;                       // all of a journal
constexpr std::size_t kMaxUnits = channel::kMaxFrame - 64 * 1024;  // all of a list, with what is round it
constexpr std::size_t kPerItem = 4;                                 // a member's tag and length

}  // namespace

std::string tidy(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes && valid_utf8(text)) return std::string(text);
  return Foreign(text, max_bytes - kCutMark).raw();
}

void tidy(wire::Unit& u) {
  u.set_unit(tidy(u.unit(), kMaxUnitText));
  u.set_description(tidy(u.description(), kMaxUnitText));
  u.set_load(tidy(u.load(), 32));
  u.set_active(tidy(u.active(), 32));
  u.set_sub(tidy(u.sub(), 32));
  u.set_file_state(tidy(u.file_state(), 32));
}

void tidy(wire::UnitList& list) {
  std::size_t bytes = 0;
  int fits = 0;
  for (wire::Unit& u : *list.mutable_units()) {
    tidy(u);
    bytes += u.ByteSizeLong() + kPerItem;
    if (bytes > kMaxUnits) break;
    ++fits;
  }
  list.mutable_units()->DeleteSubrange(fits, list.units_size() - fits);
}

void tidy(wire::OrderResult& r) {
  r.set_order(tidy(r.order(), 64));
  r.set_error(tidy(r.error(), kMaxError));
  if (r.has_unit()) tidy(*r.mutable_unit());
  std::size_t bytes = 0;
  int first = r.lines_size();  // the newest lines are the ones that matter
  for (; first > 0; --first) {
    std::string& line = *r.mutable_lines(first - 1);
    line = tidy(line, kMaxLine);
    bytes += line.size() + kPerItem;
    if (bytes > kMaxLines) break;
  }
  r.mutable_lines()->DeleteSubrange(0, first);
}

}  // namespace caip::agent
