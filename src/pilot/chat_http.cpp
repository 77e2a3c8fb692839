// The transfer of a chat: libcurl, no redirects, bounded, to public addresses and what the configuration allows besides,
// tried again only while nothing of the answer was shown.
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "base/sse.h"
#include "chat.h"
#include "outbound/network.h"
#include "wire.h"

namespace caip::pilot {
namespace {

constexpr int kTries = 3;
constexpr std::size_t kMaxStream = 8U << 20U;
constexpr std::size_t kMaxErrorBody = 65536;
constexpr long kLongestWait = 20;

struct Closer {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};

struct Transfer {
  Transfer(const OnText& on_text, std::span<const outbound::Network> networks) : allowed(networks), reader(on_text), parser(kMaxReply) {}
  std::span<const outbound::Network> allowed;
  bool refused = false;  // an address was
  bool connected = false;
  CURL* curl = nullptr;
  StreamReader reader;
  SseParser parser;
  std::string error_body;
  std::size_t received = 0;
  bool over = false;       // the stream said so, or cannot be read
  bool too_large = false;
};

// On the address that libcurl is about to connect to: a name that resolves differently a moment later changes nothing.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* a) {
  auto& t = *static_cast<Transfer*>(user);
  const auto address = outbound::Address::of(&a->addr);
  if (!address || !outbound::may_connect(*address, t.allowed)) return t.refused = true, CURL_SOCKET_BAD;
  t.connected = true;
  return ::socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

std::size_t on_piece(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    t.error_body.append(data, std::min(size, kMaxErrorBody - t.error_body.size()));
    return size;
  }
  t.received += size;
  const auto fed = t.parser.feed({data, size}, [&](const SseEvent& e) {
    t.over = !t.reader.on_data(e.data);
    return !t.over;
  });
  t.too_large = !fed || t.received > kMaxStream;
  return t.over || t.too_large ? CURL_WRITEFUNC_ERROR : size;
}

Result<std::string> api_key(const Provider& p, const std::string& sent) {
  if (!p.key_follows && p.api_key_file.empty()) return std::string{};
  std::string key = sent;
  if (!p.key_follows) {
    std::ifstream in(p.api_key_file);
    if (!in || !std::getline(in, key)) return fail(Code::unavailable, "the file with the AI provider's key cannot be read");
  }
  while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
  if (key.size() > 4096 || has_hidden(key)) return fail(Code::unavailable, "what is given as the AI provider's key is no key");
  return key;
}

void configure(CURL* c, const std::string& url, const std::string& body, const curl_slist* headers, Transfer& t) {
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, url.starts_with("https://") ? "https" : "http");
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, &t);
  curl_easy_setopt(c, CURLOPT_PROXY, "");  // it would connect in our place
  curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT, 150L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 90L);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &on_piece);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
}

struct Outcome {
  Result<Turn> turn;
  bool retry = false;
  long wait_seconds = 0;
};

Outcome refused(CURL* c, long status, std::string_view body) {
  const Refusal r = refusal_of(status, body);
  curl_off_t wait = 0;
  curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &wait);
  return {std::unexpected(r.error), r.retry && wait <= kLongestWait, static_cast<long>(wait)};
}

struct Chat {
  std::string url, body, key;
  std::vector<outbound::Network> allowed;
};

Outcome attempt(const Chat& chat, const OnText& on_text) {
  const std::unique_ptr<CURL, Closer> c(curl_easy_init());
  std::unique_ptr<curl_slist, Closer> headers(curl_slist_append(nullptr, "Content-Type: application/json"));
  headers.reset(curl_slist_append(headers.release(), "Accept: text/event-stream"));
  if (!chat.key.empty()) headers.reset(curl_slist_append(headers.release(), ("Authorization: Bearer " + chat.key).c_str()));
  Transfer t(on_text, chat.allowed);
  t.curl = c.get();
  configure(c.get(), chat.url, chat.body, headers.get(), t);
  const CURLcode code = curl_easy_perform(c.get());
  long status = 0;
  curl_easy_getinfo(c.get(), CURLINFO_RESPONSE_CODE, &status);
  if (t.too_large) return {fail(Code::too_large, "the AI's answer is too long"), false, 0};
  if (status != 0 && status != 200) return refused(c.get(), status, t.error_body);
  if (status == 200 && (t.over || code == CURLE_OK)) {
    auto turn = t.reader.finish();
    const bool retry = !turn && !t.reader.started();
    return {std::move(turn), retry, 0};
  }
  if (t.refused && !t.connected)
    return {fail(Code::forbidden, "the AI provider's address is not public; whoever runs this allows its network in the configuration: [pilot] allow_networks"), false, 0};
  if (code == CURLE_OPERATION_TIMEDOUT) return {fail(Code::timeout, "the AI provider took too long"), false, 0};
  return {fail(Code::unavailable, "no connection to the AI provider"), !t.reader.started(), 0};
}

Result<std::vector<outbound::Network>> networks(const Provider& p) {
  std::vector<outbound::Network> out;
  for (const auto& text : p.allow_networks) {
    CAIP_TRY(network, outbound::Network::parse(text));
    out.push_back(network);
  }
  return out;
}

}  // namespace

Result<Turn> chat(const TurnRequest& request, const OnText& on_text, const std::string& sent) {
  const Provider& provider = request.provider;
  CAIP_TRY(url, chat_url(provider));
  CAIP_TRY(key, api_key(provider, sent));
  CAIP_TRY(allowed, networks(provider));
  const Chat what{url, chat_body(request), key, std::move(allowed)};
  for (int n = 1;; ++n) {
    Outcome outcome = attempt(what, on_text);
    if (outcome.turn || !outcome.retry || n == kTries) return std::move(outcome.turn);
    ::sleep(static_cast<unsigned>(std::max<long>(outcome.wait_seconds, n)));
  }
}

}  // namespace caip::pilot
