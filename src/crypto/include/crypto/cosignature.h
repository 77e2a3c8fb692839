// crypto/cosignature.h: timestamped cosignatures on checkpoints (c2sp.org/tlog-cosignature):
// what a witness, or the log itself with its second algorithm, puts below a checkpoint. The time
// is POSIX seconds. Ed25519 (type 4) signs the note's text under "cosignature/v1"; ML-DSA-44
// (type 6) signs name, time, origin, size and root, and no extension lines.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/note.h"

namespace caip::crypto {

enum class CosignatureType : std::uint8_t { ed25519 = 4, mldsa44 = 6 };

struct Cosigner {  // one whose cosignatures somebody trusts
  std::string name;
  CosignatureType type = CosignatureType::ed25519;
  Bytes public_key;
  bool operator==(const Cosigner&) const = default;
};

std::uint32_t key_id(const Cosigner&);
std::string vkey(const Cosigner&);            // name+id+base64, as the tools take it
Result<Cosigner> parse_vkey(std::string_view);  // of these two types, with its own id

// What is signed. `text` is the checkpoint's note text; fails when that is none, or has what this
// type cannot sign.
Result<Bytes> cosigned_message(const Cosigner&, std::uint64_t seconds, std::string_view text);
NoteSignature cosignature(const Cosigner&, std::uint64_t seconds, BytesView signature);

// When this cosigner signed this note; nothing when it did not, or when a signature under its
// name and id is wrong.
std::optional<std::uint64_t> cosigned_at(const Note&, const Cosigner&);

// One signature line ("— name base64\n"), as a witness hands it over.
std::string signature_line(const NoteSignature&);
Result<NoteSignature> parse_signature_line(std::string_view);

}  // namespace caip::crypto
