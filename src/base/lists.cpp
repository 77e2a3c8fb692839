#include "base/lists.h"

namespace caip {
namespace {

Result<json::array> take(json::object& from, std::string_view name, std::size_t most) {
  json::value* v = from.if_contains(name);
  if (v == nullptr || !v->is_array()) return fail(Code::malformed, "\"" + std::string(name) + "\" must be a list");
  if (v->get_array().size() > most) return fail(Code::invalid, "\"" + std::string(name) + "\" is a list of at most " + std::to_string(most));
  json::array out = std::move(v->get_array());
  from.erase(name);
  return out;
}

}  // namespace

Result<std::vector<json::object>> take_objects(json::object& from, std::string_view name, std::size_t most) {
  CAIP_TRY(list, take(from, name, most));
  std::vector<json::object> out;
  for (json::value& one : list) {
    if (!one.is_object()) return fail(Code::malformed, "\"" + std::string(name) + "\" must be a list of objects");
    out.push_back(std::move(one.get_object()));
  }
  return out;
}

Result<std::vector<std::int64_t>> take_integers(json::object& from, std::string_view name, std::size_t most) {
  CAIP_TRY(list, take(from, name, most));
  std::vector<std::int64_t> out;
  for (const json::value& one : list) {
    if (!one.is_int64()) return fail(Code::malformed, "\"" + std::string(name) + "\" must be a list of whole numbers");
    out.push_back(one.get_int64());
  }
  return out;
}

}  // namespace caip
