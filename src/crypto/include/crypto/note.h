// crypto/note.h: C2SP signed notes and the checkpoints written in them (c2sp.org/signed-note,
// c2sp.org/tlog-checkpoint). A note may carry signatures of keys we do not know (witnesses, a
// second algorithm): they are kept and ignored.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::crypto {

inline constexpr std::string_view kLogOrigin = "cloudaipilot.local/log";

struct NoteSignature {
  std::string name;
  std::uint32_t key_id = 0;
  Bytes signature;
};
struct Note {
  std::string text;  // what is signed; ends in a newline
  std::vector<NoteSignature> signatures;
};

Result<Note> parse_note(std::string_view);  // at most 64 KiB and 16 signatures
std::string format_note(const Note&);

// The key id of an Ed25519 key: first four bytes of SHA-256(name, '\n', 1, key).
std::uint32_t note_key_id(std::string_view name, BytesView ed25519_public);
std::string note_vkey(std::string_view name, BytesView ed25519_public);  // name+id+base64, as the tools take it

struct Checkpoint {
  std::string origin{kLogOrigin};
  std::uint64_t size = 0;
  Digest root{};
  bool operator==(const Checkpoint&) const = default;
};

std::string checkpoint_text(const Checkpoint&);  // the bytes to sign
Result<Checkpoint> parse_checkpoint_text(std::string_view);
// The finished note from checkpoint_text() and its Ed25519 signature.
std::string checkpoint_note(const Checkpoint&, BytesView ed25519_public, BytesView signature);
// Parses a note and checks that this key signed it as this origin.
Result<Checkpoint> open_checkpoint(std::string_view note, BytesView ed25519_public, std::string_view origin = kLogOrigin);

}  // namespace caip::crypto
