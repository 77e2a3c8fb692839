#include "outbound/client.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "transfer.h"

namespace caip::outbound {
namespace {

constexpr std::size_t kMostUrl = 2048;

void wipe(std::string& s) noexcept { ::explicit_bzero(s.data(), s.capacity()); }
void wipe(Pairs& pairs) noexcept {
  for (auto& [name, value] : pairs) wipe(value);
}

bool clean(std::string_view s) { return !has_hidden(s); }

std::string part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
  const Owned<char> owned(text);
  return text;
}

Owned<CURLU> parsed(const std::string& url) {
  Owned<CURLU> u(curl_url());
  if (curl_url_set(u.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) u.reset();
  return u;
}

std::optional<Address> literal(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return Address::parse(host);
}

Result<Owned<curl_slist>> header_lines(const Pairs& headers) {
  Owned<curl_slist> lines;
  add(lines, "Expect:");
  for (const auto& [name, value] : headers) {
    if (!clean(name) || !clean(value) || name.empty() || name.contains(':')) return fail(Code::invalid, "a header with control characters");
    add(lines, name + ": " + value);
  }
  return lines;
}

bool only(std::string_view s, std::string_view further) {
  return std::ranges::all_of(s, [&](unsigned char c) { return std::isalnum(c) != 0 || further.contains(static_cast<char>(c)); });
}

Result<void> acceptable_letter(const Letter& l) {
  if (l.host.empty() || l.host.size() > 253 || !only(l.host, ".-:")) return fail(Code::invalid, "not a mail server's name");
  for (const auto& address : {l.from, l.to})
    if (address.empty() || !clean(address) || address.find_first_of("<> \r\n") != address.npos) return fail(Code::invalid, "not a mail address");
  if (!clean(l.user) || !clean(l.password)) return fail(Code::invalid, "user or password with control characters");
  return {};
}

}  // namespace

Request::~Request() {
  wipe(url);
  wipe(headers);
  wipe(body);
}

Letter::~Letter() {
  wipe(password);
  wipe(message);
}

const std::string* Response::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, [](const auto& h) -> std::string_view { return h.first; });
  return found == headers.end() ? nullptr : &found->second;
}

Client::Client(Rules rules) : rules_(std::move(rules)) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  CAIP_ASSERT(once == CURLE_OK);
}

bool Client::may_connect(const Address& a) const noexcept {
  return outbound::may_connect(a, rules_.allowed);
}

Result<void> Client::acceptable(const std::string& url) const {
  if (url.size() > kMostUrl) return fail(Code::invalid, "a URL has at most 2048 bytes");
  if (!clean(url) || url.contains(' ')) return fail(Code::invalid, "a URL without control characters and spaces, please");
  const auto u = parsed(url);
  if (!u) return fail(Code::invalid, "not a URL of the form https://HOST/PATH");
  const std::string scheme = part(u.get(), CURLUPART_SCHEME);
  if (scheme != "https" && !(scheme == "http" && !rules_.allowed.empty())) return fail(Code::invalid, "only https:// goes out");
  const auto address = literal(part(u.get(), CURLUPART_HOST));
  if (address && !may_connect(*address)) return fail(Code::forbidden, "the address is not public, and the configuration allows no network with it");
  return {};
}

Result<Response> Client::send(const Request& request, const std::stop_token& stop) const {
  CAIP_CHECKED(acceptable(request.url));
  CAIP_TRY(lines, header_lines(request.headers));
  const Owned<CURL> c(curl_easy_init());
  const bool encrypted = request.url.size() > 5 && (request.url[4] == 's' || request.url[4] == 'S');
  Transfer t{.may_connect = [this, encrypted](const Address& a) {
               return may_connect(a) && (encrypted || std::ranges::any_of(rules_.allowed, [&](const Network& n) { return n.contains(a); }));
             },
             .stop = stop, .limits = request.limits};
  configure(c.get(), rules_, t);
  Owned<curl_slist> resolve;
  for (const auto& line : rules_.resolve_for_test) add(resolve, line);
  if (resolve) curl_easy_setopt(c.get(), CURLOPT_RESOLVE, resolve.get());
  curl_easy_setopt(c.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(c.get(), CURLOPT_PROTOCOLS_STR, encrypted ? "https" : "http");
  curl_easy_setopt(c.get(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(c.get(), CURLOPT_HTTPHEADER, lines.get());
  if (request.method != "GET") {
    curl_easy_setopt(c.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(c.get(), CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(c.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  CAIP_CHECKED(perform(c.get(), t));
  if (!t.head_over) return fail(Code::unavailable, "the connection broke off");
  curl_off_t wait = 0;
  curl_easy_getinfo(c.get(), CURLINFO_RETRY_AFTER, &wait);
  if (wait > 0) t.response.retry_after = std::chrono::seconds(wait);
  return std::move(t.response);
}

Result<Response> Client::get(std::string url, Pairs headers, Limits limits, const std::stop_token& stop) const {
  Request r;
  r.url = std::move(url);
  r.headers = std::move(headers);
  r.limits = limits;
  return send(r, stop);
}

Result<Response> Client::post_form(std::string url, const Pairs& form, Pairs headers, Limits limits, const std::stop_token& stop) const {
  Request r;
  r.method = "POST";
  r.url = std::move(url);
  r.headers = std::move(headers);
  r.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  r.body = form_encoded(form);
  r.limits = limits;
  return send(r, stop);
}

Result<MailOutcome> Client::send_mail(const Letter& letter, const std::stop_token& stop) const {
  CAIP_CHECKED(acceptable_letter(letter));
  const Owned<CURL> c(curl_easy_init());
  Transfer t{.may_connect = [this](const Address& a) { return may_connect(a); }, .stop = stop, .limits = letter.limits, .to_send = letter.message};
  configure(c.get(), rules_, t);
  const bool at_once = letter.security == MailSecurity::tls;
  const std::string host = letter.host.contains(':') ? "[" + letter.host + "]" : letter.host;
  const std::string url = (at_once ? "smtps://" : "smtp://") + host + ":" + std::to_string(letter.port);
  Owned<curl_slist> to;
  add(to, "<" + letter.to + ">");
  curl_easy_setopt(c.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(c.get(), CURLOPT_PROTOCOLS_STR, at_once ? "smtps" : "smtp");
  curl_easy_setopt(c.get(), CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  curl_easy_setopt(c.get(), CURLOPT_MAIL_FROM, ("<" + letter.from + ">").c_str());
  curl_easy_setopt(c.get(), CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(c.get(), CURLOPT_UPLOAD, 1L);
  if (!letter.user.empty()) {
    curl_easy_setopt(c.get(), CURLOPT_USERNAME, letter.user.c_str());
    curl_easy_setopt(c.get(), CURLOPT_PASSWORD, letter.password.c_str());
  }
  auto done = perform(c.get(), t);
  wipe(t.to_send);
  if (done) return MailOutcome{250};
  // The server's own words: an address it does not know, a full mailbox.
  if (t.response.status >= 400 && t.response.status < 600 && done.error().code == Code::unavailable) return MailOutcome{t.response.status};
  return std::unexpected(std::move(done).error());
}

std::string form_encoded(const Pairs& pairs) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  const auto encode = [&](std::string_view s) {
    for (const char c : s) {
      const auto u = static_cast<unsigned char>(c);
      if (only({&c, 1}, "-._*")) out += c;
      else if (c == ' ') out += '+';
      else (out += '%') += {kHex[u >> 4U], kHex[u & 15U]};
    }
  };
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    encode(name);
    out += '=';
    encode(value);
  }
  return out;
}

}  // namespace caip::outbound
