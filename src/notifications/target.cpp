#include "notifications/target.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "outbound/client.h"
#include "signature.h"

namespace caip::notifications {
namespace {

constexpr std::size_t kMostUrl = 2048;
constexpr std::size_t kMostPassword = 1024;
constexpr std::size_t kSigningKey = 32;
constexpr std::size_t kShownDigest = 12;  // tells two apart; too short to try out guesses with

bool all_of(std::string_view s, std::string_view further) {
  return std::ranges::all_of(s, [&](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || further.contains(c); });
}
bool digits(std::string_view s) { return !s.empty() && s.size() <= 20 && s.find_first_not_of("0123456789") == s.npos; }

Result<MailTarget> mail(Members& m) {
  CAIP_TRY(host, m.string("host", 253));
  CAIP_TRY(port, m.integer("port", 1, 65535));
  CAIP_TRY(security, m.string("security", 16));
  CAIP_TRY(user, m.optional_string("user", 254));
  CAIP_TRY(from_text, m.string("from", 254));
  CAIP_TRY(to_text, m.string("to", 254));
  if (host.empty() || !all_of(host, ".-:")) return fail(Code::invalid, "host is a mail server's name or address");
  if (security != "starttls" && security != "tls") return fail(Code::invalid, "security is starttls or tls; mail without TLS is not sent");
  if (user && has_hidden(*user)) return fail(Code::invalid, "user has control characters");
  CAIP_TRY(from, Email::parse(from_text));
  CAIP_TRY(to, Email::parse(to_text));
  return MailTarget{std::move(host), port, security == "starttls", user.value_or(""), std::move(from), std::move(to)};
}

Result<TelegramTarget> telegram(Members& m) {
  CAIP_TRY(chat, m.string("chat", 64));
  const std::string_view s = chat;
  const bool number = digits(s.starts_with('-') ? s.substr(1) : s);
  if (!number && !(s.size() > 1 && s.starts_with('@') && all_of(s.substr(1), "_"))) return fail(Code::invalid, "chat is a number or @name");
  return TelegramTarget{std::move(chat)};
}

std::string origin(const std::string& url) {  // "https://host:port"
  const auto scheme = url.find("://");
  return url.substr(0, scheme == url.npos ? 0 : url.find_first_of("/?#", scheme + 3));
}

bool bot_token(std::string_view s) {
  const auto colon = s.find(':');
  return colon != s.npos && digits(s.substr(0, colon)) && s.size() - colon > 20 && s.size() <= 128 && all_of(s.substr(colon + 1), "_-");
}

Result<void> acceptable_text(ChannelKind kind, std::string_view s, const outbound::Client& client) {
  switch (kind) {
    case ChannelKind::slack:
    case ChannelKind::discord:
      if (s.contains('?') || s.contains('#')) return fail(Code::invalid, "the URL of an incoming webhook ends with its path");
      return client.acceptable(std::string(s));
    case ChannelKind::telegram:
      if (!bot_token(s)) return fail(Code::invalid, "a bot's token looks like 123456:ABC…");
      return {};
    case ChannelKind::webhook:
      if (!signing_key(s)) return fail(Code::invalid, "a signing secret is whsec_ and the base64 of 24 to 64 bytes");
      return {};
    case ChannelKind::email: break;
  }
  if (s.size() > kMostPassword || has_hidden(s)) return fail(Code::invalid, "a password has at most 1024 bytes and no control characters");
  return {};
}

}  // namespace

Result<Target> Target::parse(ChannelKind kind, const json::object& object) {
  Members m(object);
  Where where = IncomingTarget{};
  if (kind == ChannelKind::email) {
    CAIP_TRY(to, mail(m));
    where = std::move(to);
  } else if (kind == ChannelKind::telegram) {
    CAIP_TRY(to, telegram(m));
    where = std::move(to);
  } else if (kind == ChannelKind::webhook) {
    CAIP_TRY(url, m.string("url", kMostUrl));
    where = WebhookTarget{std::move(url)};
  }
  CAIP_CHECKED(m.finish());
  return Target(kind, std::move(where));
}

json::object Target::stored() const {
  if (const auto* t = std::get_if<MailTarget>(&where_))
    return {{"host", t->host}, {"port", t->port}, {"security", t->starttls ? "starttls" : "tls"}, {"user", t->user}, {"from", t->from.str()}, {"to", t->to.str()}};
  if (const auto* t = std::get_if<TelegramTarget>(&where_)) return {{"chat", t->chat}};
  if (const auto* t = std::get_if<WebhookTarget>(&where_)) return {{"url", t->url}};
  return {};
}

json::object Target::view() const {
  const auto* t = std::get_if<WebhookTarget>(&where_);
  return t == nullptr ? stored() : json::object{{"url", origin(t->url)}, {"digest", hex(crypto::sha256(caip::view(t->url))).substr(0, kShownDigest)}};
}

bool needs_credential(ChannelKind kind) noexcept { return kind != ChannelKind::email && kind != ChannelKind::webhook; }

Result<void> acceptable_credential(ChannelKind kind, const SecretBytes& value, const outbound::Client& client) {
  Result<void> said;
  value.expose(Use::named_use, [&](BytesView b) { said = acceptable_text(kind, text_of(b), client); });
  return said;
}

Result<void> acceptable_target(const Target& target, const outbound::Client& client) {
  const auto* hook = std::get_if<WebhookTarget>(&target.where());
  if (hook == nullptr) return {};
  if (hook->url.contains('?') || hook->url.contains('#')) return fail(Code::invalid, "the URL of a webhook ends with its path; deliveries are signed, so it needs no token");
  return client.acceptable(hook->url);
}

SecretBytes new_signing_secret() {
  Bytes key = crypto::random_bytes(kSigningKey);
  std::string text = "whsec_" + base64(key);
  wipe(key);
  SecretBytes out{std::string_view(text)};
  wipe(std::span<char>(text));
  return out;
}

}  // namespace caip::notifications
