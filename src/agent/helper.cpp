#include "agent/helper.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/log.h"
#include "channel/frame.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F> Overloaded(F...) -> Overloaded<F...>;

constexpr std::size_t kMaxJournalBytes = 512 * 1024;  // so that a result fits a frame
constexpr std::size_t kMaxError = 512;

Result<void> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Code::unavailable, "the network half has gone");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

void set_error(wire::OrderResult& result, const Error& error) {
  result.set_succeeded(false);
  result.set_error(std::string(code_text(error.code)) + ": " + cut(shown(error.detail), kMaxError));
}

}  // namespace

Result<void> Helper::execute(const ServerAction& action, wire::OrderResult& result) {
  auto control = [&](UnitVerb verb, const UnitName& unit) -> Result<void> {
    auto done = units_.run(verb, unit);
    wire::Unit state;  // how it stands now, also when it failed
    if (units_.status(unit, state)) *result.mutable_unit() = state;
    return done;
  };
  return std::visit(
      Overloaded{
          [&](const StartUnit& a) { return control(UnitVerb::start, a.unit); },
          [&](const StopUnit& a) { return control(UnitVerb::stop, a.unit); },
          [&](const RestartUnit& a) { return control(UnitVerb::restart, a.unit); },
          [&](const UnitStatus& a) { return units_.status(a.unit, *result.mutable_unit()); },
          [&](const ReadJournal& a) -> Result<void> {
            CAIP_TRY(lines, units_.journal(a.unit, a.lines));
            std::size_t bytes = 0;  // the newest lines are the ones that matter
            std::size_t first = lines.size();
            while (first > 0 && bytes + lines[first - 1].size() <= kMaxJournalBytes) bytes += lines[--first].size();
            for (std::size_t i = first; i < lines.size(); ++i) result.add_lines(lines[i]);
            return {};
          },
      },
      action);
}

wire::OrderResult Helper::handle(const wire::Order& wire_order) {
  wire::OrderResult result;
  const Digest digest = crypto::sha256(view(wire_order.order()));
  // Exactly these bytes passed every check before; the answer is a copy, nothing runs.
  if (auto stored = book_.find(digest)) return *std::move(stored);
  auto refuse = [&](const Error& error) {
    log::warn("an order was refused", {{"order", result.order()}, {"why", error.detail}});
    set_error(result, error);
    return result;
  };
  if (auto claimed = channel::decode_order(wire_order.order())) result.set_order(claimed->order.str());
  auto order = channel::from_wire(wire_order);
  if (!order) return refuse(order.error());
  auto verified = verifier_.verify(*order);
  if (!verified) return refuse(verified.error());
  // In the log, and in a log that only grew since this server last looked.
  if (auto seen = witness_.see(order->proof.checkpoint, order->proof.old, order->proof.consistency); !seen) {
    result.set_stale(seen.error().code == Code::precondition_failed);
    result.set_contradicts(seen.error().code == Code::digest_mismatch);
    result.set_witnessed(witness_.size());
    return refuse(seen.error());
  }
  book_.prune(clock_.now().micros() / 1'000'000);
  if (auto begun = book_.begin(verified->order().order, verified->order().nonce, digest); !begun) return refuse(begun.error());
  log::info("an order runs", {{"order", result.order()}, {"action", name_of(widen(verified->action()))}});
  auto done = execute(verified->action(), result);
  if (done) result.set_succeeded(true);
  else set_error(result, done.error());
  if (auto kept = book_.end(digest, result); !kept) log::error("a result could not be kept", {{"why", kept.error().detail}});
  return result;
}

wire::Witnessed Helper::look(const wire::CheckpointOffer& wire_offer) {
  wire::Witnessed out;
  auto refuse = [&](const Error& error) {
    out.set_refused(std::string(code_text(error.code)));
    out.set_size(witness_.size());
    return out;
  };
  auto offer = channel::from_wire(wire_offer);
  if (!offer) return refuse(offer.error());
  if (auto note = crypto::parse_note(offer->checkpoint))
    if (auto claimed = crypto::parse_checkpoint_text(note->text)) out.set_offered(claimed->size);
  if (auto seen = witness_.see(offer->checkpoint, offer->old, offer->consistency); !seen) return refuse(seen.error());
  auto line = witness_.cosign();
  if (!line) return refuse(line.error());
  out.set_line(*line);
  out.set_size(witness_.size());
  return out;
}

Result<void> Helper::serve_one(int fd, const std::string& body) {
  wire::ToHelper message;
  wire::FromHelper answer;
  if (!message.ParseFromString(body)) return fail(Code::malformed, "the network half sent what it must not");
  if (message.has_order()) {
    *answer.mutable_result() = handle(message.order());
    answer.mutable_result()->set_witnessed(witness_.size());
  } else if (message.has_offer()) {
    *answer.mutable_witnessed() = look(message.offer());
  } else if (auto listed = list(*answer.mutable_units()); !listed) {
    log::warn("units cannot be listed", {{"why", listed.error().detail}});
    answer.mutable_units()->clear_units();
  }
  CAIP_TRY(bytes, channel::frame(answer.SerializeAsString()));
  return send_all(fd, bytes);
}

Result<void> Helper::serve(int fd) {
  channel::FrameReader reader;
  std::array<char, 16 * 1024> buffer;
  wire::FromHelper first;  // the control plane hears where we are before its first order
  first.mutable_witnessed()->set_size(witness_.size());
  CAIP_TRY(greeting, channel::frame(first.SerializeAsString()));
  CAIP_CHECKED(send_all(fd, greeting));
  for (;;) {
    ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) return {};
    if (n < 0) return fail(Code::unavailable, std::string("the network half: ") + ::strerror(errno));
    reader.feed({buffer.data(), static_cast<std::size_t>(n)});
    for (;;) {
      CAIP_TRY(body, reader.next());
      if (!body) break;
      CAIP_CHECKED(serve_one(fd, *body));
    }
  }
}

}  // namespace caip::agent
