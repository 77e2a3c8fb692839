// verifier/note.h (private): signed notes, checkpoints and cosignatures, read and verified.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace caip::verifier {

inline constexpr std::string_view kOrigin = "cloudaipilot.local/log";

enum class KeyType : std::uint8_t { ed25519 = 1, ed25519_cosigner = 4, mldsa44_cosigner = 6 };

struct Key {
  std::string name;
  KeyType type = KeyType::ed25519;
  Bytes bytes;
};
std::optional<Key> read_vkey(std::string_view);

struct Line {
  std::string name;
  std::string raw;  // key id and signature
};
struct Checkpoint {
  std::string text;  // what is signed
  std::uint64_t size = 0;
  Digest root{};
  std::vector<Line> lines;
};
std::optional<Checkpoint> read_checkpoint(std::string_view note);

enum class Signed : std::uint8_t { no, wrong, yes };
struct Verdict {
  Signed is = Signed::no;
  std::uint64_t seconds = 0;  // of a cosignature
};
Verdict check(const Checkpoint&, const Key&);

bool signature_holds(const Key&, const std::string& text, std::string_view signature);
std::optional<std::string> unbase64(std::string_view);

}  // namespace caip::verifier
