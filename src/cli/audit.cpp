// audit …
#include <algorithm>
#include <filesystem>

#include "api.h"
#include "base/csv.h"
#include "base/text.h"
#include "base/time.h"
#include "commands.h"
#include "crypto/note.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string actor_of(const json::object& entry) {
  const auto* actor = object_member(entry, "actor");
  if (actor == nullptr) return "-";
  return text_of_member(*actor, "kind") + " " + text_of_member(*actor, "id");
}

// A day, or a time of day to the second, as the API has it.
Result<std::string> full_time(const std::string& text) {
  std::string t = text;
  if (t.size() == 10) t += "T00:00:00Z";
  if (t.size() == 20 && t.ends_with('Z')) t.insert(19, ".000000");
  if (!Instant::parse(t)) return fail(Code::invalid, "not a time: " + text);
  return t;
}

// "&action=…" and so on: what was given of the filters.
Result<std::string> filters_of(const Line& line) {
  std::string out;
  for (const auto& [name, value] : {std::pair{"actor", &line.actor}, {"approver", &line.approver}, {"source", &line.source}, {"action", &line.action},
                                    {"target", &line.target}, {"result", &line.result}, {"text", &line.text}})
    if (!value->empty()) out += std::string("&") + name + "=" + percent_encoded(*value);
  for (const auto& [name, value] : {std::pair{"from", &line.from}, {"until", &line.until}}) {
    if (value->empty()) continue;
    CAIP_TRY(time, full_time(*value));
    out += std::string("&") + name + "=" + percent_encoded(time);
  }
  return out;
}

Result<json::array> newest(Api& api, const Line& line) {
  CAIP_TRY(filters, filters_of(line));
  const std::string path = "/audit/entries?limit=" + std::to_string(std::min<std::int64_t>(line.limit, 200)) + filters;
  json::array all;
  std::string cursor;
  while (all.size() < static_cast<std::size_t>(line.limit)) {
    CAIP_TRY(page, api.get(cursor.empty() ? path : path + "&cursor=" + percent_encoded(cursor)));
    const json::value* data = page.if_contains("data");
    if (data == nullptr || !data->is_array()) return fail(Code::internal, "the server's answer is not a list");
    for (const auto& item : data->get_array())
      if (item.is_object() && all.size() < static_cast<std::size_t>(line.limit)) all.push_back(item);
    cursor = text_of_member(page, "next_cursor");
    if (cursor.empty()) break;
  }
  return all;
}

std::int64_t index_of(const json::object& item) {
  const json::value* index = item.if_contains("index");
  return index != nullptr && index->is_int64() ? index->get_int64() : -1;
}

const Row kColumns{"INDEX", "AT", "ACTION", "RESULT", "SOURCE", "ACTOR", "TARGET"};

std::string in_one_line(const Row& row) {
  std::string text;
  for (const auto& cell : row) text += (text.empty() ? "" : "  ") + cell;
  return shown(text) + "\n";
}

std::optional<Row> row_of(const json::object& item) {
  const auto* e = object_member(item, "entry");
  if (e == nullptr) return std::nullopt;
  return Row{std::to_string(index_of(item)), text_of_member(*e, "at"), text_of_member(*e, "action"), text_of_member(*e, "result"),
             text_of_member(*e, "source"), actor_of(*e), text_of_member(*e, "target")};
}

// What came after `seen`, oldest first.
Result<std::vector<json::object>> after(Api& api, const Line& line, std::int64_t seen) {
  CAIP_TRY(filters, filters_of(line));
  std::vector<json::object> out;
  std::string cursor;
  for (int pages = 0; pages < 50; ++pages) {
    CAIP_TRY(page, api.get("/audit/entries?limit=200" + filters + (cursor.empty() ? "" : "&cursor=" + percent_encoded(cursor))));
    const json::value* data = page.if_contains("data");
    if (data == nullptr || !data->is_array()) return fail(Code::internal, "the server's answer is not a list");
    bool older = false;
    for (const auto& item : data->get_array()) {
      if (!item.is_object()) continue;
      older = older || index_of(item.get_object()) <= seen;
      if (!older) out.push_back(item.get_object());
    }
    cursor = text_of_member(page, "next_cursor");
    if (older || cursor.empty()) break;
  }
  std::ranges::reverse(out);
  return out;
}

// The bundle of an export, piece by piece; each piece that is not the last ends in {"next":place}.
Result<std::string> download(Api& api, const Line& line) {
  CAIP_TRY(filters, filters_of(line));
  std::string all, place;
  for (;;) {
    CAIP_TRY(piece, api.get_text("/audit/export?format=bundle" + filters + (place.empty() ? "" : "&place=" + percent_encoded(place))));
    if (!piece.ends_with('\n')) return fail(Code::internal, "the server's answer is not a bundle");
    const auto before = piece.rfind('\n', piece.size() - 2);
    const std::size_t begin = before == piece.npos ? 0 : before + 1;
    CAIP_TRY(last, parse_object(std::string_view(piece).substr(begin, piece.size() - 1 - begin)));
    place = text_of_member(last, "next");
    all.append(piece, 0, place.empty() ? piece.size() : begin);
    if (place.empty()) return all;
  }
}

enum class Form : std::uint8_t { jsonl, csv };

Result<std::string> entries_in(const std::string& bundle, Form form) {
  std::string out = form == Form::csv ? csv_head() : std::string();
  for (std::string_view rest = bundle; !rest.empty();) {
    const auto end = rest.find('\n');
    CAIP_TRY(line, parse_object(rest.substr(0, end)));
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    const auto* e = line.if_contains("e");
    if (e == nullptr || !e->is_string()) continue;
    if (form == Form::jsonl) {
      out += std::string(e->get_string()) + "\n";
      continue;
    }
    CAIP_TRY(entry, parse_object(e->get_string()));
    const auto* index = line.if_contains("i");
    out += csv_row(index != nullptr && index->is_int64() ? static_cast<std::uint64_t>(index->get_int64()) : 0, entry);
  }
  return out;
}

}  // namespace

Result<int> audit_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, newest(api, line));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all)
    if (auto row = row_of(item.get_object())) rows.push_back(*std::move(row));
  if (rows.empty()) say("No entry matches.");
  print(table(kColumns, rows));
  return 0;
}

namespace {

// The inclusion proof that the server gives for a log of this size.
Result<Place> place_of(Api& api, std::uint64_t index, std::uint64_t size) {
  CAIP_TRY(proof, api.get("/audit/proofs/inclusion?index=" + std::to_string(index) + "&size=" + std::to_string(size)));
  const json::value* hashes = proof.if_contains("hashes");
  if (hashes == nullptr || !hashes->is_array()) return fail(Code::internal, "the server's answer is not a proof");
  Place at{.index = index, .path = {}};
  for (const auto& item : hashes->get_array()) {
    const auto bytes = item.is_string() ? from_hex(item.get_string()) : std::nullopt;
    Digest hash{};
    if (!bytes || bytes->size() != hash.size()) return fail(Code::internal, "the server's answer is not a proof");
    std::ranges::copy(*bytes, hash.begin());
    at.path.push_back(hash);
  }
  return at;
}

std::uint64_t size_of(const std::string& checkpoint) {
  const auto note = crypto::parse_note(checkpoint);
  if (!note) return 0;
  const auto head = crypto::parse_checkpoint_text(note->text);
  return head ? head->size : 0;
}

// Numbers that entries have: canonical() takes no others.
bool plain_numbers(const json::value& v) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 53) - 1;
  if (v.is_object()) return std::ranges::all_of(v.get_object(), [](const auto& m) { return plain_numbers(m.value()); });
  if (v.is_array()) return std::ranges::all_of(v.get_array(), plain_numbers);
  return !v.is_number() || (v.is_int64() && v.get_int64() >= -kMost && v.get_int64() <= kMost);
}

void print_entry(const json::object& entry) {
  std::vector<Row> rows;
  for (const auto& member : entry) rows.push_back({std::string(member.key()), member.value().is_string() ? std::string(member.value().get_string()) : canonical(member.value())});
  print(table({"", ""}, rows));
}

}  // namespace

// The server is asked for everything and believed nothing but, unless one was kept, the checkpoint.
Result<int> audit_show(const Line& line, const Verifiers& verify) {
  CAIP_TRY(api, Api::open(line));
  const bool kept = !line.checkpoint.empty();
  const auto index = static_cast<std::uint64_t>(line.index);
  CAIP_TRY(shown_entry, api.get("/audit/entries/" + std::to_string(index)));
  const auto* entry = object_member(shown_entry, "entry");
  if (entry == nullptr || !plain_numbers(*entry)) return fail(Code::internal, "the server's answer is not an entry");
  CAIP_TRY(checkpoint, kept ? read_file(line.checkpoint, 65536) : api.get_text("/audit/checkpoint"));
  const std::uint64_t size = size_of(checkpoint);
  if (index >= size) return fail(Code::invalid, "the checkpoint does not reach entry " + std::to_string(index) + (kept ? ": keep a newer one, or leave --checkpoint out" : ""));
  CAIP_TRY(at, place_of(api, index, size));
  CAIP_TRY(report, verify.entry(canonical(*entry), at, checkpoint));
  if (line.as_json) {
    json::array path;
    for (const auto& hash : at.path) path.emplace_back(hex(hash));
    print_json(json::object{{"index", index}, {"entry", *entry}, {"size", report.size}, {"root", report.root}, {"hashes", path}, {"checkpoint", checkpoint}, {"kept", kept}, {"holds", !report.broken},
                            {"broken", report.broken ? json::value(*report.broken) : json::value(nullptr)}});
  } else {
    print_entry(*entry);
    if (report.broken) print("It does NOT hold: " + shown(*report.broken));
    else print("Entry " + std::to_string(index) + " is in the log of " + std::to_string(report.size) + " entries with root " + report.root);
    if (!report.broken && !kept) say("That is the server's newest checkpoint; who signed it was not checked. Give one that you kept (--checkpoint), or run caip audit verify.");
  }
  return report.broken ? 1 : 0;
}

Result<int> audit_tail(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  std::int64_t seen = -1;
  {
    CAIP_TRY(page, api.get("/audit/entries?limit=1"));
    const json::value* data = page.if_contains("data");
    if (data != nullptr && data->is_array() && !data->get_array().empty()) seen = index_of(data->get_array()[0].get_object());
  }
  if (!line.as_json) print_piece(in_one_line(kColumns));
  std::optional<Error> failed;
  // The stream says that there is more; what it is comes by the ordinary list, with its filters.
  const auto show = [&] {
    auto more = after(api, line, seen);
    if (!more) return void(failed = std::move(more).error());
    for (const auto& item : *more) {
      seen = index_of(item);
      if (line.as_json) print_piece(json::serialize(item) + "\n");  // at once, through a pipe too
      else if (const auto row = row_of(item)) print_piece(in_one_line(*row));
    }
  };
  show();
  std::string tail;
  CAIP_CHECKED(api.events(0, [&](std::string_view bytes) {
    tail.append(bytes);
    if (tail.find("audit.appended") != tail.npos) show();
    if (tail.size() > 4096 || tail.find("audit.appended") != tail.npos) tail.clear();
    return !failed;
  }, [] { return false; }));
  if (failed) return std::unexpected(*std::move(failed));
  return 0;
}

Result<int> audit_export(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(bundle, download(api, line));
  if (line.format == "bundle") {
    CAIP_CHECKED(replace_file(line.output, bundle));
    return 0;
  }
  CAIP_CHECKED(replace_file(line.output + ".bundle", bundle));
  CAIP_TRY(entries, entries_in(bundle, line.format == "csv" ? Form::csv : Form::jsonl));
  CAIP_CHECKED(replace_file(line.output, entries));
  say("The proof is " + line.output + ".bundle: caip audit verify --bundle " + line.output + ".bundle");
  return 0;
}

Result<int> audit_checkpoint(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(note, api.get_text(line.witnessed ? "/audit/checkpoint/witnessed" : "/audit/checkpoint"));
  if (line.as_json) print_json(json::object{{"checkpoint", note}});
  else print_piece(shown_lines(note));
  return 0;
}

Result<int> audit_witnesses(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(quorum, api.get("/audit/witnesses"));
  if (line.as_json) {
    print_json(quorum);
    return 0;
  }
  std::vector<Row> rows;
  const auto* data = quorum.if_contains("data");
  if (data == nullptr || !data->is_array()) return fail(Code::internal, "the server's answer is not a list");
  for (const auto& item : data->get_array()) {
    if (!item.is_object()) continue;
    const auto& w = item.get_object();
    const auto* size = w.if_contains("size");
    rows.push_back({text_of_member(w, "name"), size != nullptr ? json::serialize(*size) : "", text_of_member(w, "cosigned_at"),
                    text_of_member(w, "contradicted_at").empty() ? "" : "CONTRADICTS"});
  }
  print(table({"SERVER", "SEEN", "COSIGNED", ""}, rows));
  print(json::serialize(quorum.at("have")) + " of " + std::to_string(rows.size()) + " cosigned lately; " + json::serialize(quorum.at("needed")) + " are needed");
  return 0;
}

namespace {

// What an export wrote beside its bundle holds only if it is the bundle's.
Result<void> check_beside(const std::string& path, const std::string& bundle, Verified& report) {
  constexpr std::string_view kEnd = ".bundle";
  const std::string table = path.ends_with(kEnd) ? path.substr(0, path.size() - kEnd.size()) : std::string();
  std::error_code ignored;
  if (report.broken || table.empty() || !std::filesystem::exists(table, ignored)) return {};
  CAIP_TRY(text, read_file(table, std::size_t{4} << 30));
  for (const Form form : {Form::jsonl, Form::csv}) {
    CAIP_TRY(proven, entries_in(bundle, form));
    if (text == proven) return {};
  }
  report.broken = table + " is not what its bundle proves: it was changed, or is of another export";
  return {};
}

Result<Verified> verified(const Line& line, const Verifiers& verify, const std::optional<std::string>& kept) {
  if (!line.data.empty()) return verify.data_dir(line.data, kept);
  if (!line.bundle.empty()) {
    CAIP_TRY(bundle, read_file(line.bundle, std::size_t{4} << 30));
    CAIP_TRY(report, verify.bundle(bundle, kept));
    CAIP_CHECKED(check_beside(line.bundle, bundle, report));
    return report;
  }
  CAIP_TRY(api, Api::open(line));
  if (api.config().url != line.url) return fail(Code::invalid, "you are signed in at " + api.config().url + ": run caip login --url " + line.url);
  CAIP_TRY(bundle, download(api, Line{}));
  return verify.bundle(bundle, kept);
}

}  // namespace

Result<int> audit_verify(const Line& line, const Verifiers& verify) {
  std::optional<std::string> old;
  if (!line.checkpoint.empty()) {
    CAIP_TRY(text, read_file(line.checkpoint, 65536));
    old = text;
  }
  const auto checked = verified(line, verify, old);
  if (!checked) return fail(Code::storage_failed, checked.error().detail);  // exit code 1: it was not shown to hold
  const Verified& report = *checked;
  if (line.as_json) {
    json::object out{{"holds", !report.broken}, {"anchored", report.anchored}, {"entries", report.entries}, {"size", report.size}, {"root", report.root},
                     {"checkpoint", report.checkpoint}, {"cosignatures", report.cosignatures}, {"complete", report.complete}};
    out["broken"] = report.broken ? json::value(*report.broken) : json::value(nullptr);
    out["broken_index"] = report.broken_index ? json::value(*report.broken_index) : json::value(nullptr);
    print_json(out);
  } else if (report.broken) {
    print((line.bundle.empty() ? "The log does NOT hold: " : "The export does NOT hold: ") + shown(*report.broken));
  } else {
    print("Everything holds: " + std::to_string(report.entries) + " entries, root " + report.root);
    if (!report.anchored)
      say("Whose log it is was not checked: " + std::string(line.data.empty() ? "an export brings its own keys" : "there is no log.keys beside the database") +
          ". Give a checkpoint that you kept (--checkpoint).");
    if (!report.complete.empty()) print("Shown: " + report.complete);
    if (report.cosignatures > 0) print("Cosignatures of servers that hold: " + std::to_string(report.cosignatures));
    if (!old) print("Keep the checkpoint (caip audit verify --json) elsewhere: with it, a cut or rewritten log is found too.");
  }
  return report.broken ? 1 : 0;
}

}  // namespace caip::cli
