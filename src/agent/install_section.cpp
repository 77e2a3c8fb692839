#include "install_section.h"

#include <algorithm>
#include <ranges>

namespace caip::agent {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trimmed(std::string_view s) {
  s.remove_prefix(std::min(s.find_first_not_of(kBlank), s.size()));
  return s.substr(0, s.find_last_not_of(kBlank) + 1);
}

// A line that ends in a backslash goes on in the next one.
std::string joined(std::string_view text) {
  std::string out(text);
  for (std::size_t at = 0; (at = out.find("\\\n", at)) != std::string::npos;) out.replace(at, 2, "  ");
  return out;
}

std::string_view value_of(std::string_view line) {  // of the two settings; empty: another one
  const std::size_t sign = line.find('=');
  if (sign == std::string_view::npos) return {};
  const std::string_view name = trimmed(line.substr(0, sign));
  return name == "Also" || name == "Alias" ? trimmed(line.substr(sign + 1)) : std::string_view{};
}

}  // namespace

Result<std::vector<std::string>> brought_along(std::string_view text) {
  std::vector<std::string> out;
  const std::string whole = joined(text);
  for (const auto line : std::views::split(whole, '\n')) {
    for (const auto word : std::views::split(value_of(trimmed(std::string_view(line))), ' ')) {
      const std::string_view name = trimmed(std::string_view(word));
      if (name.empty()) continue;
      if (name.find_first_of("%\"'\\\t") != std::string_view::npos) return fail(Code::invalid, "its file names other units by a pattern: " + std::string(name));
      out.emplace_back(name);
    }
  }
  return out;
}

}  // namespace caip::agent
