#include "http.h"

#include <curl/curl.h>

#include <memory>

#include "base/text.h"

namespace caip::cli {
namespace {

constexpr std::size_t kMaxBody = 16U << 20U;

struct Handle {
  Handle() {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(global);
    curl = curl_easy_init();
    CAIP_ASSERT(curl != nullptr);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
  template <class V>
  void set(CURLoption option, V value) { CAIP_ASSERT(curl_easy_setopt(curl, option, value) == CURLE_OK); }
  void header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

  CURL* curl = nullptr;
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = {};
};

void common(Handle& h, const std::string& url) {
  h.set(CURLOPT_URL, url.c_str());
  h.set(CURLOPT_ERRORBUFFER, &h.error[0]);
  h.set(CURLOPT_PROTOCOLS_STR, "https");
  h.set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
  h.set(CURLOPT_FOLLOWLOCATION, 0L);
  h.set(CURLOPT_NOSIGNAL, 1L);
  h.set(CURLOPT_CONNECTTIMEOUT, 10L);
}

struct Sink {
  const Request& request;
  Reply& reply;
  CURL* curl;
  bool stopped = false;
  bool too_large = false;
};

std::size_t on_data(char* data, std::size_t, std::size_t size, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  long status = 0;
  curl_easy_getinfo(sink.curl, CURLINFO_RESPONSE_CODE, &status);
  if (sink.request.sink && status / 100 == 2) {
    if (sink.request.sink({data, size})) return size;
    sink.stopped = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (sink.reply.body.size() + size > kMaxBody) {
    sink.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  sink.reply.body.append(data, size);
  return size;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& sink = *static_cast<Sink*>(user);
  sink.stopped = sink.stopped || sink.request.cancelled();
  return sink.stopped ? 1 : 0;
}

Error transport_error(CURLcode code, const Handle& h) {
  const std::string text = shown(h.error[0] != '\0' ? h.error : curl_easy_strerror(code));
  if (code == CURLE_OPERATION_TIMEDOUT) return {Code::timeout, "no answer in time: " + text};
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    return {Code::unavailable, "the server's certificate does not hold: " + text};
  return {Code::unavailable, "no connection: " + text};
}

}  // namespace

Result<Reply> send(const Request& request, const std::optional<std::filesystem::path>& ca) {
  Handle h;
  Reply reply;
  Sink sink{request, reply, h.curl};
  common(h, request.url);
  if (ca) {
    h.set(CURLOPT_CAINFO, ca->c_str());
    h.set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  h.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  h.set(CURLOPT_TIMEOUT, request.timeout_seconds);
  for (const auto& line : request.headers) h.header(line);
  if (request.body) {
    h.header("Content-Type: application/json");
    h.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    h.set(CURLOPT_POSTFIELDS, request.body->c_str());
  }
  h.set(CURLOPT_HTTPHEADER, h.headers);
  h.set(CURLOPT_USERAGENT, "caip");
  h.set(CURLOPT_WRITEFUNCTION, &on_data);
  h.set(CURLOPT_WRITEDATA, &sink);
  if (request.cancelled) {
    h.set(CURLOPT_NOPROGRESS, 0L);
    h.set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    h.set(CURLOPT_XFERINFODATA, &sink);
  }
  const CURLcode code = curl_easy_perform(h.curl);
  if (sink.too_large) return fail(Code::too_large, "the server's answer is too large");
  if (code != CURLE_OK && !sink.stopped) return std::unexpected(transport_error(code, h));
  curl_easy_getinfo(h.curl, CURLINFO_RESPONSE_CODE, &reply.status);
  const char* type = nullptr;
  curl_easy_getinfo(h.curl, CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) reply.content_type = type;
  return reply;
}

Result<std::vector<std::string>> presented_chain(const std::string& url) {
  Handle h;
  common(h, url);
  h.set(CURLOPT_SSL_VERIFYPEER, 0L);
  h.set(CURLOPT_SSL_VERIFYHOST, 0L);
  h.set(CURLOPT_CERTINFO, 1L);
  h.set(CURLOPT_CONNECT_ONLY, 1L);
  if (const CURLcode code = curl_easy_perform(h.curl); code != CURLE_OK) return std::unexpected(transport_error(code, h));
  curl_certinfo* info = nullptr;
  curl_easy_getinfo(h.curl, CURLINFO_CERTINFO, &info);
  std::vector<std::string> chain;
  for (int i = 0; info != nullptr && i < info->num_of_certs; ++i)
    for (const curl_slist* line = info->certinfo[i]; line != nullptr; line = line->next)
      if (const std::string_view text = line->data; text.starts_with("Cert:")) chain.emplace_back(text.substr(5));
  if (chain.empty()) return fail(Code::unavailable, "the server showed no certificate");
  return chain;
}

bool trusted_by_system(const std::string& url) {
  Handle h;
  common(h, url);
  h.set(CURLOPT_CONNECT_ONLY, 1L);
  return curl_easy_perform(h.curl) == CURLE_OK;
}

}  // namespace caip::cli
