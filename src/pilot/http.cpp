#include "http.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <thread>

#include "base/sse.h"
#include "dialect.h"
#include "lines.h"
#include "outbound/network.h"

namespace caip::pilot {
namespace {

using std::chrono::milliseconds;

constexpr int kTries = 3;
constexpr std::size_t kMaxStream = 8U << 20U;
constexpr std::size_t kMaxErrorBody = 65536;
constexpr std::size_t kMaxModelsBody = 2U << 20U;
constexpr milliseconds kLongestWait = std::chrono::seconds(45), kLongestOwnWait = std::chrono::seconds(8);

struct Closer {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};

struct Request {
  std::string url;
  std::vector<std::string> headers;
  std::string body;  // empty: GET
  std::vector<outbound::Network> allowed;
};

// One request and what comes of it. `piece` takes the answer's bytes where its status is 200; false: enough.
struct Transfer {
  const Request& request;
  std::function<bool(std::string_view)> piece;
  bool refused = false;  // an address was
  bool connected = false;
  bool enough = false;
  CURL* curl = nullptr;
  std::string error_body = {};
};

// On the address that libcurl is about to connect to: a name that resolves differently a moment later changes nothing.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* a) {
  auto& t = *static_cast<Transfer*>(user);
  const auto address = outbound::Address::of(&a->addr);
  if (!address || !outbound::may_connect(*address, t.request.allowed)) return t.refused = true, CURL_SOCKET_BAD;
  t.connected = true;
  return ::socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

std::size_t on_piece(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    t.error_body.append(data, std::min(size, kMaxErrorBody - t.error_body.size()));
    return t.error_body.size() < kMaxErrorBody ? size : CURL_WRITEFUNC_ERROR;  // enough of it
  }
  t.enough = !t.piece({data, size});
  return t.enough ? CURL_WRITEFUNC_ERROR : size;
}

void configure(CURL* c, Transfer& t, const curl_slist* headers) {
  const Request& r = t.request;
  curl_easy_setopt(c, CURLOPT_URL, r.url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, r.url.starts_with("https://") ? "https" : "http");
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, &t);
  curl_easy_setopt(c, CURLOPT_PROXY, "");  // it would connect in our place
  curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT, r.body.empty() ? 8L : 150L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 90L);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  if (!r.body.empty()) {
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, r.body.c_str());
  }
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &on_piece);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
}

std::string_view header(CURL* c, const char* name) {
  curl_header* h = nullptr;
  return curl_easy_header(c, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? std::string_view(h->value) : std::string_view{};
}

std::optional<long> number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && value >= 0 ? std::optional(value) : std::nullopt;
}

struct Outcome {
  Error error;
  bool retry = false;
  std::optional<milliseconds> wait = {};  // as the provider asks
};

Outcome refused(CURL* c, const Dialect& dialect, long status, std::string_view body) {
  const Refusal r = dialect.refusal(status, body);
  Outcome out{r.error, r.retry};
  if (const auto should = header(c, "x-should-retry"); should == "false") out.retry = false;
  constexpr long kHour = 3600;  // what is longer is all the same, and must not overflow
  if (r.wait_seconds) out.wait = std::chrono::seconds(std::min(*r.wait_seconds, kHour));
  curl_off_t seconds = 0;
  curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0) out.wait = std::chrono::seconds(std::min<curl_off_t>(seconds, kHour));
  if (const auto precise = number(header(c, "retry-after-ms"))) out.wait = milliseconds(std::min(*precise, kHour * 1000));
  if (out.wait && *out.wait > kLongestWait) out.retry = false;  // said at once, not after minutes
  return out;
}

// Nothing: the answer came, whole or as far as was wanted.
std::optional<Outcome> perform(const Request& request, const Dialect& dialect, std::function<bool(std::string_view)> piece) {
  const std::unique_ptr<CURL, Closer> c(curl_easy_init());
  std::unique_ptr<curl_slist, Closer> headers(curl_slist_append(nullptr, "Content-Type: application/json"));
  for (const auto& h : request.headers) headers.reset(curl_slist_append(headers.release(), h.c_str()));
  Transfer t{.request = request, .piece = std::move(piece), .curl = c.get()};
  configure(c.get(), t, headers.get());
  const CURLcode code = curl_easy_perform(c.get());
  long status = 0;
  curl_easy_getinfo(c.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 0 && status != 200) return refused(c.get(), dialect, status, t.error_body);
  if (status == 200 && (t.enough || code == CURLE_OK)) return std::nullopt;
  if (t.refused && !t.connected)
    return Outcome{{Code::forbidden, "the AI provider's address is not public; whoever runs this allows its network in the configuration: [pilot] allow_networks, or owner_networks for what an Owner chose"}};
  if (code == CURLE_OPERATION_TIMEDOUT) return Outcome{{Code::timeout, "the AI provider took too long"}};
  return Outcome{{Code::unavailable, "no connection to the AI provider"}, true};
}

// Half a second, doubled, less what the clock's last digits say, so that many who were refused at once do not come back at once.
milliseconds pause(const Outcome& o, int tries) {
  if (o.wait) return *o.wait;
  const auto digits = std::chrono::steady_clock::now().time_since_epoch().count();
  const auto longest = std::min(milliseconds(500) * (1 << (tries - 1)), kLongestOwnWait);
  return longest - milliseconds(digits / 1000 % (longest.count() / 4 + 1));
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

Result<Request> request_to(const Provider& p, std::string_view path, const std::string& sent) {
  CAIP_TRY(url, url_of(p, path));
  CAIP_TRY(key, api_key(p, sent));
  Request out{std::move(url), dialect_of(p.vendor).headers(key), {}, {}};
  for (const auto& text : p.allow_networks) {
    CAIP_TRY(network, outbound::Network::parse(text));
    out.allowed.push_back(network);
  }
  return out;
}

// One try: the answer, or what became of it.
std::expected<Turn, Outcome> attempt(const Request& request, const Dialect& dialect, const OnText& on_text) {
  const auto reader = dialect.reader(on_text);
  SseParser events(kMaxReply);
  LineParser lines(kMaxReply);
  std::size_t received = 0;
  bool too_large = false;
  const auto piece = [&](std::string_view bytes) {
    bool over = false;
    received += bytes.size();
    const auto take = [&](std::string_view data) { return over = !reader->on_data(data), !over; };
    const auto fed = dialect.framing == Framing::lines ? lines.feed(bytes, take) : events.feed(bytes, [&](const SseEvent& e) { return take(e.data); });
    too_large = !fed || received > kMaxStream;
    return !over && !too_large;
  };
  auto failed = perform(request, dialect, piece);
  if (too_large) return std::unexpected(Outcome{{Code::too_large, "the AI's answer is too long"}});
  if (failed) {
    failed->retry = failed->retry && !reader->started();
    return std::unexpected(*std::move(failed));
  }
  if (dialect.framing == Framing::lines) static_cast<void>(lines.feed("\n", [&](std::string_view data) { return reader->on_data(data); }));  // the last one may lack its end
  auto turn = reader->finish();
  if (turn) return *std::move(turn);
  return std::unexpected(Outcome{turn.error(), !reader->started()});
}

}  // namespace

Result<Turn> ask(const TurnRequest& turn, const OnText& on_text, const std::string& sent) {
  const Dialect& dialect = dialect_of(turn.provider.vendor);
  CAIP_TRY(request, request_to(turn.provider, dialect.path(turn.provider), sent));
  request.headers.emplace_back(dialect.framing == Framing::lines ? "Accept: application/x-ndjson" : "Accept: text/event-stream");
  request.body = dialect.body(turn);
  for (int n = 1;; ++n) {
    auto outcome = attempt(request, dialect, on_text);
    if (outcome) return *std::move(outcome);
    if (!outcome.error().retry || n == kTries) return std::unexpected(std::move(outcome.error().error));
    std::this_thread::sleep_for(pause(outcome.error(), n));
  }
}

Result<std::vector<std::string>> models(const Provider& p, const std::string& sent) {
  const Dialect& dialect = dialect_of(p.vendor);
  CAIP_TRY(request, request_to(p, dialect.models_path, sent));
  std::string body;
  const auto failed = perform(request, dialect, [&](std::string_view bytes) {
    body += bytes;
    return body.size() <= kMaxModelsBody;
  });
  if (failed) return std::unexpected(failed->error);
  if (body.size() > kMaxModelsBody) return fail(Code::too_large, "the AI provider's list of models is too long");
  const auto answer = parse_object(body);
  if (!answer) return std::unexpected(protocol("not JSON"));
  return dialect.models(*answer);
}

}  // namespace caip::pilot
