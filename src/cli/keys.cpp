// server key …: what a server's agent proves itself with.
#include <chrono>
#include <thread>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string path_of(const json::object& server) { return "/servers/" + percent_encoded(text_of_member(server, "id")) + "/key"; }

std::string or_none(const json::object& o, std::string_view name) {
  const std::string text = text_of_member(o, name);
  return text.empty() ? "-" : text;
}

std::string check_text(const json::object& k) {
  const auto* check = object_member(k, "check");
  if (check == nullptr || text_of_member(*check, "at").empty()) return "never";
  const std::string why = text_of_member(*check, "why");
  return text_of_member(*check, "state") + " on " + text_of_member(*check, "at") + (why.empty() ? "" : ": " + why);
}

}  // namespace

Result<int> server_key(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(k, api.get(path_of(server)));
  if (line.as_json) return print_json(k), 0;
  const std::vector<Row> rows{{"state", text_of_member(k, "state")},
                              {"key", or_none(k, "key")},
                              {"in use since", text_of_member(k, "key_since")},
                              {"next key", or_none(k, "next_key")},
                              {"certificate", or_none(k, "certificate_from") + " to " + or_none(k, "certificate_until")},
                              {"signature", or_none(k, "signature")},
                              {"key exchange", or_none(k, "group")},
                              {"last check", check_text(k)}};
  print(table({"server", text_of_member(server, "name")}, rows));
  return 0;
}

// Waits for its end, which comes within 20 seconds.
Result<int> server_check_key(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(k, api.post(path_of(server) + "/check", {}));
  const auto running = [](const json::object& now) { return text_of_member(*object_member(now, "check"), "state") == "running"; };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (running(k)) {
    if (std::chrono::steady_clock::now() >= end) return fail(Code::timeout, "not finished after 30 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    CAIP_TRY(now, api.get(path_of(server)));
    k = std::move(now);
  }
  const json::object& check = *object_member(k, "check");
  const bool passed = text_of_member(check, "state") == "passed";
  if (line.as_json) return print_json(k), passed ? 0 : 1;
  print(shown(text_of_member(server, "name")) + ": " + shown(check_text(k)));
  if (passed)
    print(table({"what", "how"}, {{"key exchange", text_of_member(check, "group")}, {"signature of the handshake", text_of_member(check, "signature")},
                                  {"key that signed handshake and challenge", text_of_member(check, "key")}, {"its certificate is good until", text_of_member(check, "certificate_until")}}));
  return passed ? 0 : 1;
}

Result<int> server_rotate_key(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(k, api.post(path_of(server) + "/rotate", {}));
  if (line.as_json) return print_json(k), 0;
  print(shown(text_of_member(server, "name")) + " makes a new key as soon as it is connected; the one it has counts until the new one is used");
  return 0;
}

Result<int> server_revoke_key(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  const std::string name = text_of_member(server, "name");
  CAIP_CHECKED(sure(line.confirm, "Revoke the key of " + shown(name) + "? Its agent is thrown out at once and let in no more; the way back is an install command, run there as root.", name));
  CAIP_TRY(k, api.post(path_of(server) + "/revoke", {}));
  if (line.as_json) return print_json(k), 0;
  print("Revoked the key of " + shown(name) + ". The way back: caip server add " + shown(name) + " --replace");
  return 0;
}

}  // namespace caip::cli
