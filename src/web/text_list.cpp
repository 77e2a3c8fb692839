#include "text_list.h"

namespace caip::web {

Result<std::vector<std::string>> take_texts(json::object& body, std::string_view name, std::size_t most) {
  std::vector<std::string> out;
  const auto* value = body.if_contains(name);
  if (value == nullptr) return out;
  const auto* all = value->if_array();
  if (all == nullptr || all->size() > most) return fail(Code::malformed, std::string(name) + " is a list of at most " + std::to_string(most));
  for (const auto& item : *all) {
    const auto* text = item.if_string();
    if (text == nullptr || text->size() > 64) return fail(Code::malformed, std::string(name) + " is a list of short texts");
    out.emplace_back(*text);
  }
  body.erase(name);
  return out;
}

}  // namespace caip::web
