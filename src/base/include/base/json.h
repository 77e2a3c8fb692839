// base/json.h: strict JSON in, canonical JSON out.
//
// parse_json refuses duplicate members, invalid UTF-8, depth over 32 and anything after the
// value. canonical() writes RFC 8785 (JCS); of its numbers we allow integers within ±(2^53-1)
// only, so that no two writers disagree. parse_canonical additionally refuses any input that is
// not byte for byte what canonical() would write.
//
// Members reads an object's members by name and then refuses the ones nobody asked for:
//   Members m(object);
//   CAIP_TRY(name, m.string("name", 64));
//   CAIP_CHECKED(m.finish());          // unknown member -> Code::unknown_member
#pragma once
#include <boost/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace caip {

namespace json = boost::json;

Result<json::value> parse_json(std::string_view text);
Result<json::object> parse_object(std::string_view text);
std::string canonical(const json::value&);  // CAIP_ASSERTs that numbers are allowed ones
Result<json::value> parse_canonical(std::string_view text);

class Members {  // borrows the object; use within one function
 public:
  explicit Members(const json::object& object) : object_(object) {}
  Result<std::string> string(std::string_view name, std::size_t max_bytes);
  Result<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  Result<bool> boolean(std::string_view name);
  Result<json::object> object(std::string_view name);
  Result<std::vector<std::string>> strings(std::string_view name, std::size_t most, std::size_t max_bytes);  // a list
  Result<std::optional<std::string>> optional_string(std::string_view name, std::size_t max_bytes);
  Result<std::optional<std::int64_t>> optional_integer(std::string_view name, std::int64_t min, std::int64_t max);
  Result<std::optional<bool>> optional_boolean(std::string_view name);
  Result<void> finish() const;

 private:
  const json::value* take(std::string_view name);
  const json::object& object_;
  std::set<std::string, std::less<>> seen_;
};

}  // namespace caip
