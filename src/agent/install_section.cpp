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

struct Setting {
  std::string_view name, value;
};

Setting setting_of(std::string_view line) {
  const std::size_t sign = line.find('=');
  if (sign == std::string_view::npos) return {};
  return {trimmed(line.substr(0, sign)), trimmed(line.substr(sign + 1))};
}

Result<void> add_words(std::string_view value, std::vector<std::string>& out) {
  for (const auto word : std::views::split(value, ' ')) {
    const std::string_view name = trimmed(std::string_view(word));
    if (name.empty()) continue;
    if (name.find_first_of("%\"'\\\t") != std::string_view::npos) return fail(Code::invalid, "its file names other units by a pattern: " + std::string(name));
    out.emplace_back(name);
  }
  return {};
}

}  // namespace

Result<InstallSection> install_section(std::string_view text) {
  InstallSection out;
  const std::string whole = joined(text);
  for (const auto line : std::views::split(whole, '\n')) {
    const auto [name, value] = setting_of(trimmed(std::string_view(line)));
    if (name == "Also") CAIP_CHECKED(add_words(value, out.also));
    if (name == "Alias") CAIP_CHECKED(add_words(value, out.aliases));
  }
  return out;
}

}  // namespace caip::agent
