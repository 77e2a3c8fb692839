#include "crypto/note.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

namespace caip::crypto {
namespace {

constexpr std::size_t kMaxNote = 64 * 1024;
constexpr std::size_t kMaxSignatures = 16;
constexpr std::uint8_t kEd25519 = 1;  // signature type of c2sp.org/signed-note
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // em dash and a space

bool good_name(std::string_view name) {
  return !name.empty() && valid_utf8(name) && name.find_first_of("+ \t\r\n") == name.npos;
}

bool good_text(std::string_view text) {  // signed-note: UTF-8, no ASCII control but newline
  const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f; };
  return !text.empty() && text.back() == '\n' && valid_utf8(text) && std::ranges::none_of(text, control);
}

Result<NoteSignature> parse_line(std::string_view line) {
  if (!line.starts_with(kDash)) return fail(Code::malformed, "a signature line begins with an em dash");
  line.remove_prefix(kDash.size());
  const auto space = line.find(' ');
  if (space == line.npos || !good_name(line.substr(0, space))) return fail(Code::malformed, "bad name of a key");
  const auto raw = from_base64(line.substr(space + 1));
  if (!raw || raw->size() < 5) return fail(Code::malformed, "bad signature text");
  NoteSignature s{.name = std::string(line.substr(0, space)), .key_id = 0, .signature = {raw->begin() + 4, raw->end()}};
  for (std::size_t i = 0; i < 4; ++i) s.key_id = (s.key_id << 8) | (*raw)[i];
  return s;
}

Bytes big_endian(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16), static_cast<std::uint8_t>(v >> 8),
          static_cast<std::uint8_t>(v)};
}

}  // namespace

Result<Note> parse_note(std::string_view in) {
  if (in.size() > kMaxNote) return fail(Code::too_large, "the note is longer than 64 KiB");
  const auto gap = in.rfind("\n\n");
  if (gap == in.npos || !in.ends_with('\n')) return fail(Code::malformed, "not a signed note");
  Note note{.text = std::string(in.substr(0, gap + 1)), .signatures = {}};
  if (!good_text(note.text)) return fail(Code::malformed, "the note's text is not plain UTF-8 lines");
  for (std::string_view rest = in.substr(gap + 2); !rest.empty();) {
    const auto end = rest.find('\n');
    CAIP_TRY(s, parse_line(rest.substr(0, end)));
    note.signatures.push_back(std::move(s));
    if (note.signatures.size() > kMaxSignatures) return fail(Code::too_large, "more than 16 signatures");
    rest.remove_prefix(end + 1);
  }
  if (note.signatures.empty()) return fail(Code::malformed, "the note has no signature");
  return note;
}

std::string format_note(const Note& note) {
  std::string out = note.text + "\n";
  for (const auto& s : note.signatures) {
    Bytes raw = big_endian(s.key_id);
    raw.insert(raw.end(), s.signature.begin(), s.signature.end());
    out.append(kDash).append(s.name).append(" ").append(base64(raw)).append("\n");
  }
  return out;
}

std::uint32_t note_key_id(std::string_view name, BytesView key) {
  const std::uint8_t sep[2] = {'\n', kEd25519};
  const Digest d = sha256({view(name), BytesView(sep), key});
  return static_cast<std::uint32_t>(d[0]) << 24 | static_cast<std::uint32_t>(d[1]) << 16 |
         static_cast<std::uint32_t>(d[2]) << 8 | static_cast<std::uint32_t>(d[3]);
}

std::string note_vkey(std::string_view name, BytesView key) {
  Bytes raw{kEd25519};
  raw.insert(raw.end(), key.begin(), key.end());
  return std::string(name) + "+" + hex(big_endian(note_key_id(name, key))) + "+" + base64(raw);
}

std::string checkpoint_text(const Checkpoint& c) {
  return c.origin + "\n" + std::to_string(c.size) + "\n" + base64(c.root) + "\n";
}

Result<Checkpoint> parse_checkpoint_text(std::string_view text) {
  std::string_view line[3];
  for (auto& l : line) {
    const auto end = text.find('\n');
    if (end == text.npos) return fail(Code::malformed, "a checkpoint has three lines");
    l = text.substr(0, end);
    text.remove_prefix(end + 1);
  }  // what follows are extension lines: allowed, not ours
  Checkpoint c{.origin = std::string(line[0])};
  const auto [p, ec] = std::from_chars(line[1].data(), line[1].data() + line[1].size(), c.size);
  if (ec != std::errc{} || std::to_string(c.size) != line[1]) return fail(Code::malformed, "bad size of the tree");
  const auto root = from_base64(line[2]);
  if (c.origin.empty() || !root || root->size() != c.root.size()) return fail(Code::malformed, "bad checkpoint");
  std::ranges::copy(*root, c.root.begin());
  return c;
}

std::string checkpoint_note(const Checkpoint& c, BytesView key, BytesView signature) {
  return format_note({checkpoint_text(c),
                      {{c.origin, note_key_id(c.origin, key), Bytes(signature.begin(), signature.end())}}});
}

Result<Checkpoint> open_checkpoint(std::string_view in, BytesView key, std::string_view origin) {
  CAIP_TRY(note, parse_note(in));
  CAIP_TRY(checkpoint, parse_checkpoint_text(note.text));
  if (checkpoint.origin != origin) return fail(Code::invalid, "a checkpoint of another log");
  const auto id = note_key_id(origin, key);
  for (const auto& s : note.signatures)
    if (s.name == origin && s.key_id == id && ed25519_verify(key, view(note.text), s.signature)) return checkpoint;
  return fail(Code::invalid, "the checkpoint is not signed by this log's key");
}

}  // namespace caip::crypto
