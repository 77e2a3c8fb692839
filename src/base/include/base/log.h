// base/log.h: the program's own log (not the audit log): one JSON object a line on stderr.
// Fields are named and typed; a message is a literal. Text from outside goes in as Foreign and
// is escaped; there is no overload for secrets.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/text.h"

namespace caip::log {

enum class Level : std::uint8_t { debug, info, warn, error };

struct Field {
  const char* name;
  std::variant<std::int64_t, std::string> value;
  Field(const char* n, std::int64_t v) : name(n), value(v) {}
  Field(const char* n, std::string_view v) : name(n), value(shown(v)) {}
  Field(const char* n, const Foreign& v) : name(n), value(v.shown()) {}
};

class Message {  // literals only
 public:
  template <std::size_t N>
  consteval Message(const char (&text)[N]) : text_(text, N - 1) {  // NOLINT
    for (std::size_t i = 0; i + 1 < N; ++i)
      if (text[i] == '\0') throw "NUL in a message";
  }
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

void set_level(Level);
void write(Level, Message, std::initializer_list<Field> = {});
inline void info(Message m, std::initializer_list<Field> f = {}) { write(Level::info, m, f); }
inline void warn(Message m, std::initializer_list<Field> f = {}) { write(Level::warn, m, f); }
inline void error(Message m, std::initializer_list<Field> f = {}) { write(Level::error, m, f); }
inline void debug(Message m, std::initializer_list<Field> f = {}) { write(Level::debug, m, f); }

}  // namespace caip::log
