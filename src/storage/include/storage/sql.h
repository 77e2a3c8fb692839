// storage/sql.h: SQL is a literal of the program, never text put together at run time; values
// go in as parameters ?1, ?2, …
#pragma once
#include <string_view>

namespace caip::storage {

class Sql final {
 public:
  template <std::size_t N>
  consteval Sql(const char (&literal)[N]) : text_(literal, N - 1) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i + 1 < N; ++i)  // reading each character is what forces a constant
      if (literal[i] == '\0') throw "NUL inside SQL";
  }
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

}  // namespace caip::storage
