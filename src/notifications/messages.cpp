#include "messages.h"

#include <array>
#include <ctime>

#include "base/text.h"
#include "signature.h"

namespace caip::notifications {
namespace {

constexpr std::size_t kLine = 76;

std::string plain(const Sending& s) {
  std::string out = s.notice.text();
  if (!s.code.empty()) out += " " + s.code;
  return out;
}

std::string discord_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\*_~`|<>[]()#-:@").contains(c)) out += '\\';  // with ':' no link makes itself
    out += c;
  }
  return out;
}

std::string titled(const Sending& s) { return "[" + std::string(caip::text(facts(s.notice.kind).severity)) + "] " + std::string(facts(s.notice.kind).title); }

// As Telegram counts: UTF-16 code units.
std::int64_t units(std::string_view text) {
  std::int64_t n = 0;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    n += (b & 0xC0U) == 0x80 ? 0 : b >= 0xF0 ? 2 : 1;
  }
  return n;
}

// Words of ours are mark-up's; what is from outside stands in a block of plain text, where Slack
// finds no mark-up, no mention and no link. "text" is for places that show no blocks.
json::object slack_body(const Sending& s) {
  const auto section = [](std::string_view type, const std::string& text) { return json::object{{"type", "section"}, {"text", {{"type", type}, {"text", text}}}}; };
  return {{"text", titled(s)}, {"blocks", json::array{section("mrkdwn", "*" + titled(s) + "*"), section("plain_text", plain(s))}}, {"unfurl_links", false}, {"unfurl_media", false}};
}

json::object discord_body(const Sending& s) {
  return {{"content", "**" + discord_escaped(titled(s)) + "**\n" + discord_escaped(plain(s))}, {"allowed_mentions", {{"parse", json::array()}}}};
}

// Telegram looks for @names, links and /commands in any text but in what is marked as preformatted.
json::object telegram_body(const Sending& s) {
  const std::string head = titled(s) + "\n", text = plain(s);
  return {{"chat_id", std::get<TelegramTarget>(s.target.where()).chat}, {"text", head + text},
          {"entities", json::array{json::object{{"type", "pre"}, {"offset", units(head)}, {"length", units(text)}}}}, {"link_preview_options", {{"is_disabled", true}}}};
}

outbound::Request post_json(std::string url, const json::object& body) {
  outbound::Request r;
  r.method = "POST";
  r.url = std::move(url);
  r.headers = {{"Content-Type", "application/json"}, {"User-Agent", "CloudAIPilot"}};
  r.body = json::serialize(body);
  r.limits.keep = outbound::Body::first;
  return r;
}

json::object webhook_body(const Sending& s) {
  const auto& n = s.notice;
  return {{"type", caip::text(n.kind)},
          {"timestamp", n.created.str()},
          {"data", {{"id", n.id.str()}, {"organization", n.org.str()}, {"severity", caip::text(facts(n.kind).severity)}, {"title", facts(n.kind).title},
                    {"text", n.text()}, {"subject", n.subject}, {"link", n.link}}}};
}

Result<outbound::Request> webhook(const Sending& s) {
  auto r = post_json(std::get<WebhookTarget>(s.target.where()).url, webhook_body(s));
  const std::int64_t seconds = s.now.micros() / 1'000'000;
  CAIP_TRY(signature, webhook_signature(s.secrets, s.delivery.str(), seconds, r.body));
  r.headers.emplace_back("webhook-id", s.delivery.str());
  r.headers.emplace_back("webhook-timestamp", std::to_string(seconds));
  r.headers.emplace_back("webhook-signature", std::move(signature));
  return r;
}

std::string in_lines(std::string_view text) {
  std::string out;
  for (; text.size() > kLine; text.remove_prefix(kLine)) (out += text.substr(0, kLine)) += "\r\n";
  return (out += text) += "\r\n";
}

std::string date(Instant t) {  // RFC 5322
  const std::time_t seconds = t.micros() / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> out{};
  const auto size = std::strftime(out.data(), out.size(), "%a, %d %b %Y %H:%M:%S +0000", &parts);
  return {out.data(), size};
}

}  // namespace

std::string Notice::text() const {
  std::string out(facts(kind).sentence);
  if (const auto at = out.find("{}"); at != out.npos) out.replace(at, 2, subject);
  return out;
}

json::object view(const Notice& n) {
  const EventFacts& f = facts(n.kind);
  return {{"id", n.id.str()}, {"event", f.name}, {"severity", text(f.severity)}, {"title", f.title}, {"text", n.text()}, {"link", n.link},
          {"created_at", n.created.str()}, {"read", n.read}, {"personal", n.user.has_value()}};
}

Result<outbound::Request> request_for(const Sending& s) {
  if (s.secrets.empty()) return fail(Code::invalid, "the channel has no credential");
  switch (s.target.kind()) {
    case ChannelKind::slack: return post_json(opened(s.secrets.front()), slack_body(s));
    case ChannelKind::discord: return post_json(opened(s.secrets.front()) + "?wait=true", discord_body(s));
    case ChannelKind::telegram: return post_json(s.places.telegram_api + "/bot" + opened(s.secrets.front()) + "/sendMessage", telegram_body(s));
    case ChannelKind::webhook: return webhook(s);
    case ChannelKind::email: break;
  }
  return fail(Code::internal, "mail is no request");
}

std::string mail_message(const MailHead& h, const std::string& body) {
  const std::string domain = h.from.substr(h.from.rfind('@') + 1);
  return "From: CloudAIPilot <" + h.from + ">\r\nTo: <" + h.to + ">\r\nSubject: " + h.subject + "\r\nDate: " + date(h.created) + "\r\nMessage-ID: <" + h.id + "@" +
         domain + ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
         in_lines(base64(caip::view(body)));
}

std::string opened(const SecretBytes& secret) {
  std::string out;
  secret.expose(Use::named_use, [&](BytesView b) { out = text_of(b); });
  return out;
}

Result<outbound::Letter> letter_for(const Sending& s) {
  const auto& to = std::get<MailTarget>(s.target.where());
  outbound::Letter l;
  l.host = to.host;
  l.port = static_cast<std::uint16_t>(to.port);
  l.security = to.starttls ? outbound::MailSecurity::starttls : outbound::MailSecurity::tls;
  l.user = to.user;
  if (!s.secrets.empty()) l.password = opened(s.secrets.front());
  l.from = to.from.str();
  l.to = to.to.str();
  std::string body = plain(s) + "\r\n";
  if (!s.places.public_url.empty()) body += "\r\n" + s.places.public_url + "\r\n";
  // Titles are literals of ours, so the subject is ASCII; everything else is in the encoded body.
  l.message = mail_message({l.from, l.to, titled(s), s.notice.created, s.delivery.str()}, body);
  return l;
}

}  // namespace caip::notifications
