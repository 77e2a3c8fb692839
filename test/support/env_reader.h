// test/support/env_reader.h: an environment file as systemd reads it (load_env_file of its sources: what stands in double
// quotes, with a backslash before '"', '\\', '`' and '$'), written anew for the files that we write, which a shell reads alike. nullopt: anything else.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace caip::test {

inline std::optional<std::map<std::string, std::string>> read_env_file(std::string_view text) {
  std::map<std::string, std::string> out;
  std::size_t at = 0;
  const auto next = [&]() -> std::optional<char> { return at < text.size() ? std::optional(text[at++]) : std::nullopt; };
  while (at < text.size()) {
    if (text[at] == '#') {
      at = text.find('\n', at);
      if (at == std::string_view::npos) return std::nullopt;
      ++at;
      continue;
    }
    const std::size_t equals = text.find("=\"", at);
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string name(text.substr(at, equals - at));
    at = equals + 2;
    std::string value;
    for (;;) {
      auto c = next();
      if (!c) return std::nullopt;
      if (*c == '"') break;
      if (*c == '\\') {
        c = next();
        if (!c || (*c != '"' && *c != '\\' && *c != '`' && *c != '$')) return std::nullopt;
      } else if (*c == '`' || *c == '$') {
        return std::nullopt;  // systemd would take it as it is, a shell would not
      }
      value += *c;
    }
    if (next() != '\n' || !out.emplace(name, value).second) return std::nullopt;
  }
  return out;
}

}  // namespace caip::test
