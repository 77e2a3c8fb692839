// Questions and answers, the same for all providers.
#include <algorithm>

#include "provider.h"

namespace caip::federation {
namespace {

outbound::Request request(std::string method, std::string url) {
  outbound::Request q;
  q.method = std::move(method);
  q.url = std::move(url);
  q.limits = {.body = 256U << 10U, .time = std::chrono::seconds(10)};
  return q;
}

bool is_json(const std::string* type) { return type && (type->starts_with("application/json") || type->find("+json") != std::string::npos); }

}  // namespace

outbound::Request question(std::string url) {
  outbound::Request q = request("GET", std::move(url));
  q.headers = {{"Accept", "application/json"}};
  return q;
}

outbound::Request form_question(std::string url, const outbound::Pairs& form) {
  outbound::Request q = request("POST", std::move(url));
  q.headers = {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}};
  q.body = outbound::form_encoded(form);
  return q;
}

Result<outbound::Response> Questions::ask(outbound::Request&& q) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until_ - clock_.now());
  if (left <= std::chrono::milliseconds(0)) return fail(Code::timeout, "no answer in time");
  q.limits.time = std::min(q.limits.time, left);
  return fetch_(q);
}

std::string secret_of(const ProviderConfig& c) {
  std::string out;
  c.client_secret->expose(Use::named_use, [&](BytesView b) { out = text_of(b); });
  return out;
}

// RFC 6749 section 2.3.1: both halves are encoded as in a form first.
std::string basic_authorization(const ProviderConfig& c) {
  const auto encoded = [](const std::string& text) { return outbound::form_encoded({{"v", text}}).substr(2); };
  return "Basic " + base64(view(encoded(c.client_id) + ':' + encoded(secret_of(c))));
}

Result<std::string> json_of(Result<outbound::Response> answer, const char* what) {
  const std::string about(what);
  if (!answer) return fail(Code::unavailable, "the provider could not be asked for " + about + ": " + answer.error().detail);
  if (answer->status != 200) return fail(Code::unavailable, "the provider answered " + std::to_string(answer->status) + " when asked for " + about);
  if (!is_json(answer->header("content-type"))) return fail(Code::unavailable, "the provider's answer is not JSON when asked for " + about);
  return std::move(answer->body);
}

}  // namespace caip::federation
