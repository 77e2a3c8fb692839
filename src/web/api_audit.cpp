// The audit log: entries, checkpoint, proofs.
#include "audit/query.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::int64_t kMaxSize = std::int64_t{1} << 53;

Reply entries(const Rooms& rooms, Call& call) {
  CAIP_TRY(limit, call.query_integer("limit", 50, 1, 200));
  audit::Filter filter{call.session->org(), call.query_text("action"), call.query_text("result")};
  CAIP_TRY(page, rooms.log.list(filter, static_cast<std::size_t>(limit), call.query_text("cursor")));
  json::array data;
  for (const auto& e : page.entries) {
    CAIP_TRY(body, parse_json(e.body));
    data.push_back(json::object{{"index", e.index}, {"hash", hex(e.leaf)}, {"entry", body}});
  }
  json::object reply{{"data", data}, {"next_cursor", nullptr}};
  if (page.next_cursor) reply["next_cursor"] = *page.next_cursor;
  return json_reply(200, reply);
}

json::array hex_list(const std::vector<Digest>& hashes) {
  json::array out;
  for (const auto& h : hashes) out.emplace_back(hex(h));
  return out;
}

Reply inclusion(const Rooms& rooms, Call& call) {
  CAIP_TRY(index, call.query_integer("index", 0, 0, kMaxSize));
  CAIP_TRY(size, call.query_integer("size", 0, 0, kMaxSize));
  CAIP_TRY(hashes, rooms.log.inclusion(static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(size)));
  return json_reply(200, json::object{{"index", index}, {"size", size}, {"hashes", hex_list(hashes)}});
}

Reply consistency(const Rooms& rooms, Call& call) {
  CAIP_TRY(from, call.query_integer("from", 0, 0, kMaxSize));
  CAIP_TRY(to, call.query_integer("to", 0, 0, kMaxSize));
  CAIP_TRY(hashes, rooms.log.consistency(static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to)));
  return json_reply(200, json::object{{"from", from}, {"to", to}, {"hashes", hex_list(hashes)}});
}

}  // namespace

void add_audit_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/audit/entries", .operation = "listAuditEntries", .summary = "The log, newest first",
              .permission = Permission::audit_view, .handler = [&rooms](Call& c) { return entries(rooms, c); },
              .query = {{"limit", "integer", false}, {"cursor", "string", false}, {"action", "string", false}, {"result", "string", false}}});
  router.add({.method = "GET", .path = "/api/v1/audit/checkpoint", .operation = "getCheckpoint", .summary = "The newest signed checkpoint",
              .permission = Permission::audit_view, .handler = [&rooms](Call&) -> Reply {
                CAIP_TRY(note, rooms.log.checkpoint());
                return text_reply("text/plain; charset=utf-8", note);
              }, .content_type = "text/plain"});
  router.add({.method = "GET", .path = "/api/v1/audit/proofs/inclusion", .operation = "getInclusionProof", .summary = "That an entry is in the log",
              .permission = Permission::audit_view, .handler = [&rooms](Call& c) { return inclusion(rooms, c); },
              .query = {{"index", "integer"}, {"size", "integer"}}});
  router.add({.method = "GET", .path = "/api/v1/audit/proofs/consistency", .operation = "getConsistencyProof", .summary = "That the log only grew",
              .permission = Permission::audit_view, .handler = [&rooms](Call& c) { return consistency(rooms, c); },
              .query = {{"from", "integer"}, {"to", "integer"}}});
}

}  // namespace caip::web
