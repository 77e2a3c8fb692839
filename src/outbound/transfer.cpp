#include "transfer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cctype>

namespace caip::outbound {
namespace {

// The one check of the address. libcurl connects to what stands in `a` and to nothing else, so a
// name that resolves differently a moment later changes nothing.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* a) {
  auto& t = *static_cast<Transfer*>(user);
  const auto address = Address::of(&a->addr);
  if (!address || !t.may_connect(*address)) {
    t.refused = true;
    return CURL_SOCKET_BAD;
  }
  t.connected = true;
  return ::socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->stop.stop_requested() ? 1 : 0;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::size_t room = t.limits.body - t.response.body.size();
  t.response.body.append(data, std::min(size, room));
  if (size <= room) return size;
  if (t.limits.keep == Body::whole) t.too_large = true;
  return CURL_WRITEFUNC_ERROR;
}

std::string_view trimmed(std::string_view s) {
  const auto from = s.find_first_not_of(" \t"), to = s.find_last_not_of(" \t\r\n");
  return from == s.npos || to == s.npos ? std::string_view() : s.substr(from, to - from + 1);
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  t.header_bytes += size;
  if (t.header_bytes > t.limits.headers) {
    t.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) t.head_over = false;  // after 100 Continue there is another
  else if (line == "\r\n") t.head_over = true;
  const auto colon = line.find(':');
  if (colon == line.npos) return size;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  t.response.headers.emplace_back(std::move(name), std::string(trimmed(line.substr(colon + 1))));
  return size;
}

std::size_t give(char* to, std::size_t, std::size_t room, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::size_t n = std::min(room, t.to_send.size() - t.sent);
  std::copy_n(t.to_send.data() + t.sent, n, to);
  t.sent += n;
  return n;
}

std::unexpected<Error> reason(CURLcode code, const Transfer& t) {
  if (t.stop.stop_requested()) return fail(Code::unavailable, "stopped");
  if (t.too_large) return fail(Code::too_large, "the answer is too large");
  if (t.refused && !t.connected) return fail(Code::forbidden, "the address is not public, and the configuration allows no network with it");
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return fail(Code::unavailable, "the host's name does not resolve");
    case CURLE_COULDNT_CONNECT: return fail(Code::unavailable, "no connection");
    case CURLE_OPERATION_TIMEDOUT: return fail(Code::timeout, "no answer in time");
    case CURLE_SSL_CONNECT_ERROR: return fail(Code::unavailable, "no TLS connection");
    case CURLE_USE_SSL_FAILED: return fail(Code::unavailable, "the mail server offers no TLS");
    case CURLE_PEER_FAILED_VERIFICATION: return fail(Code::unavailable, "the certificate is not trusted");
    case CURLE_SSL_CACERT_BADFILE: return fail(Code::unavailable, "the file with authorities (outbound.ca_file) cannot be read");
    case CURLE_URL_MALFORMAT: return fail(Code::invalid, "not a URL");
    case CURLE_LOGIN_DENIED: return fail(Code::bad_credentials, "the mail server refuses user and password");
    default: return fail(Code::unavailable, "the connection broke off");
  }
}

}  // namespace

void add(Owned<curl_slist>& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  CAIP_ASSERT(longer != nullptr);
  static_cast<void>(list.release());
  list.reset(longer);
}

void configure(CURL* c, const Rules& rules, Transfer& t) {
  curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, &t);
  curl_easy_setopt(c, CURLOPT_PROXY, "");  // and none from the environment
  curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(c, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // The system's authorities stay: libcurl looks into their folder beside this file.
  if (!rules.ca_file.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, rules.ca_file.c_str());
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(t.limits.connect.count()));
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(t.limits.time.count()));
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &t);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(c, CURLOPT_READFUNCTION, &give);
  curl_easy_setopt(c, CURLOPT_READDATA, &t);
}

Result<void> perform(CURL* c, Transfer& t) {
  const CURLcode code = curl_easy_perform(c);
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  t.response.status = static_cast<int>(status);
  if (code == CURLE_OK) return {};
  // Who keeps what fits has the answer with its head: what breaks off after that changes nothing.
  if (t.limits.keep == Body::first && t.head_over && !t.too_large && !t.stop.stop_requested()) return {};
  return reason(code, t);
}

}  // namespace caip::outbound
