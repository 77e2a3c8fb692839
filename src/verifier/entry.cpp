#include "entry.h"

#include <array>

namespace caip::verifier {
namespace {

constexpr int kDepth = 32;

// Canonical JSON (RFC 8785) with integers only. Moves on, or says no for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool done() const { return good_ && at_ == text_.size(); }
  bool eat(char c) {
    if (!good_ || at_ >= text_.size() || text_[at_] != c) return good_ = false;
    ++at_;
    return true;
  }
  bool peek(char c) const { return good_ && at_ < text_.size() && text_[at_] == c; }
  std::size_t at() const { return at_; }
  std::string_view since(std::size_t from) const { return text_.substr(from, at_ - from); }

  std::string_view string() {  // without its quotes, escapes as they are
    if (!eat('"')) return {};
    const std::size_t from = at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return bad();
      if (c == '\\' && !escape()) return bad();
      ++at_;
    }
    const auto out = since(from);
    eat('"');
    return out;
  }

  std::string_view value(int depth = 0) {
    if (!good_ || at_ >= text_.size() || depth > kDepth) return bad();
    const std::size_t from = at_;
    switch (text_[at_]) {
      case '"': string(); break;
      case '{': object(depth); break;
      case '[': array(depth); break;
      case 't': word("true"); break;
      case 'f': word("false"); break;
      case 'n': word("null"); break;
      default: integer(); break;
    }
    return since(from);
  }

 private:
  std::string_view bad() {
    good_ = false;
    return {};
  }
  // After a backslash: the short forms, and \u00xx for the control bytes that have none.
  bool escape() {
    if (at_ + 1 >= text_.size()) return false;
    const char c = text_[at_ + 1];
    if (c != 'u') return ++at_, std::string_view("\"\\bfnrt").find(c) != std::string_view::npos;
    if (at_ + 5 >= text_.size() || text_.substr(at_ + 2, 2) != "00" || (text_[at_ + 4] != '0' && text_[at_ + 4] != '1')) return false;
    if (std::string_view("0123456789abcdef").find(text_[at_ + 5]) == std::string_view::npos) return false;
    at_ += 5;
    return true;
  }
  void object(int depth) {
    eat('{');
    std::string_view before;
    for (bool first = true; good_ && !peek('}'); first = false) {
      if (!first && !eat(',')) return;
      const auto name = string();
      if (!first && name <= before) return void(bad());  // sorted, no name twice
      before = name;
      if (eat(':')) value(depth + 1);
    }
    eat('}');
  }
  void array(int depth) {
    eat('[');
    for (bool first = true; good_ && !peek(']'); first = false) {
      if (!first && !eat(',')) return;
      value(depth + 1);
    }
    eat(']');
  }
  void word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return void(bad());
    at_ += w.size();
  }
  void integer() {
    const std::size_t from = at_;
    if (peek('-')) ++at_;
    const std::size_t digits = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    const std::size_t n = at_ - digits;
    if (n == 0 || n > 16 || (n > 1 && text_[digits] == '0') || (since(from) == "-0")) bad();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool good_ = true;
};

// 2026-11-24T08:00:00.000000Z
bool is_time(std::string_view t) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.ddddddZ";
  if (t.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < t.size(); ++i)
    if (kForm[i] == 'd' ? (t[i] < '0' || t[i] > '9') : t[i] != kForm[i]) return false;
  return true;
}

std::string_view unquoted(std::string_view v) { return v.size() >= 2 && v.front() == '"' ? v.substr(1, v.size() - 2) : std::string_view{}; }

std::optional<std::uint64_t> to_number(std::string_view t) {
  if (t.empty() || t.size() > 18) return std::nullopt;
  std::uint64_t n = 0;
  for (char c : t) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return n;
}

}  // namespace

std::optional<Entry> scan_entry(std::string_view text) {
  constexpr std::array<std::string_view, 15> kMembers{"action", "actor", "address", "approver", "at", "detail", "org", "params",
                                                      "request", "result", "seq", "source", "target", "user_agent", "v"};
  std::array<std::string_view, kMembers.size()> values;
  Scanner s(text);
  s.eat('{');
  for (std::size_t i = 0; i < kMembers.size(); ++i) {
    if (i > 0) s.eat(',');
    auto name = s.string();
    if (kMembers[i] == "seq" && name == "source") ++i;  // version 1
    if (name != kMembers[i] || !s.eat(':')) return std::nullopt;
    values[i] = s.value();
  }
  s.eat('}');
  if (!s.done()) return std::nullopt;
  Entry e{.action = unquoted(values[0]), .at = unquoted(values[4]), .org = unquoted(values[6]), .result = unquoted(values[9]),
          .detail = values[5], .params = values[7], .seq = to_number(values[10])};
  const bool version = values[10].empty() ? values[14] == "1" : values[14] == "2" && e.seq.has_value();
  if (!version || e.action.empty() || e.result.empty() || !is_time(e.at) || !e.detail.starts_with('{') || !e.params.starts_with('{')) return std::nullopt;
  return e;
}

std::string_view text_member(std::string_view object, std::string_view name) {
  Scanner s(object);
  s.eat('{');
  for (bool first = true; !s.peek('}'); first = false) {
    if (!first && !s.eat(',')) return {};
    const auto found = s.string();
    if (!s.eat(':')) return {};
    const auto value = s.value();
    if (value.empty()) return {};
    if (found == name) return unquoted(value).find('\\') == std::string_view::npos ? unquoted(value) : std::string_view{};
  }
  return {};
}

namespace {

std::optional<std::string> unescaped(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    if (++i == raw.size()) return std::nullopt;
    if (raw[i] == 'u') {  // \u0000 to \u001f: the others stand as they are
      constexpr std::string_view kHex = "0123456789abcdef";
      if (raw.size() - i < 5 || raw.substr(i + 1, 2) != "00") return std::nullopt;
      const auto high = kHex.find(raw[i + 3]), low = kHex.find(raw[i + 4]);
      if (high == kHex.npos || low == kHex.npos) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 4;
    } else {
      constexpr std::string_view kFrom = "\"\\bfnrt", kTo = "\"\\\b\f\n\r\t";
      const auto at = kFrom.find(raw[i]);
      if (at == kFrom.npos) return std::nullopt;
      out += kTo[at];
    }
  }
  return out;
}

}  // namespace

std::optional<Flat> Flat::read(std::string_view line) {
  Flat out;
  Scanner s(line);
  s.eat('{');
  for (bool first = true; !s.peek('}'); first = false) {
    if (out.count_ == std::size(out.members_) || (!first && !s.eat(','))) return std::nullopt;
    const auto name = s.string();
    if (!s.eat(':')) return std::nullopt;
    const bool text = s.peek('"');
    const auto value = s.value();
    if (value.empty()) return std::nullopt;
    auto plain = text ? unescaped(unquoted(value)) : std::optional(std::string(value));
    if (!plain) return std::nullopt;
    out.members_[out.count_++] = {std::string(name), *std::move(plain), text};
  }
  s.eat('}');
  if (!s.done()) return std::nullopt;
  return out;
}

std::optional<std::string_view> Flat::get(std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i)
    if (members_[i].name == name) return members_[i].value;
  return std::nullopt;
}

std::optional<std::uint64_t> Flat::number(std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i)
    if (members_[i].name == name && !members_[i].text) return to_number(members_[i].value);
  return std::nullopt;
}

}  // namespace caip::verifier
