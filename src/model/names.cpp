#include "model/names.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace caip {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }
bool one_of(char c, std::string_view set) { return set.contains(c); }

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool host_label(std::string_view s) {
  return !s.empty() && s.size() <= 63 && s.front() != '-' && s.back() != '-' &&
         std::ranges::all_of(s, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool domain(std::string_view s) {
  bool dotted = false;
  for (;;) {
    const auto dot = s.find('.');
    if (!host_label(s.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return dotted;
    dotted = true;
    s.remove_prefix(dot + 1);
  }
}

bool local_part(std::string_view s) {  // RFC 5321 Dot-string
  if (s.empty() || s.size() > 64 || s.front() == '.' || s.back() == '.' || s.contains("..")) return false;
  return std::ranges::all_of(s, [](char c) { return is_alnum(c) || one_of(c, "!#$%&'*+-/=?^_`{|}~."); });
}

constexpr std::array<std::string_view, 11> kUnitTypes{".service", ".socket", ".target", ".timer", ".mount", ".automount",
                                                      ".path", ".slice", ".scope", ".swap", ".device"};

}  // namespace

Result<Email> Email::parse(std::string_view raw) {
  const std::string text = lower(raw);
  const auto at = text.rfind('@');
  if (text.size() > 254 || at == std::string::npos || !local_part(std::string_view(text).substr(0, at)) ||
      !domain(std::string_view(text).substr(at + 1)))
    return fail(Code::invalid, "not an e-mail address");
  return Email(text);
}

Result<SecretName> SecretName::parse(std::string_view text) {
  const bool good = !text.empty() && text.size() <= 64 && !is_digit(text.front()) && !one_of(text.front(), ".-") &&
                    std::ranges::all_of(text, [](char c) { return is_alnum(c) || one_of(c, "_.-"); });
  if (!good) return fail(Code::invalid, "a secret's name is 1 to 64 of letters, digits, _ . - and begins with a letter or _");
  return SecretName(std::string(text));
}

Result<UnitName> UnitName::parse(std::string_view text) {
  const auto bad = [] { return fail(Code::invalid, "not a systemd unit name (such as nginx.service)"); };
  if (text.empty() || text.size() > 255 || text.front() == '-' || text.front() == '.') return bad();
  if (!std::ranges::all_of(text, [](char c) { return is_alnum(c) || one_of(c, ":_.\\@-"); })) return bad();
  const bool typed = std::ranges::any_of(kUnitTypes, [&](std::string_view t) { return text.size() > t.size() && text.ends_with(t); });
  if (!typed) return bad();
  return UnitName(std::string(text));
}

Result<UnixUser> UnixUser::parse(std::string_view text) {
  const auto bad = [] { return fail(Code::invalid, "a user of a server has 1 to 32 of a-z, 0-9, '_' and '-', beginning with a letter or '_', and is not root"); };
  if (text.empty() || text.size() > 32 || text == "root") return bad();
  if (!std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || one_of(c, "_-"); })) return bad();
  if (text.front() == '-' || (text.front() >= '0' && text.front() <= '9')) return bad();
  return UnixUser(std::string(text));
}

Result<ServerName> ServerName::parse(std::string_view text) {
  if (!host_label(text)) return fail(Code::invalid, "a server's name has 1 to 63 of a-z, 0-9 and '-', with no '-' at either end");
  return ServerName(std::string(text));
}

Result<SiteName> SiteName::parse(std::string_view text) {
  if (!host_label(text)) return fail(Code::invalid, "a site's name has 1 to 63 of a-z, 0-9 and '-', with no '-' at either end");
  return SiteName(std::string(text));
}

namespace {

// RFC 5891, 4.2.3.1: what looks like a label of another script without being one is none.
bool plain_or_idn(std::string_view label) { return label.size() < 4 || label.substr(2, 2) != "--" || (label.starts_with("xn--") && label.size() > 4); }

bool every_label_good(std::string_view text) {
  for (;;) {
    const auto dot = text.find('.');
    if (!plain_or_idn(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return !std::ranges::all_of(text, is_digit);  // or it is an address
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

Result<DomainName> DomainName::parse(std::string_view raw) {
  const std::string text = lower(raw);
  if (text.size() > 253 || !domain(text) || !every_label_good(text))
    return fail(Code::invalid, "a domain is like www.example.org: a-z, 0-9 and '-' between dots; other scripts in their xn-- form");
  return DomainName(text);
}

namespace {

Result<std::string> visible(std::string_view text) {
  if (text.empty() || text.size() > 64 || has_hidden(text) || text.front() == ' ' || text.back() == ' ')
    return fail(Code::invalid, "a name has 1 to 64 bytes of visible text");
  return std::string(text);
}

}  // namespace

Result<OrgName> OrgName::parse(std::string_view text) {
  CAIP_TRY(name, visible(text));
  return OrgName(std::move(name));
}

Result<TokenName> TokenName::parse(std::string_view text) {
  CAIP_TRY(name, visible(text));
  return TokenName(std::move(name));
}

Result<ChannelName> ChannelName::parse(std::string_view text) {
  CAIP_TRY(name, visible(text));
  return ChannelName(std::move(name));
}

}  // namespace caip
