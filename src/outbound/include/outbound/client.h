// outbound/client.h: HTTP requests and mail to the outside. Thread-safe. Every call waits for its
// end: call from a thread of your own or from a handler of a `slow` route, never from an API thread.
//
//   Client client(rules);
//   CAIP_TRY(answer, client.get("https://accounts.example/.well-known/openid-configuration"));
//   if (answer.status != 200) …          // an answer of any status is an answer
//
// What it refuses (Code::forbidden): an address that is neither public nor in a network that the
// configuration allows. Everything else that keeps an answer away is Code::unavailable, timeout or
// too_large. The details of errors name no URL, which may be a credential.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "outbound/network.h"

namespace caip::outbound {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Rules {  // from the configuration file
  std::vector<Network> allowed;     // besides public addresses; http:// is for these alone
  std::string ca_file;              // PEM, further authorities beside the system's
  std::vector<std::string> resolve_for_test = {};  // as CURLOPT_RESOLVE has them
};

enum class Body : std::uint8_t {
  whole,  // an answer over the limit is an error
  first,  // what fits will do
};

struct Limits {
  std::size_t body = 64U << 10U;
  std::size_t headers = 16U << 10U;
  std::chrono::milliseconds time{15000};    // everything together
  std::chrono::milliseconds connect{5000};  // of it, until connected
  Body keep = Body::whole;
};

// Credentials may be anywhere in it, so all of it is wiped when it goes.
struct Request {
  std::string method = "GET";
  std::string url;
  Pairs headers;
  std::string body;
  Limits limits;

  Request() = default;
  Request(Request&&) noexcept = default;
  Request& operator=(Request&&) noexcept = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request();
};

struct Response {
  int status = 0;
  std::string body;
  Pairs headers;  // names in lower case
  std::optional<std::chrono::seconds> retry_after;

  const std::string* header(std::string_view lower_case_name) const;
};

enum class MailSecurity : std::uint8_t { starttls, tls };

struct Letter {  // one recipient; without TLS nothing is sent
  std::string host;
  std::uint16_t port = 587;
  MailSecurity security = MailSecurity::starttls;
  std::string user;      // empty: no sign-in
  std::string password;
  std::string from, to;  // addresses alone
  std::string message;   // RFC 5322, lines end with CR LF
  Limits limits;

  Letter() = default;
  Letter(Letter&&) noexcept = default;
  Letter& operator=(Letter&&) noexcept = default;
  Letter(const Letter&) = delete;
  Letter& operator=(const Letter&) = delete;
  ~Letter();
};

// An SMTP server's refusal: 4xx may be tried again, 5xx not.
struct MailOutcome {
  int code = 250;
};

class Client final {
 public:
  explicit Client(Rules);

  // Redirects are answers (3xx), not followed. A stop takes effect within a second.
  Result<Response> send(const Request&, const std::stop_token& = {}) const;
  Result<Response> get(std::string url, Pairs headers = {}, Limits = {}, const std::stop_token& = {}) const;
  Result<Response> post_form(std::string url, const Pairs& form, Pairs headers = {}, Limits = {}, const std::stop_token& = {}) const;
  Result<MailOutcome> send_mail(const Letter&, const std::stop_token& = {}) const;

  // Whether send() would try: https (http where networks are allowed), a host, no user in it, at
  // most 2048 bytes, no address that is refused anyway. For early answers in forms; send() checks
  // again, with the address in hand.
  Result<void> acceptable(const std::string& url) const;

 private:
  bool may_connect(const Address&) const noexcept;
  Rules rules_;
};

std::string form_encoded(const Pairs&);

}  // namespace caip::outbound
