// verifier/entry.h (private): an entry's bytes, scanned once: are they what the log writes, and
// what of them matters for its order.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace caip::verifier {

struct Entry {  // pieces of the text it was scanned from
  std::string_view action, at, org, result;  // org is empty when there is none
  std::string_view detail, params;           // objects
  std::optional<std::uint64_t> seq;          // entries of version 1 have none
};

// Nothing when it is not canonical JSON with exactly the members of an entry.
std::optional<Entry> scan_entry(std::string_view);

// One member of an object's text, when it is a string without escapes.
std::string_view text_member(std::string_view object, std::string_view name);

// A flat line of a bundle: {"e":"…","i":0} and the like. Values unescaped; numbers as text.
class Flat {
 public:
  static std::optional<Flat> read(std::string_view line);
  std::optional<std::string_view> get(std::string_view name) const;
  std::optional<std::uint64_t> number(std::string_view name) const;

 private:
  struct Member {
    std::string name, value;
    bool text;
  };
  // At most a dozen.
  Member members_[12];
  std::size_t count_ = 0;
};

}  // namespace caip::verifier
