#include "agent/helper.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "channel/frame.h"
#include "crypto/hash.h"
#include "machine.h"
#include "overloaded.h"
#include "tidy.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

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

// Done by another program, so that its answer can be lost.
Result<void> Helper::about_site(const ServerAction& action, const OperationId& order, wire::OrderResult& result) {
  auto done = sites_.run(order, action, clock_.now(), *result.mutable_site());
  if (!done && done.error().code == Code::timeout) result.set_unknown(true);
  return done;
}

Result<void> Helper::execute(const OperationId& order, const ServerAction& action, const channel::SharedEnv& env, wire::OrderResult& result) {
  auto control = [&](UnitVerb verb, const UnitName& unit) -> Result<void> {
    auto done = units_.run(verb, unit);
    wire::Unit state;  // how it stands now, also when it failed
    if (units_.status(unit, state)) *result.mutable_unit() = state;
    return done;
  };
  return std::visit(
      Overloaded{
          [&](const auto& a) -> Result<void> requires requires { a.kVerb; } { return control(a.kVerb, a.unit.name()); },
          [&](const UnitStatus& a) { return units_.status(a.unit, *result.mutable_unit()); },
          [&](const ReadJournal& a) -> Result<void> {
            CAIP_TRY(lines, units_.journal(a.unit, a.lines));
            for (std::string& line : lines) result.add_lines(std::move(line));
            return {};
          },
          [&](const ListProcesses&) { return list_processes(*result.mutable_machine()); },
          [&](const ListSockets&) { return list_sockets(*result.mutable_machine()); },
          [&](const ListDisks&) { return list_disks(*result.mutable_machine()); },
          [&](const RebootServer&) { return units_.reboot(); },
          [&](const PlaceEnv& a) { return env_.place(a.user, *env); },  // the verifier let none pass without
          [&](const RemoveEnv& a) { return env_.remove(a.user); },
          [&](const auto& a) -> Result<void> requires requires { a.site; } { return about_site(action, order, result); },
      },
      action);
}

// The action's own name was checked when it was decoded. Here, the others that systemd has for the
// unit, and what is enabled together with it: none must reach what its own name would refuse, or what was not approved as such.
Result<void> Helper::may_control(const ServerAction& action) {
  return std::visit(
      [&]<class A>(const A& a) -> Result<void> {
        if constexpr (requires { A::kVerb; }) {
          CAIP_TRY(names, units_.reached(A::kVerb, a.unit.name()));
          for (const std::string& name : names) {
            CAIP_TRY(other, ControlUnit::parse(name));
            if (cuts_access(A::kVerb, other) && !cuts_access(A::kVerb, a.unit))
              return fail(Code::forbidden, a.unit.str() + " is " + other.str() + " on this server, or brings it along; that is controlled by its own name only");
          }
        }
        return {};
      },
      action);
}

wire::OrderResult Helper::handle(const wire::Order& wire_order) {
  wire::OrderResult result;
  const Digest digest = crypto::sha256(view(wire_order.order()));
  // Exactly these bytes passed every check before; the answer is a copy, nothing runs.
  if (auto stored = book_.find(digest)) {
    stored->set_replayed(true);
    return *std::move(stored);
  }
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
  if (auto no = policy_.forbids(verified->action(), verified->began_by() == Source::pilot)) return refuse(*no);
  if (auto may = may_control(verified->action()); !may) return refuse(may.error());
  book_.prune(clock_.now());
  if (auto begun = book_.begin(verified->order(), digest); !begun) return refuse(begun.error());
  log::info("an order runs", {{"order", result.order()}, {"action", name_of(widen(verified->action()))}});
  auto done = execute(verified->order().order, verified->action(), order->env, result);
  if (done) result.set_succeeded(true);
  else set_error(result, done.error());
  tidy(result);
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

wire::KeysHeld Helper::held() const {
  wire::KeysHeld out;
  channel::to_wire(channel::held_keys(keys_.trust()), out);
  return out;
}

wire::KeysHeld Helper::follow(const wire::Successions& statements) {
  auto given = channel::from_wire(statements);
  auto followed = given ? keys_.follow(*given) : std::unexpected(given.error());
  wire::KeysHeld out = held();
  if (!followed) {
    log::error("A KEY OF THE CONTROL PLANE WAS TO BE REPLACED BY ONE THAT IT DID NOT NAME; the old one is kept", {{"why", shown(followed.error().detail)}});
    out.set_refused(std::string(code_text(followed.error().code)));
    return out;
  }
  verifier_.go_by(keys_.trust());
  witness_.go_by(keys_.trust());
  return out;
}

Result<channel::KeyOffer> Helper::make_offer(const wire::KeyAsk& wire_ask) {
  if (!identity_) return fail(Code::unavailable, "this server has no identity");
  CAIP_TRY(ask, channel::from_wire(wire_ask));
  CAIP_TRY(made, identity_->request(ask.rotate));
  channel::KeyOffer out{.request = std::move(made.csr_pem), .voucher = {}, .nonce = ask.nonce};
  if (!ask.rotate) return out;
  CAIP_TRY(voucher, witness_.vouch(made.held, made.next, ask.nonce));
  out.voucher = std::move(voucher);
  return out;
}

wire::KeyOffer Helper::offer(const wire::KeyAsk& ask) {
  wire::KeyOffer out;
  if (auto made = make_offer(ask)) channel::to_wire(*made, out);
  else log::error("no certificate was asked for", {{"why", made.error().detail}});
  return out;
}

Result<wire::Credential> Helper::make_credential(const wire::KeyIssued& wire_issued) {
  if (!identity_) return fail(Code::unavailable, "this server has no identity");
  CAIP_TRY(issued, channel::from_wire(wire_issued));
  CAIP_CHECKED(identity_->take(issued));
  wire::Credential out;
  out.set_certificate(identity_->pair().certificate_pem);
  identity_->pair().key_pem.expose(Use::store_key, [&](BytesView key) { out.set_key(std::string(text_of(key))); });
  out.set_reconnect(issued.reconnect);
  out.set_authority(identity_->authority());
  return out;
}

wire::Credential Helper::take(const wire::KeyIssued& issued) {
  auto made = make_credential(issued);
  if (made) return *std::move(made);
  log::error("A CERTIFICATE WAS NOT TAKEN; the one before is kept", {{"why", made.error().detail}});
  return {};
}

wire::KeyProof Helper::prove(const wire::ChannelCheck& check) {
  wire::KeyProof out;
  auto made = identity_ ? identity_->prove(Bytes(check.nonce().begin(), check.nonce().end())) : fail(Code::unavailable, "this server has no identity");
  if (made) channel::to_wire(*made, out);
  else log::error("a challenge was not signed", {{"why", made.error().detail}});
  return out;
}

namespace {

void wipe_key(wire::FromHelper& answer) {
  if (answer.has_credential()) wipe(std::span<char>(*answer.mutable_credential()->mutable_key()));
}

}  // namespace

Result<void> Helper::serve_one(int fd, std::string& body) {
  wire::ToHelper message;
  wire::FromHelper answer;
  const bool readable = message.ParseFromString(body);
  wipe(std::span<char>(body));  // env values may be in it
  if (!readable) return fail(Code::malformed, "the network half sent what it must not");
  if (message.has_order()) {
    *answer.mutable_result() = handle(message.order());
    channel::wipe_env(*message.mutable_order());
    answer.mutable_result()->set_witnessed(witness_.size());
  } else if (message.has_offer()) {
    *answer.mutable_witnessed() = look(message.offer());
  } else if (message.has_successions()) {
    *answer.mutable_held() = follow(message.successions());
  } else if (message.has_ask()) {
    *answer.mutable_key() = offer(message.ask());
  } else if (message.has_issued()) {
    *answer.mutable_credential() = take(message.issued());
  } else if (message.has_check()) {
    *answer.mutable_proof() = prove(message.check());
  } else if (auto listed = list(*answer.mutable_units()); !listed) {
    log::warn("units cannot be listed", {{"why", listed.error().detail}});
    answer.mutable_units()->clear_units();
  } else {
    tidy(*answer.mutable_units());
  }
  std::string serialized = answer.SerializeAsString();
  auto bytes = channel::frame(serialized);
  wipe(std::span<char>(serialized));  // a key may be in it
  wipe_key(answer);
  if (!bytes) {  // tidy() sees to it that this does not happen; if it does, the helper stays
    log::error("an answer does not fit a frame");
    if (answer.has_units()) answer.mutable_units()->clear_units();
    if (answer.has_result()) {
      answer.mutable_result()->clear_lines();
      answer.mutable_result()->clear_machine();
      set_error(*answer.mutable_result(), bytes.error());
    }
    CAIP_TRY(smaller, channel::frame(answer.SerializeAsString()));
    bytes = std::move(smaller);
  }
  auto sent = send_all(fd, *bytes);
  wipe(std::span<char>(*bytes));
  return sent;
}

Result<void> Helper::serve(int fd) {
  channel::FrameReader reader;
  std::array<char, 16 * 1024> buffer;
  wire::FromHelper first;  // the control plane hears where we are before its first order
  first.mutable_witnessed()->set_size(witness_.size());
  CAIP_TRY(greeting, channel::frame(first.SerializeAsString()));
  CAIP_CHECKED(send_all(fd, greeting));
  *first.mutable_held() = held();
  CAIP_TRY(keys, channel::frame(first.SerializeAsString()));
  CAIP_CHECKED(send_all(fd, keys));
  for (;;) {
    ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) return {};
    if (n < 0) return fail(Code::unavailable, std::string("the network half: ") + ::strerror(errno));
    reader.feed({buffer.data(), static_cast<std::size_t>(n)});
    wipe(std::span<char>(buffer));
    for (;;) {
      CAIP_TRY(body, reader.next());
      if (!body) break;
      CAIP_CHECKED(serve_one(fd, *body));
    }
  }
}

}  // namespace caip::agent
