#include "audit/query.h"

#include <algorithm>

#include "audit/ledger.h"

namespace caip::audit {
namespace {

// A filter on a closed list with a word that is not on it would quietly find nothing.
Result<void> known_word(std::string_view name, const std::optional<std::string>& given, const std::vector<std::string_view>& words) {
  if (!given || std::ranges::find(words, *given) != words.end()) return {};
  std::string list;
  for (const auto word : words) list += (list.empty() ? "" : ", ") + std::string(word);
  return fail(Code::invalid, std::string(name) + " is one of: " + list);
}

}  // namespace

Result<void> acceptable(const Filter& f) {
  using enum Source;
  using enum Ending;
  CAIP_CHECKED(known_word("source", f.source, {caip::text(user), caip::text(api_token), caip::text(pilot), caip::text(agent), caip::text(system), caip::text(anonymous)}));
  return known_word("result", f.result, {text(completed), text(failed), text(denied), text(expired), text(blocked), text(pending)});
}

}  // namespace caip::audit
