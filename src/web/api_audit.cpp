// The audit log: entries, checkpoint, proofs, witnesses, exports.
#include <charconv>
#include <map>

#include "audit/access.h"
#include "auth/accounts.h"
#include "base/csv.h"
#include "base/guarded.h"
#include "permits.h"
#include "servers/witnesses.h"
#include "tile_path.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::int64_t kMaxSize = std::int64_t{1} << 53;
constexpr std::size_t kMaxValue = 256;
constexpr Duration kReadEvery = std::chrono::minutes(15);

const std::vector<Field> kFilters{{"from", "string", false},   {"until", "string", false},    {"actor", "string", false},
                                  {"approver", "string", false}, {"source", "string", false}, {"action", "string", false},
                                  {"target", "string", false}, {"result", "string", false},   {"text", "string", false}};

std::vector<Field> with_filters(std::vector<Field> more) {
  more.insert(more.end(), kFilters.begin(), kFilters.end());
  return more;
}

Result<std::optional<Instant>> time_in(const Call& call, std::string_view name) {
  const auto text = call.query_text(name);
  if (!text) return std::optional<Instant>{};
  CAIP_TRY(at, Instant::parse(*text));
  return std::optional(at);
}

Result<audit::Filter> filter_of(const Rooms& rooms, const Call& call) {
  audit::Filter f;
  f.org = call.session->org();
  // Entries of no organisation (unknown people's sign-ins, the installation's own keys) are the operator's.
  CAIP_TRY(first, rooms.accounts.first_org());
  f.unowned = first == f.org;
  CAIP_TRY(from, time_in(call, "from"));
  CAIP_TRY(until, time_in(call, "until"));
  f.from = from;
  f.until = until;
  for (const auto& [name, into] : {std::pair{"actor", &f.actor}, {"approver", &f.approver}, {"source", &f.source}, {"action", &f.action},
                                   {"target", &f.target}, {"result", &f.result}, {"text", &f.text}}) {
    *into = call.query_text(name);
    if (*into && ((*into)->empty() || (*into)->size() > kMaxValue)) return fail(Code::invalid, std::string(name) + " has 1 to 256 bytes");
  }
  CAIP_CHECKED(audit::acceptable(f));
  return f;
}

Result<std::uint64_t> entry_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || value > static_cast<std::uint64_t>(kMaxSize)) return fail(Code::not_found, "no such entry");
  return value;
}

// That somebody looked is an entry too: once a session (or token), organisation and quarter of an hour, or the log would
// grow by being looked at.
class Looks {
 public:
  Result<void> note(const Rooms& rooms, const Call& call) {
    const Principal& who = call.session->principal();
    const std::string reader = call.session->org().str() + (who.session ? who.session->str() : who.token.value().str());
    const Instant now = rooms.clock.now();
    const bool due = seen_.with([&](auto& seen) {
      std::erase_if(seen, [&](const auto& s) { return now - s.second >= kReadEvery; });
      return seen.try_emplace(reader, now).second;
    });
    if (!due) return {};
    CAIP_TRY(permit, permit_for(rooms, *call.session, ReadLog{}));
    auto receipt = rooms.log_access.read(std::move(permit));
    if (!receipt) {
      seen_.with([&](auto& seen) { seen.erase(reader); });
      return std::unexpected(std::move(receipt).error());  // nobody reads unrecorded
    }
    return {};
  }

 private:
  Guarded<std::map<std::string, Instant>> seen_;  // by organisation and session or token
};

Result<json::object> entry_json(const audit::Entry& e) {
  CAIP_TRY(body, parse_json(e.body));
  return json::object{{"index", e.index}, {"hash", hex(e.leaf)}, {"entry", std::move(body)}};
}

// One answer for what there is not and what is another organisation's.
Result<json::object> seen_entry(const Rooms& rooms, const audit::Filter& filter, std::uint64_t index) {
  CAIP_TRY(found, rooms.log.entry(index));
  CAIP_TRY(one, entry_json(found));
  const json::value& org = one.at("entry").at("org");
  const bool theirs = org.is_string() ? std::string_view(org.get_string()) == filter.org->str() : filter.unowned;
  if (!theirs) return fail(Code::not_found, "no such entry");
  return one;
}

Reply entry(const Rooms& rooms, Looks& looks, Call& call) {
  CAIP_TRY(index, entry_number(call.path_text("index")));
  CAIP_TRY(filter, filter_of(rooms, call));
  CAIP_CHECKED(looks.note(rooms, call));
  CAIP_TRY(one, on_record(rooms, *call.session, ReadLog{}, seen_entry(rooms, filter, index)));
  return json_reply(200, one);
}

Reply entries(const Rooms& rooms, Looks& looks, Call& call) {
  CAIP_TRY(limit, call.query_integer("limit", 50, 1, 200));
  CAIP_TRY(filter, filter_of(rooms, call));
  CAIP_CHECKED(looks.note(rooms, call));
  CAIP_TRY(page, rooms.log.list(filter, static_cast<std::size_t>(limit), call.query_text("cursor")));
  json::array data;
  for (const auto& e : page.entries) {
    CAIP_TRY(one, entry_json(e));
    data.push_back(std::move(one));
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

// --- export ---------------------------------------------------------------------------------------

// Where a piece goes on: "<next index>.<size>.<entry of the export>". It gives no access: the log
// knows the export, whose it is and of what (audit/query.h, check_piece).
struct Place {
  std::uint64_t from = 0, size = 0, closing = 0;
};

Result<Place> place_of(const std::string& text) {
  Place p;
  std::uint64_t* into[] = {&p.from, &p.size, &p.closing};
  std::string_view rest = text;
  for (std::size_t i = 0; i < std::size(into); ++i) {
    const auto dot = i + 1 < std::size(into) ? rest.find('.') : rest.size();
    if (dot == rest.npos || dot == 0 || dot > 15) return fail(Code::malformed, "not a place in an export");
    for (char c : rest.substr(0, dot)) {
      if (c < '0' || c > '9') return fail(Code::malformed, "not a place in an export");
      *into[i] = *into[i] * 10 + static_cast<std::uint64_t>(c - '0');
    }
    rest.remove_prefix(std::min(rest.size(), dot + 1));
  }
  if (p.closing >= p.size || p.from > p.size) return fail(Code::malformed, "not a place in an export");
  return p;
}

Result<Place> begin_export(const Rooms& rooms, Call& call, const audit::Filter& filter) {
  CAIP_TRY(size, rooms.log.size());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ExportLog{static_cast<std::int64_t>(size)}));
  CAIP_TRY(receipt, rooms.log_access.exported(std::move(permit), filter));
  CAIP_TRY(checkpoint, rooms.log.checkpoint_from(receipt.index() + 1));
  return Place{0, checkpoint.first, receipt.index()};
}

// The entries of a piece of a bundle, as another format has them.
Result<std::string> rendered(const std::string& piece, bool csv) {
  std::string out;
  for (std::string_view rest = piece; !rest.empty();) {
    const auto end = rest.find('\n');
    CAIP_TRY(line, parse_object(rest.substr(0, end)));
    rest.remove_prefix(end + 1);
    const auto* entry = line.if_contains("e");
    if (!entry || !entry->is_string()) continue;
    if (csv) {
      CAIP_TRY(body, parse_object(entry->get_string()));
      out += csv_row(line.at("i").to_number<std::uint64_t>(), body);
    } else {
      out += std::string(entry->get_string()) + "\n";
    }
  }
  return out;
}

std::string next_place(const Place& p, std::uint64_t from) {
  return std::to_string(from) + "." + std::to_string(p.size) + "." + std::to_string(p.closing);
}

Reply export_log(const Rooms& rooms, Call& call) {
  const std::string format = call.query_text("format").value_or("bundle");
  if (format != "bundle" && format != "jsonl" && format != "csv") return fail(Code::invalid, "format is bundle, jsonl or csv");
  CAIP_TRY(filter, filter_of(rooms, call));
  Place place;
  const auto given = call.query_text("place");
  if (given) {
    CAIP_TRY(p, place_of(*given));
    CAIP_CHECKED(rooms.log.check_piece(filter, call.session->user(), p.size, p.closing));
    place = p;
  } else {
    CAIP_TRY(p, begin_export(rooms, call, filter));
    place = p;
  }
  std::string body;
  if (!given && format == "bundle") {
    CAIP_TRY(head, rooms.log.bundle_head(filter, place.size, place.closing));
    body = std::move(head);
  }
  if (!given && format == "csv") body = csv_head();
  CAIP_TRY(piece, rooms.log.bundle_piece(filter, place.from, place.size));
  if (format == "bundle") {
    body += piece.first;
  } else {
    CAIP_TRY(text, rendered(piece.first, format == "csv"));
    body += text;
  }
  auto reply = text_reply(format == "csv" ? "text/csv; charset=utf-8" : "application/jsonl; charset=utf-8", std::move(body));
  reply.headers.emplace_back("Content-Disposition", "attachment; filename=\"audit." + format + "\"");
  if (piece.second < place.size && format == "bundle") reply.body += canonical(json::object{{"next", next_place(place, piece.second)}}) + "\n";
  if (piece.second < place.size) reply.headers.emplace_back("Caip-Next-Place", next_place(place, piece.second));
  return reply;
}

void add_export(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/audit/export", .operation = "exportAudit",
              .summary = "Entries with a proof that verifies by itself, in pieces: go on with place=<the header Caip-Next-Place>",
              .permission = Permission::audit_export, .handler = [&rooms](Call& c) { return export_log(rooms, c); },
              .query = with_filters({{"format", "string", false}, {"place", "string", false}}), .content_type = "application/jsonl", .other_types = {"text/csv"}});
}

Reply note_reply(Result<std::string> note) {
  if (!note) return std::unexpected(std::move(note).error());
  return text_reply("text/plain; charset=utf-8", *std::move(note));
}

void add_checkpoints(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/audit/checkpoint", .operation = "getCheckpoint", .summary = "The newest signed checkpoint",
              .permission = Permission::audit_verify, .handler = [&rooms](Call&) { return note_reply(rooms.log.checkpoint()); }, .content_type = "text/plain"});
  router.add({.method = "GET", .path = "/api/v1/audit/checkpoint/witnessed", .operation = "getWitnessedCheckpoint",
              .summary = "The newest checkpoint that servers have cosigned, with their cosignatures",
              .permission = Permission::audit_verify, .handler = [&rooms](Call&) { return note_reply(rooms.log.witnessed()); }, .content_type = "text/plain"});
  router.add({.method = "GET", .path = "/api/v1/audit/witnesses", .operation = "getWitnesses", .summary = "Which servers have seen how much of the log",
              .permission = Permission::audit_verify, .handler = [&rooms](Call& c) -> Reply {
                CAIP_TRY(quorum, rooms.witnesses.quorum(*c.session));
                return json_reply(200, servers::view(quorum));
              }, .answer = "Witnesses"});
}

// What never changes may be kept for good, by who was allowed to read it.
constexpr std::string_view kImmutable = "private, max-age=31536000, immutable";

Reply tile(const Rooms& rooms, const Call& call) {
  if (call.path_text("level") == "entries") return fail(Code::not_found, "entry bundles are not served: one would hold the entries of every organisation. Export the log instead");
  CAIP_TRY(level, parse_tile_level(call.path_text("level")));
  CAIP_TRY(at, parse_tile_path(call.path_text("tile")));
  CAIP_TRY(hashes, rooms.log.tile(level, at.index, at.width));
  auto reply = text_reply("application/octet-stream", std::string(text_of(hashes)));
  reply.headers.emplace_back("Cache-Control", kImmutable);
  return reply;
}

// The read paths of c2sp.org/tlog-tiles, for who may check the log. Hashes only: they say nothing of what others' entries are.
void add_tiles(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/audit/tlog/checkpoint", .operation = "getTlogCheckpoint", .summary = "The newest signed checkpoint, where c2sp.org/tlog-tiles has it",
              .permission = Permission::audit_verify, .handler = [&rooms](Call&) { return note_reply(rooms.log.checkpoint()); }, .content_type = "text/plain"});
  router.add({.method = "GET", .path = "/api/v1/audit/tlog/tile/{level}/{tile...}", .operation = "getTile",
              .summary = "A tile of the tree (c2sp.org/tlog-tiles): hashes at level 0 to 63; the tile is x001/x234/067, and x001/x234/067.p/17 while it has only 17",
              .permission = Permission::audit_verify, .handler = [&rooms](Call& c) { return tile(rooms, c); }, .content_type = "application/octet-stream"});
}

}  // namespace

void add_audit_routes(Router& router, const Rooms& rooms) {
  const auto looks = std::make_shared<Looks>();
  router.add({.method = "GET", .path = "/api/v1/audit/entries", .operation = "listAuditEntries", .summary = "The log, newest first",
              .permission = Permission::audit_view, .handler = [&rooms, looks](Call& c) { return entries(rooms, *looks, c); },
              .query = kFilters, .list = true, .answer = "AuditEntry"});
  router.add({.method = "GET", .path = "/api/v1/audit/entries/{index}", .operation = "getAuditEntry", .summary = "One entry, by its place in the log",
              .permission = Permission::audit_view, .handler = [&rooms, looks](Call& c) { return entry(rooms, *looks, c); }, .answer = "AuditEntry"});
  router.add({.method = "GET", .path = "/api/v1/audit/proofs/inclusion", .operation = "getInclusionProof", .summary = "That an entry is in the log",
              .permission = Permission::audit_verify, .handler = [&rooms](Call& c) { return inclusion(rooms, c); },
              .query = {{"index", "integer"}, {"size", "integer"}}, .answer = "InclusionProof"});
  router.add({.method = "GET", .path = "/api/v1/audit/proofs/consistency", .operation = "getConsistencyProof", .summary = "That the log only grew",
              .permission = Permission::audit_verify, .handler = [&rooms](Call& c) { return consistency(rooms, c); },
              .query = {{"from", "integer"}, {"to", "integer"}}, .answer = "ConsistencyProof"});
  add_checkpoints(router, rooms);
  add_export(router, rooms);
  add_tiles(router, rooms);
}

}  // namespace caip::web
