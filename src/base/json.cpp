#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "base/text.h"

namespace caip {
namespace {

constexpr std::int64_t kMaxSafe = 9'007'199'254'740'991;  // 2^53 - 1, RFC 8785 section 3.2.2.3
constexpr std::size_t kMaxDepth = 32;

// Boost.JSON keeps the last of two equal names. Counting members needs its basic_parser; a
// handler that builds the value and refuses a second equal name is this small.
struct Handler {
  static constexpr std::size_t max_object_size = 10'000;
  static constexpr std::size_t max_array_size = 100'000;
  static constexpr std::size_t max_key_size = 1024;
  static constexpr std::size_t max_string_size = 4U << 20U;

  json::value_stack stack;
  std::vector<std::set<std::string, std::less<>>> names;
  std::string key;
  std::string text;
  bool duplicate = false;

  Handler() { stack.reset(); }
  bool on_document_begin(boost::system::error_code&) { return true; }
  bool on_document_end(boost::system::error_code&) { return true; }
  bool on_object_begin(boost::system::error_code&) { names.emplace_back(); return true; }
  bool on_object_end(std::size_t n, boost::system::error_code&) { names.pop_back(); stack.push_object(n); return true; }
  bool on_array_begin(boost::system::error_code&) { return true; }
  bool on_array_end(std::size_t n, boost::system::error_code&) { stack.push_array(n); return true; }
  bool on_key_part(json::string_view s, std::size_t, boost::system::error_code&) { key += std::string_view(s); return true; }
  bool on_key(json::string_view s, std::size_t, boost::system::error_code& ec) {
    key += std::string_view(s);
    if (!names.back().insert(key).second) { duplicate = true; ec = json::error::extra_data; return false; }
    stack.push_key(key);
    key.clear();
    return true;
  }
  bool on_string_part(json::string_view s, std::size_t, boost::system::error_code&) { text += std::string_view(s); return true; }
  bool on_string(json::string_view s, std::size_t, boost::system::error_code&) {
    text += std::string_view(s);
    stack.push_string(text);
    text.clear();
    return true;
  }
  bool on_number_part(json::string_view, boost::system::error_code&) { return true; }
  bool on_int64(std::int64_t v, json::string_view, boost::system::error_code&) { stack.push_int64(v); return true; }
  bool on_uint64(std::uint64_t v, json::string_view, boost::system::error_code&) { stack.push_uint64(v); return true; }
  bool on_double(double v, json::string_view, boost::system::error_code&) { stack.push_double(v); return true; }
  bool on_bool(bool v, boost::system::error_code&) { stack.push_bool(v); return true; }
  bool on_null(boost::system::error_code&) { stack.push_null(); return true; }
  bool on_comment_part(json::string_view, boost::system::error_code&) { return false; }
  bool on_comment(json::string_view, boost::system::error_code&) { return false; }
};

// RFC 8785 section 3.2.2.2: two-character escapes where JSON has them, \u00xx for the rest of
// the controls, everything else as it is.
void write_string(std::string& out, std::string_view s) {
  out += '"';
  for (char c : s) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          std::array<char, 8> escape{};
          std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
          out += escape.data();
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// Section 3.2.3 sorts names by UTF-16 code units. That equals byte order of UTF-8 except that
// supplementary characters (lead byte F0..F4, surrogates D800..DFFF) sort before U+E000..U+FFFF
// (lead byte EE, EF).
bool utf16_less(std::string_view a, std::string_view b) {
  const auto weight = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0xf0 ? u - 2U : u >= 0xee ? u + 0x10U : static_cast<unsigned>(u);
  };
  return std::ranges::lexicographical_compare(a, b, {}, weight, weight);
}

void write_value(std::string& out, const json::value& v);

void write_object(std::string& out, const json::object& object) {
  std::vector<std::string_view> keys;
  for (const auto& member : object) keys.emplace_back(member.key());
  std::ranges::sort(keys, utf16_less);
  out += '{';
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) out += ',';
    write_string(out, keys[i]);
    out += ':';
    write_value(out, object.at(keys[i]));
  }
  out += '}';
}

void write_array(std::string& out, const json::array& array) {
  out += '[';
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i > 0) out += ',';
    write_value(out, array[i]);
  }
  out += ']';
}

bool safe_integer(const json::value& v) {
  if (v.is_int64()) return v.get_int64() >= -kMaxSafe && v.get_int64() <= kMaxSafe;
  return v.is_uint64() && v.get_uint64() <= static_cast<std::uint64_t>(kMaxSafe);
}

void write_value(std::string& out, const json::value& v) {
  switch (v.kind()) {
    case json::kind::null: out += "null"; return;
    case json::kind::bool_: out += v.get_bool() ? "true" : "false"; return;
    case json::kind::string: write_string(out, v.get_string()); return;
    case json::kind::array: write_array(out, v.get_array()); return;
    case json::kind::object: write_object(out, v.get_object()); return;
    case json::kind::int64:
    case json::kind::uint64:
      CAIP_ASSERT(safe_integer(v));
      out += json::serialize(v);
      return;
    case json::kind::double_: break;
  }
  CAIP_ASSERT(false && "a number that canonical JSON of ours does not have");
}

bool canonical_numbers(const json::value& v) {
  if (v.is_object())
    return std::ranges::all_of(v.get_object(), [](const auto& m) { return canonical_numbers(m.value()); });
  if (v.is_array()) return std::ranges::all_of(v.get_array(), canonical_numbers);
  return !v.is_number() || safe_integer(v);
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  if (!valid_utf8(text)) return fail(Code::malformed, "not UTF-8");
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::basic_parser<Handler> parser(options);
  boost::system::error_code ec;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (parser.handler().duplicate) return fail(Code::malformed, "a JSON member stands twice");
  if (ec) return fail(Code::malformed, "not JSON: " + ec.message());
  if (used != text.size() || !parser.done()) return fail(Code::malformed, "something stands after the JSON value");
  return parser.handler().stack.release();
}

Result<json::object> parse_object(std::string_view text) {
  CAIP_TRY(value, parse_json(text));
  if (!value.is_object()) return fail(Code::malformed, "not a JSON object");
  return std::move(value.get_object());
}

std::string canonical(const json::value& value) {
  std::string out;
  write_value(out, value);
  return out;
}

Result<json::value> parse_canonical(std::string_view text) {
  CAIP_TRY(value, parse_json(text));
  if (!canonical_numbers(value)) return fail(Code::malformed, "a number that canonical JSON of ours does not have");
  if (canonical(value) != text) return fail(Code::malformed, "not in canonical form (RFC 8785)");
  return value;
}

const json::value* Members::take(std::string_view name) {
  seen_.emplace(name);
  return object_.if_contains(name);
}

namespace {
std::unexpected<Error> lacks(std::string_view name, const char* what) {
  return fail(Code::malformed, "\"" + std::string(name) + "\" must be " + what);
}
}  // namespace

Result<std::string> Members::string(std::string_view name, std::size_t max_bytes) {
  const json::value* v = take(name);
  if (v == nullptr || !v->is_string()) return lacks(name, "a string");
  if (v->get_string().size() > max_bytes) return fail(Code::invalid, "\"" + std::string(name) + "\" is too long");
  return std::string(v->get_string());
}

Result<std::int64_t> Members::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const json::value* v = take(name);
  if (v == nullptr || !v->is_int64()) return lacks(name, "an integer");
  if (v->get_int64() < min || v->get_int64() > max)
    return fail(Code::invalid, "\"" + std::string(name) + "\" must be from " + std::to_string(min) + " to " + std::to_string(max));
  return v->get_int64();
}

Result<bool> Members::boolean(std::string_view name) {
  const json::value* v = take(name);
  if (v == nullptr || !v->is_bool()) return lacks(name, "true or false");
  return v->get_bool();
}

Result<json::object> Members::object(std::string_view name) {
  const json::value* v = take(name);
  if (v == nullptr || !v->is_object()) return lacks(name, "an object");
  return v->get_object();
}

Result<std::vector<std::string>> Members::strings(std::string_view name, std::size_t most, std::size_t max_bytes) {
  const json::value* v = take(name);
  if (v == nullptr || !v->is_array()) return lacks(name, "a list");
  if (v->get_array().size() > most) return fail(Code::invalid, "\"" + std::string(name) + "\" is a list of at most " + std::to_string(most));
  std::vector<std::string> out;
  for (const json::value& one : v->get_array()) {
    if (!one.is_string()) return lacks(name, "a list of strings");
    if (one.get_string().size() > max_bytes) return fail(Code::invalid, "\"" + std::string(name) + "\" has an entry that is too long");
    out.emplace_back(one.get_string());
  }
  return out;
}

Result<std::optional<std::string>> Members::optional_string(std::string_view name, std::size_t max_bytes) {
  const json::value* v = take(name);
  if (v == nullptr || v->is_null()) return std::optional<std::string>{};
  CAIP_TRY(text, string(name, max_bytes));
  return std::optional<std::string>{std::move(text)};
}

Result<std::optional<std::int64_t>> Members::optional_integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const json::value* v = take(name);
  if (v == nullptr || v->is_null()) return std::optional<std::int64_t>{};
  CAIP_TRY(n, integer(name, min, max));
  return std::optional<std::int64_t>{n};
}

Result<std::optional<bool>> Members::optional_boolean(std::string_view name) {
  const json::value* v = take(name);
  if (v == nullptr || v->is_null()) return std::optional<bool>{};
  CAIP_TRY(b, boolean(name));
  return std::optional<bool>{b};
}

Result<void> Members::finish() const {
  for (const auto& member : object_)
    if (!seen_.contains(std::string_view(member.key())))
      return fail(Code::unknown_member, "unknown member \"" + shown(cut(std::string_view(member.key()), 64)) + "\"");
  return {};
}

}  // namespace caip
