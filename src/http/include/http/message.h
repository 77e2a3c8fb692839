// http/message.h: one request and one response, as the worker pool sees them. Everything in a
// Request but `address` and `id` is text from outside.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace caip::http {

class EventQueue;
using Header = std::pair<std::string, std::string>;

struct Request {
  std::string method;   // "GET"
  std::string path;     // percent-encoded, starts with '/', no query
  std::string query;    // without '?'
  std::vector<Header> headers;  // names in lower case
  std::string body;
  std::string address;  // of the peer, or of whom a configured proxy names
  std::string id;       // req_…, ours

  // The first header of that name (lower case), or "".
  std::string_view header(std::string_view name) const noexcept;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<Header> headers;
  // Instead of body, for what many may fetch at once: shared, or of static storage duration.
  std::shared_ptr<const std::string> shared;
  std::string_view lasting;
  // Server-sent events: the body is what comes out of the queue, until it is closed or
  // alive() (asked once a second) says no.
  std::shared_ptr<EventQueue> events;
  std::function<bool()> alive;
};

// RFC 9457: what was refused and why. A fault of ours is named only in our own log, by the request's
// id. `status` where HTTP has a finer one than the code.
Response problem(const Error&, const std::string& request_id, int status = 0);

using Handler = std::function<Response(const Request&)>;

}  // namespace caip::http
