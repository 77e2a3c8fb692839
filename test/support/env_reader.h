// test/support/env_reader.h: an environment file as systemd reads it (load_env_file of its sources: what stands in double
// quotes, with a backslash before '"', '\\', '`' and '$'), written anew for the files that we write, which a shell reads alike. nullopt: anything else.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace caip::test {

// What systemd takes for text (unichar_is_valid and utf8_is_valid of its sources), by code points.
inline bool text_for_systemd(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size == 0 || at + size > text.size()) return false;
    unsigned long point = size == 1 ? lead : lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if (next < 0x80 || next > 0xbf) return false;
      point = point * 64 + (next - 0x80U);
    }
    if ((size == 3 && point < 0x800) || (size == 4 && point < 0x10000)) return false;
    if (point >= 0x110000 || (point >= 0xd800 && point <= 0xdfff) || (point >= 0xfdd0 && point <= 0xfdef) || point % 0x10000 >= 0xfffe) return false;
    at += size;
  }
  return true;
}

inline bool name_for_systemd(std::string_view name) {
  for (const char c : name)
    if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return false;
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9');
}

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
    if (!name_for_systemd(name)) return std::nullopt;
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
    if (!text_for_systemd(value)) return std::nullopt;
    if (next() != '\n' || !out.emplace(name, value).second) return std::nullopt;
  }
  return out;
}

}  // namespace caip::test
