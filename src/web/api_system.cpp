// Health, metrics, the API's description, events, and the files an install command fetches.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "auth/sessions.h"
#include "audit/query.h"
#include "base/bytes.h"
#include "base/guarded.h"
#include "crypto/hash.h"
#include "web/api.h"

namespace caip::web {
namespace {

// In memory once, however many fetch it, and only while somebody does.
class InstalledFile {
 public:
  Result<std::shared_ptr<const std::string>> get(const Rooms& rooms, const char* name) {
    return held_.with([&](auto& held) -> Result<std::shared_ptr<const std::string>> {
      if (auto there = held.lock()) return there;
      for (const auto& folder : rooms.install_folders) {
        std::ifstream file(folder + "/" + name, std::ios::binary);
        if (!file) continue;
        std::string bytes;
        file.seekg(0, std::ios::end);
        bytes.resize(static_cast<std::size_t>(file.tellg()));  // once, and not by doubling
        file.seekg(0);
        if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return fail(Code::internal, "an install file cannot be read");
        auto shared = std::make_shared<const std::string>(std::move(bytes));
        held = shared;
        return shared;
      }
      return fail(Code::not_found, "this file is not installed here");
    });
  }

 private:
  Guarded<std::weak_ptr<const std::string>> held_;
};

// What install.sh compares with before it puts anything in its place: the lines of sha256sum(1). Anybody may ask, so they are
// made anew only where a file has changed.
class Checksums {
 public:
  Result<std::string> get(const Rooms& rooms) {
    CAIP_TRY(now, stamps(rooms));
    return held_.with([&](auto& held) -> Result<std::string> {
      if (held.first == now && !now.empty()) return held.second;
      std::string text;
      for (std::size_t i = 0; i < kNames.size(); ++i) {
        CAIP_TRY(bytes, InstalledFile().get(rooms, kNames[i]));
        text += hex(crypto::sha256(view(*bytes))) + "  " + kNames[i] + "\n";
      }
      held = {std::move(now), text};
      return text;
    });
  }

 private:
  static constexpr std::array<const char*, 3> kNames{"caip-agent", "caip-helper", "install.sh"};
  using Stamps = std::vector<std::pair<std::filesystem::file_time_type, std::uintmax_t>>;

  static Result<Stamps> stamps(const Rooms& rooms) {
    Stamps out;
    for (const char* name : kNames) {
      const auto folder = std::ranges::find_if(rooms.install_folders, [&](const auto& f) { return std::filesystem::exists(std::filesystem::path(f) / name); });
      if (folder == rooms.install_folders.end()) return fail(Code::not_found, std::string(name) + " is not installed here");
      std::error_code gone;
      const auto path = std::filesystem::path(*folder) / name;
      out.emplace_back(std::filesystem::last_write_time(path, gone), std::filesystem::file_size(path, gone));
    }
    return out;
  }
  Guarded<std::pair<Stamps, std::string>> held_;
};

// What is a person's own is not for a program of theirs.
PermissionSet heard(const Principal& who) {
  PermissionSet out;
  for (const auto& row : permission_table())
    if (holds(who, row.permission) && (who.source != Source::api_token || row.token)) out.add(row.permission);
  return out;
}

Reply events(const Rooms& rooms, Call& call) {
  http::Response r;
  const Session& s = *call.session;
  CAIP_TRY(queue, rooms.events.subscribe(s.org(), s.user(), heard(s.principal())));
  r.events = std::move(queue);
  auto token = cookie(call.request, kSessionCookie).value_or("");
  std::string_view bearer = call.request.header("authorization");
  if (bearer.starts_with("Bearer ")) token = std::string(bearer.substr(7));
  // Asked twice a second: a revoked or expired session ends its stream, as do other rights and another organisation.
  r.alive = [&rooms, token, origin = call.origin(), org = s.org(), may = held(s.principal())] {
    auto session = rooms.sessions.verify(token, origin);
    return session && session->org() == org && held(session->principal()) == may;
  };
  return r;
}

std::int64_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

Reply metrics(const Rooms& rooms, Call& call) {
  const std::string& from = call.request.address;
  if (!from.starts_with("127.") && from != "::1" && from != "::ffff:127.0.0.1") return fail(Code::forbidden, "from this machine only");
  auto size = rooms.log.size();
  std::string out = "# TYPE caip_log_entries gauge\ncaip_log_entries " + std::to_string(size ? *size : 0) + "\n";
  out += "# TYPE caip_event_readers gauge\ncaip_event_readers " + std::to_string(rooms.events.readers()) + "\n";
  out += "# TYPE caip_resident_bytes gauge\ncaip_resident_bytes " + std::to_string(resident_kib() * 1024) + "\n# EOF\n";
  return text_reply("application/openmetrics-text; version=1.0.0; charset=utf-8", std::move(out));
}

void add_file(Router& router, const Rooms& rooms, const char* path, const char* operation, const char* name, const char* type) {
  router.add({.method = "GET", .path = path, .operation = operation, .summary = "For the install command", .permission = {},
              .handler = [&rooms, name, type, file = std::make_shared<InstalledFile>()](Call&) -> Reply {
                CAIP_TRY(bytes, file->get(rooms, name));
                http::Response r = text_reply(type, {});
                r.shared = std::move(bytes);
                return r;
              }, .content_type = type});
}

}  // namespace

void add_system_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/healthz", .operation = "health", .summary = "The process answers", .permission = {},
              .handler = [](Call&) -> Reply { return json_reply(200, json::object{{"status", "ok"}}); }, .answer = "Health"});
  router.add({.method = "GET", .path = "/readyz", .operation = "ready", .summary = "The database answers too", .permission = {},
              .handler = [&rooms](Call&) -> Reply {
                CAIP_TRY(size, rooms.log.size());
                return json_reply(200, json::object{{"status", "ready"}, {"log_size", size}});
              }, .answer = "Readiness"});
  router.add({.method = "GET", .path = "/metrics", .operation = "metrics", .summary = "OpenMetrics, from loopback only", .permission = {},
              .handler = [&rooms](Call& c) { return metrics(rooms, c); }, .content_type = "application/openmetrics-text"});
  router.add({.method = "GET", .path = "/api/v1/openapi.json", .operation = "getOpenApi", .summary = "This description", .permission = {},
              .handler = [&router](Call&) -> Reply { return json_reply(200, openapi(router.routes())); }, .answer = "OpenApi"});
  router.add({.method = "GET", .path = "/api/v1/events", .operation = "streamEvents", .summary = "Server-sent events", .permission = Permission::own_session,
              .handler = [&rooms](Call& c) { return events(rooms, c); }, .content_type = "text/event-stream", .tokens_too = true});
  router.add({.method = "GET", .path = "/agent-ca.pem", .operation = "getAgentAuthority", .summary = "The certificate of the authority of the agents' channel", .permission = {},
              .handler = [&rooms](Call&) -> Reply { return text_reply("application/x-pem-file", rooms.authorities().agent_ca_pem); }, .content_type = "application/x-pem-file"});
  router.add({.method = "GET", .path = "/ca.pem", .operation = "getAuthority", .summary = "The certificate of our own authority", .permission = {},
              .handler = [&rooms](Call&) -> Reply { return text_reply("application/x-pem-file", rooms.authorities().ca_pem); }, .content_type = "application/x-pem-file"});
  add_file(router, rooms, "/install.sh", "getInstallScript", "install.sh", "text/x-shellscript");
  add_file(router, rooms, "/install/caip-agent", "getAgent", "caip-agent", "application/octet-stream");
  add_file(router, rooms, "/install/caip-helper", "getHelper", "caip-helper", "application/octet-stream");
  router.add({.method = "GET", .path = "/install/SHA256SUMS", .operation = "getChecksums", .summary = "Of what the install command fetches", .permission = {},
              .handler = [&rooms, sums = std::make_shared<Checksums>()](Call&) -> Reply {
                CAIP_TRY(text, sums->get(rooms));
                return text_reply("text/plain; charset=utf-8", std::move(text));
              }, .content_type = "text/plain"});
}

}  // namespace caip::web
