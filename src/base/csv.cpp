#include "base/csv.h"

#include <array>

namespace caip {
namespace {

constexpr std::array kColumns{"at", "action", "actor", "approver", "source", "target", "result", "params", "detail", "address",
                              "user_agent", "request", "org", "seq"};

std::string plain(const json::value& v) {
  if (v.is_null()) return {};
  if (v.is_string()) return std::string(v.get_string());
  return json::serialize(v);
}

}  // namespace

std::string csv_cell(std::string_view text) {
  std::string out = "\"";
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) out += '\'';
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string csv_head() {
  std::string out = "index";
  for (const char* c : kColumns) out += std::string(",") + c;
  return out + "\r\n";
}

std::string csv_row(std::uint64_t index, const json::object& entry) {
  std::string out = std::to_string(index);
  for (const char* c : kColumns) {
    const auto* v = entry.if_contains(c);
    out += ',' + csv_cell(v ? plain(*v) : std::string());
  }
  return out + "\r\n";
}

}  // namespace caip
