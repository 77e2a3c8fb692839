#include "chain.h"

#include <algorithm>

#include "entry.h"

namespace caip::verifier {
namespace {

constexpr std::size_t kMostStatement = 16 * 1024;
constexpr std::string_view kSigned = "caip succession v1\n";
constexpr std::string_view kDetail = "{\"succession\":";

std::string quoted(std::string_view name, std::string_view value) { return '"' + std::string(name) + "\":\"" + std::string(value) + '"'; }

}  // namespace

std::optional<Handover> read_handover(std::string_view statement) {
  if (statement.size() > kMostStatement) return std::nullopt;
  const auto flat = Flat::read(statement);
  if (!flat) return std::nullopt;
  const auto text = [&](std::string_view name) { return flat->get(name).value_or(""); };
  const auto generation = flat->number("generation"), size = flat->number("size");
  if (!generation || !size) return std::nullopt;
  // Canonical JSON: members in this order, and no others.
  const std::string head = "{" + quoted("at", text("at")) + ",\"generation\":" + std::to_string(*generation) + "," + quoted("key", text("key")) + ",";
  const std::string tail = ",\"size\":" + std::to_string(*size) + ",\"v\":1}";
  const std::string keys = quoted("new", text("new")) + "," + quoted("old", text("old"));
  const std::string all = quoted("new", text("new")) + "," + quoted("new_signature", text("new_signature")) + "," + quoted("old", text("old")) + "," +
                          quoted("old_signature", text("old_signature"));
  if (head + all + tail != statement) return std::nullopt;
  Handover out{.kind = std::string(text("key")), .generation = *generation, .size = *size, .old_key = {}, .new_key = {}};
  const auto bytes = [&](std::string_view name) { return unbase64(text(name)).value_or(""); };
  const std::string old_key = bytes("old"), new_key = bytes("new");
  const bool lattice = out.kind == "cosign";
  if (!lattice && out.kind != "checkpoint" && out.kind != "order") return std::nullopt;
  if (old_key.size() != (lattice ? 1312U : 32U) || new_key.size() != old_key.size()) return std::nullopt;
  out.old_key.assign(old_key.begin(), old_key.end());
  out.new_key.assign(new_key.begin(), new_key.end());
  const KeyType type = lattice ? KeyType::mldsa44_cosigner : KeyType::ed25519;
  const std::string said = std::string(kSigned) + head + keys + tail;
  if (!signature_holds({"", type, out.old_key}, said, bytes("old_signature")) || !signature_holds({"", type, out.new_key}, said, bytes("new_signature")))
    return std::nullopt;
  return out;
}

std::string_view handover_in(std::string_view action, std::string_view detail) {
  if (!action.starts_with("key.rotate") || !detail.starts_with(kDetail) || !detail.ends_with('}')) return {};
  return detail.substr(kDetail.size(), detail.size() - kDetail.size() - 1);
}

bool Chain::follow(const Handover& h) {
  const Reign& now = keys_.back();
  if (h.old_key != now.key.bytes || h.size <= now.from || h.generation != keys_.size() + 1) return false;
  keys_.push_back({h.size, Key{now.key.name, now.key.type, h.new_key}});
  return true;
}

const Key& Chain::at(std::uint64_t size) const {
  const Reign* found = &keys_.front();
  for (const Reign& r : keys_)
    if (r.from <= size) found = &r;
  return found->key;
}

bool Chain::has(std::string_view public_key) const {
  return std::ranges::any_of(keys_, [&](const Reign& r) { return text_of(r.key.bytes) == public_key; });
}

bool Chain::signs(const Checkpoint& c) const {
  return std::ranges::any_of(keys_, [&](const Reign& r) { return check(c, r.key).is == Signed::yes; });
}

bool Chain::wrong(const Checkpoint& c) const {
  return std::ranges::any_of(keys_, [&](const Reign& r) { return check(c, r.key).is == Signed::wrong; });
}

}  // namespace caip::verifier
