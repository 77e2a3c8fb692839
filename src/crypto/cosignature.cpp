#include "crypto/cosignature.h"

#include "base/text.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/mldsa.h"

namespace caip::crypto {
namespace {

constexpr std::size_t kTime = 8;

void put64(Bytes& out, std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(v >> shift));
}

void put(Bytes& out, BytesView b) { out.insert(out.end(), b.begin(), b.end()); }

std::size_t key_size(CosignatureType t) { return t == CosignatureType::ed25519 ? 32 : kMldsaPublic; }

bool verify(const Cosigner& c, BytesView message, BytesView signature) {
  return c.type == CosignatureType::ed25519 ? ed25519_verify(c.public_key, message, signature)
                                            : mldsa44_verify(c.public_key, message, signature);
}

Bytes typed_key(const Cosigner& c) {
  Bytes raw{static_cast<std::uint8_t>(c.type)};
  put(raw, c.public_key);
  return raw;
}

}  // namespace

std::uint32_t key_id(const Cosigner& c) {
  const Digest d = sha256({view(c.name), view("\n"), typed_key(c)});
  return static_cast<std::uint32_t>(d[0]) << 24 | static_cast<std::uint32_t>(d[1]) << 16 |
         static_cast<std::uint32_t>(d[2]) << 8 | static_cast<std::uint32_t>(d[3]);
}

std::string vkey(const Cosigner& c) {
  const std::uint32_t id = key_id(c);
  const std::uint8_t raw[] = {static_cast<std::uint8_t>(id >> 24), static_cast<std::uint8_t>(id >> 16),
                              static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
  return c.name + "+" + hex(raw) + "+" + base64(typed_key(c));
}

Result<Cosigner> parse_vkey(std::string_view text) {
  const auto first = text.find('+');
  const auto second = first == text.npos ? text.npos : text.find('+', first + 1);
  if (second == text.npos || first == 0 || first > 255) return fail(Code::malformed, "not a verifier key");
  const auto raw = from_base64(text.substr(second + 1));
  if (!raw || raw->empty() || ((*raw)[0] != 4 && (*raw)[0] != 6)) return fail(Code::malformed, "not a cosigner's verifier key");
  Cosigner c{.name = std::string(text.substr(0, first)), .type = static_cast<CosignatureType>((*raw)[0]), .public_key = {raw->begin() + 1, raw->end()}};
  if (c.public_key.size() != key_size(c.type) || vkey(c) != text) return fail(Code::malformed, "not a cosigner's verifier key");
  return c;
}

Result<Bytes> cosigned_message(const Cosigner& c, std::uint64_t seconds, std::string_view text) {
  CAIP_TRY(checkpoint, parse_checkpoint_text(text));
  if (seconds >> 63 != 0) return fail(Code::invalid, "a time beyond 2^63");
  Bytes out;
  if (c.type == CosignatureType::ed25519) {
    put(out, view("cosignature/v1\ntime " + std::to_string(seconds) + "\n"));
    put(out, view(text));
    return out;
  }
  if (checkpoint_text(checkpoint) != text) return fail(Code::invalid, "this type signs no extension lines");
  if (c.name.empty() || c.name.size() > 255 || checkpoint.origin.size() > 255) return fail(Code::invalid, "a name is too long");
  put(out, view(std::string_view("subtree/v1\n\0", 12)));
  out.push_back(static_cast<std::uint8_t>(c.name.size()));
  put(out, view(c.name));
  put64(out, seconds);
  out.push_back(static_cast<std::uint8_t>(checkpoint.origin.size()));
  put(out, view(checkpoint.origin));
  put64(out, 0);
  put64(out, checkpoint.size);
  put(out, checkpoint.root);
  return out;
}

NoteSignature cosignature(const Cosigner& c, std::uint64_t seconds, BytesView signature) {
  Bytes stamped;
  put64(stamped, seconds);
  put(stamped, signature);
  return {c.name, key_id(c), std::move(stamped)};
}

std::optional<std::uint64_t> cosigned_at(const Note& note, const Cosigner& c) {
  const std::uint32_t id = key_id(c);
  std::optional<std::uint64_t> newest;
  for (const auto& s : note.signatures) {
    if (s.name != c.name || s.key_id != id) continue;
    if (s.signature.size() < kTime) return std::nullopt;
    std::uint64_t seconds = 0;
    for (std::size_t i = 0; i < kTime; ++i) seconds = seconds << 8 | s.signature[i];
    const auto message = cosigned_message(c, seconds, note.text);
    if (!message || !verify(c, *message, BytesView(s.signature).subspan(kTime))) return std::nullopt;
    newest = std::max(newest.value_or(0), seconds);
  }
  return newest;
}

std::string signature_line(const NoteSignature& s) {
  const std::string note = format_note({.text = "", .signatures = {s}});
  return note.substr(1);  // without the empty text's newline
}

Result<NoteSignature> parse_signature_line(std::string_view line) {
  if (line.size() > 8192 || !line.ends_with('\n') || line.find('\n') + 1 != line.size()) return fail(Code::malformed, "one signature line");
  CAIP_TRY(note, parse_note("x\n\n" + std::string(line)));
  return std::move(note.signatures.front());
}

}  // namespace caip::crypto
