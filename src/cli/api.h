// api.h: the public API as the commands use it: signs requests, refreshes the session once when
// it ran out, turns problem documents into Error, follows cursors.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "http.h"
#include "state.h"

namespace caip::cli {

struct Line;

class Api {
 public:
  Api(Paths paths, Config config) : paths_(std::move(paths)), config_(std::move(config)) {}
  // The server of the last login. What asks for the password again gets it from --password-file or a prompt.
  static Result<Api> open(const Line&);

  Result<json::object> get(const std::string& path);
  Result<std::string> get_text(const std::string& path);  // what is no JSON document
  Result<json::object> post(const std::string& path, const json::object& body);  // with an idempotency key
  Result<json::object> put(const std::string& path, const json::object& body, const std::string& version = {});  // If-Match
  // Any method, with or without a body and a version; no idempotency key unless it is a POST.
  Result<json::object> send_json(std::string method, const std::string& path, const std::optional<json::object>& body, const std::string& version = {});
  Result<json::object> remove(const std::string& path, const std::string& version = {});
  Result<json::array> list(const std::string& path);  // all pages
  // Without a session: setup and sign-in.
  Result<json::object> post_anonymous(const std::string& path, const json::object& body);
  // The session that an answer brought, or an API token in its place: kept as this server's. The answer has no secret then.
  Result<void> keep_session(json::object& answer);
  Result<void> keep_api_token(const std::string&);
  // The same, in place of the session that is here, which ends once the new one is kept.
  Result<void> replace_session(json::object& answer);
  // The session that an answer brought is not wanted: it ends, and nothing here changes.
  void end_session(const json::object& answer);
  // GET /api/v1/events; `sink` gets the raw stream and ends it with false.
  Result<void> events(long seconds, std::function<bool(std::string_view)> sink, std::function<bool()> cancelled);

  const Config& config() const { return config_; }
  const Paths& paths() const { return paths_; }

 private:
  Result<Reply> signed_request(const Request&);
  Result<Reply> with_token(Request);  // refreshes once
  Result<void> step_up();
  Result<void> refresh(const std::string& used_access);
  Result<void> write_session(json::object& answer);  // under SessionLock
  void end(const std::string& access_token);
  std::string url(const std::string& path) const { return config_.url + "/api/v1" + path; }
  std::optional<std::filesystem::path> ca() const;

  Paths paths_;
  Config config_;
  std::string password_file_;
};

// The error a reply stands for, or its JSON.
Result<json::object> understood(const Reply&);
Error problem_of(const Reply&);
int exit_code(Code) noexcept;

std::string percent_encoded(std::string_view);
// Members of an answer, "" when absent or of another type.
std::string text_of_member(const json::object&, std::string_view name);
double number_member(const json::object&, std::string_view name);  // 0, where there is none
std::string version_of(const json::object&);  // the number in "version", for If-Match
const json::object* object_member(const json::object&, std::string_view name);

}  // namespace caip::cli
