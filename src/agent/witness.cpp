#include "agent/witness.h"

#include <unistd.h>

#include "agent/config.h"
#include "base/log.h"
#include "channel/agent_keys.h"
#include "crypto/merkle.h"

namespace caip::agent {
namespace {

constexpr std::size_t kMaxNote = 64 * 1024;
constexpr const char* kEvidence = "/contradiction";  // the first one; root's to read

}  // namespace

Result<Witness> Witness::open(const std::string& dir, channel::OrderTrust trust, std::optional<crypto::SigningKey> key, const Clock& clock) {
  Witness w(dir, std::move(trust), std::move(key), clock);
  auto stored = read_file(dir + kWitnessFile, kMaxNote);
  if (!stored && stored.error().code == Code::not_found) return w;
  if (!stored) return std::unexpected(std::move(stored).error());
  auto checkpoint = channel::open_own_checkpoint(*stored, w.trust_);
  if (!checkpoint) return fail(Code::internal, dir + kWitnessFile + " is not a checkpoint of this log: " + checkpoint.error().detail);
  w.seen_ = *std::move(checkpoint);
  w.note_ = *std::move(stored);
  return w;
}

Result<void> Witness::see(const std::string& note, std::uint64_t old, std::span<const Digest> consistency) {
  auto opened = channel::open_checkpoint(note, trust_);
  if (!opened) return fail(Code::forbidden, opened.error().detail);
  const auto& next = *opened;
  if (next.size < seen_.size)
    return contradicted(note, "the log has " + std::to_string(next.size) + " entries, and had " + std::to_string(seen_.size));
  if (next.size == seen_.size && seen_.size != 0) {  // no proof needed, whatever `old` is
    if (next.root == seen_.root) return {};
    return contradicted(note, "another log of the same size " + std::to_string(next.size));
  }
  if (old != seen_.size) return fail(Code::precondition_failed, "the proof starts at " + std::to_string(old) + ", this server is at " + std::to_string(seen_.size));
  // From size 0 any log is consistent, and the proof must be empty.
  const bool grown = old == 0 ? consistency.empty() : merkle::verify_consistency(old, next.size, seen_.root, next.root, consistency);
  if (!grown) return contradicted(note, "the log does not contain what it had at size " + std::to_string(seen_.size));
  // Remembered before anything follows from it: after a crash this server still knows.
  CAIP_CHECKED(write_file(dir_ + kWitnessFile, note, 0600));
  seen_ = next;
  note_ = note;
  return {};
}

std::unexpected<Error> Witness::contradicted(const std::string& note, std::string why) {
  log::error("THE LOG OF THE CONTROL PLANE CONTRADICTS ITSELF; orders are refused", {{"why", std::string_view(why)}, {"evidence", dir_ + kEvidence}});
  // Both notes are signed by the log: together they prove it to anyone. The first pair is kept.
  if (::access((dir_ + kEvidence).c_str(), F_OK) != 0)
    if (auto kept = write_file(dir_ + kEvidence, note_ + "\n" + note, 0600); !kept) log::error("the evidence could not be kept", {{"why", kept.error().detail}});
  return fail(Code::digest_mismatch, why);
}

Result<std::string> Witness::cosign() const {
  if (!key_ || seen_.size == 0) return fail(Code::unavailable, "there is nothing to cosign, or no key");
  const crypto::Cosigner me{std::string(channel::kWitnessPrefix) + trust_.server.str(), crypto::CosignatureType::ed25519, key_->public_key()};
  CAIP_TRY(note, crypto::parse_note(note_));
  const auto seconds = static_cast<std::uint64_t>(clock_->now().micros() / 1'000'000);
  CAIP_TRY(message, crypto::cosigned_message(me, seconds, note.text));
  return crypto::signature_line(crypto::cosignature(me, seconds, key_->sign(message)));
}

Result<Bytes> Witness::vouch(const Digest& held, const Digest& next, const Bytes& nonce) const {
  if (!key_) return fail(Code::unavailable, "there is no witness key");
  return key_->sign(view(channel::voucher_text({.server = trust_.server, .enrolment = trust_.certificate, .held = held, .next = next, .nonce = nonce})));
}

}  // namespace caip::agent
