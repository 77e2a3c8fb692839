#include "agent/keys.h"

#include <algorithm>

#include "agent/config.h"

namespace caip::agent {
namespace {

Bytes& key_of(channel::OrderTrust& t, crypto::SuccessionKey key) {
  switch (key) {
    case crypto::SuccessionKey::checkpoint: return t.log_key;
    case crypto::SuccessionKey::cosign: return t.cosign_key;
    case crypto::SuccessionKey::order: break;
  }
  return t.order_key;
}

void remember(channel::OrderTrust& t, crypto::SuccessionKey key) {
  if (key == crypto::SuccessionKey::checkpoint) t.former_log_keys.push_back(t.log_key);
  if (key == crypto::SuccessionKey::cosign) t.former_cosign_keys.push_back(t.cosign_key);
}

std::string lines(const channel::Successions& all) {
  std::string out;
  for (const auto& statement : all) out += statement + "\n";
  return out;
}

}  // namespace

Keys::Keys(std::string dir, channel::OrderTrust trust) : dir_(std::move(dir)), trust_(std::move(trust)) {}

Result<Keys> Keys::open(const std::string& dir, channel::OrderTrust pinned) {
  Keys keys(dir, std::move(pinned));
  auto stored = read_file(dir + kKeysFile, (kMostFollowed + 1) * crypto::kMostSuccession);
  if (!stored && stored.error().code == Code::not_found) return keys;
  if (!stored) return std::unexpected(std::move(stored).error());
  for (std::string_view rest = *stored; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (auto taken = keys.take(std::string(rest.substr(0, end))); !taken)
      return fail(Code::internal, dir + kKeysFile + " does not lead on from the keys of the enrolment: " + taken.error().detail);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return keys;
}

Result<void> Keys::take(const std::string& statement) {
  CAIP_TRY(s, crypto::open_succession(statement));
  auto& generation = generations_.at(static_cast<std::size_t>(s.key));
  CAIP_TRY(next, crypto::follow({key_of(trust_, s.key), generation}, s.key, statement));
  if (followed_.size() == kMostFollowed) return fail(Code::too_many, "this server followed too many new keys; enrol it anew");
  remember(trust_, s.key);
  key_of(trust_, s.key) = std::move(next.key);
  generation = next.generation;
  followed_.push_back(statement);
  return {};
}

Result<void> Keys::follow(const channel::Successions& statements) {
  Keys next = *this;
  for (const auto& statement : statements)
    if (std::ranges::find(next.followed_, statement) == next.followed_.end()) CAIP_CHECKED(next.take(statement));
  if (next.followed_.size() == followed_.size()) return {};
  CAIP_CHECKED(write_file(dir_ + kKeysFile, lines(next.followed_), 0600));
  *this = std::move(next);
  return {};
}

}  // namespace caip::agent
