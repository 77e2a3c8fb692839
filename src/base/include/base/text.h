// base/text.h: text from outside. Foreign is what servers, agents and models send: it has no
// conversion to std::string; shown() gives a form that is safe to show and to log, raw() is for
// serialisers that escape. has_hidden() finds what may deceive a reader: control characters,
// bidi overrides, zero-width and other invisible code points, unpaired surrogates, bad UTF-8.
#pragma once
#include <string>
#include <string_view>

namespace caip {

bool valid_utf8(std::string_view) noexcept;
bool has_hidden(std::string_view) noexcept;      // also true for invalid UTF-8
std::string shown(std::string_view);             // hidden code points as <U+202E>; newline and tab too
std::string cut(std::string_view, std::size_t max_bytes);  // at a code point border, says so: "…(cut)"

class Foreign {
 public:
  Foreign() = default;
  explicit Foreign(std::string_view bytes, std::size_t max_bytes = 4096);  // repairs UTF-8, cuts
  const std::string& raw() const { return text_; }
  std::string shown() const { return caip::shown(text_); }
  bool operator==(const Foreign&) const = default;

 private:
  std::string text_;
};

}  // namespace caip
