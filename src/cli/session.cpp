// login, logout, setup, whoami.
#include "api.h"
#include "browser.h"
#include "commands.h"
#include "contact.h"
#include "let_in.h"
#include "terminal.h"

#include "base/text.h"

namespace caip::cli {
namespace {

Result<std::string> password_for(const Line& line) {
  if (!line.password_file.empty()) return first_line_of_file(line.password_file);
  if (line.password_stdin) return first_line_of_stdin();
  return typed("Password", true);
}

// With --password-stdin the code is the second line.
Result<std::string> code_for(const Line& line) {
  if (line.password_stdin) return first_line_of_stdin();
  return typed("Code of your authenticator app, or a recovery code", false);
}

// What a sign-in answered, in our folder; without its secrets, as it may be printed.
Result<json::object> keep_session(Api& api, json::object body) {
  CAIP_CHECKED(api.keep_session(body));
  CAIP_CHECKED(save_config(api.paths(), api.config()));
  CAIP_CHECKED(save_device(api.paths(), text_of_member(body, "device_token")));
  body.erase("device_token");
  return body;
}

Result<json::object> sign_in(Api& api, const Line& line, const std::string& email, const std::string& password) {
  json::object asked{{"email", email}, {"password", password}, {"client", "cli"}};
  if (const auto device = load_device(api.paths()); !device.empty()) asked["device_token"] = device;
  CAIP_TRY(body, api.post_anonymous("/sessions", asked));
  if (const std::string pending = text_of_member(body, "pending_token"); !pending.empty()) {
    CAIP_TRY(code, code_for(line));
    CAIP_TRY(in, api.post_anonymous("/sessions/second-factor", {{"code", code}, {"pending_token", pending}}));
    body = std::move(in);
  }
  return keep_session(api, std::move(body));
}

void print_session(const Line& line, const json::object& session) {
  if (line.as_json) return print_json(session);
  const auto* user = object_member(session, "user");
  const auto* organization = object_member(session, "organization");
  print("Signed in as " + shown(user ? text_of_member(*user, "email") : "") + ", " + shown(text_of_member(session, "role")) + " of " +
        shown(organization ? text_of_member(*organization, "name") : ""));
}

// A passkey or a provider's page is shown by a browser: it lets us in.
Result<int> login_by_browser(Api& api, const Line& line) {
  CAIP_TRY(body, let_in_by_browser(api, line, Errand::sign_in));
  CAIP_TRY(session, keep_session(api, std::move(body)));
  print_session(line, session);
  return 0;
}

// An API token takes the place of a session: it is kept as one is, and not renewed.
Result<int> login_with_token(Api& api, const Line& line) {
  CAIP_TRY(file, read_file(line.token_file, 4096));
  CAIP_CHECKED(api.keep_api_token(file.substr(0, file.find_first_of(" \r\n"))));
  CAIP_CHECKED(save_config(api.paths(), api.config()));
  auto session = api.get("/session");
  if (!session) return forget_tokens(api.paths()), std::unexpected<Error>(std::move(session).error());
  print_session(line, *session);
  return 0;
}

}  // namespace

Result<json::object> let_in_by_browser(Api& api, const Line& line, Errand errand) {
  CAIP_TRY(let_in, browser_code(api.config().url, line.callback_port, errand));
  json::object asked{{"code", let_in.code}, {"verifier", let_in.verifier}};
  if (const auto device = load_device(api.paths()); !device.empty()) asked["device_token"] = device;
  return api.post_anonymous("/sessions/handed-over", asked);
}

Result<int> login(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  if (!line.token_file.empty()) return login_with_token(api, line);
  if (line.browser) return login_by_browser(api, line);
  CAIP_TRY(email, email_for(line));
  CAIP_TRY(password, password_for(line));
  CAIP_TRY(session, sign_in(api, line, email, password));
  print_session(line, session);
  return 0;
}

Result<int> logout(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  const auto ended = api.remove("/session");
  forget_tokens(api.paths());
  if (!ended && ended.error().code != Code::unauthenticated) return std::unexpected(ended.error());
  if (line.as_json) print_json(json::object{{"signed_out", true}});
  else print("Signed out");
  return 0;
}

Result<int> setup(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  CAIP_TRY(file, read_file(line.token_file, 4096));
  const std::string token = file.substr(0, file.find_first_of(" \r\n"));
  CAIP_TRY(email, email_for(line));
  CAIP_TRY(password, password_for(line));
  CAIP_CHECKED(api.post_anonymous("/setup", {{"token", token}, {"email", email}, {"password", password}, {"organization", line.organization}}));
  CAIP_TRY(session, sign_in(api, line, email, password));
  print_session(line, session);
  return 0;
}

Result<int> whoami(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(session, api.get("/session"));
  print_session(line, session);
  return 0;
}

}  // namespace caip::cli
