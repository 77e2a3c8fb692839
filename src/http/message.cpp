#include "http/message.h"

#include "base/json.h"

namespace caip::http {

std::string_view Request::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

Response problem(const Error& error, const std::string& request_id, int status) {
  const std::string code(code_text(error.code)), title(code_title(error.code));
  const bool inside = code_status(error.code) == 500;
  Response r;
  r.status = status ? status : code_status(error.code);
  r.content_type = "application/problem+json";
  r.body = json::serialize(json::object{
      {"type", "urn:caip:problem:" + code}, {"title", title}, {"status", r.status},
      {"detail", error.detail.empty() || inside ? title : error.detail}, {"code", code}, {"request_id", request_id}});
  if (r.status == 401) r.headers.emplace_back("WWW-Authenticate", "Bearer");
  return r;
}

}  // namespace caip::http
