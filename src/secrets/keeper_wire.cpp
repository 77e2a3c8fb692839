#include "keeper_wire.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "crypto/secret.h"

namespace caip::secrets {
namespace {

bool send_all(int fd, BytesView bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool receive_all(int fd, std::span<std::uint8_t> into) noexcept {
  while (!into.empty()) {
    const ssize_t n = ::recv(fd, into.data(), into.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

Bytes reply(BytesView result) {
  Bytes out{0};
  out.insert(out.end(), result.begin(), result.end());
  return out;
}

Bytes refusal(const Error& e) {
  Bytes out{static_cast<std::uint8_t>(1 + static_cast<unsigned>(e.code))};
  out.insert(out.end(), e.detail.begin(), e.detail.end());
  return out;
}

Bytes reply(const Result<Bytes>& r) { return r ? reply(BytesView(*r)) : refusal(r.error()); }

Bytes agent_certificate(Keeper& keeper, std::string_view operand) {  // id, newline, request
  const auto line = operand.find('\n');
  if (line == operand.npos) return refusal({Code::malformed, "no server id"});
  const auto server = ServerId::parse(operand.substr(0, line));
  if (!server) return refusal(server.error());
  const auto made = keeper.issue_agent_certificate(std::string(operand.substr(line + 1)), *server);
  return made ? reply(view(*made)) : refusal(made.error());
}

Bytes server_certificate(Keeper& keeper, std::string_view operand) {  // names, each with a newline
  std::vector<std::string> names;
  while (!operand.empty()) {
    const auto line = operand.find('\n');
    if (line == operand.npos) return refusal({Code::malformed, "a name without its end"});
    names.emplace_back(operand.substr(0, line));
    operand.remove_prefix(line + 1);
  }
  auto made = keeper.issue_server_certificate(names);
  if (!made) return refusal(made.error());
  return reply(view(made->cert_chain_pem + made->key_pem));
}

}  // namespace

bool send_frame(int fd, std::uint8_t first, BytesView rest) noexcept {
  const std::size_t size = rest.size() + 1;
  if (size > kMaxFrame) return false;
  const std::array<std::uint8_t, 5> head{static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
                                         static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size), first};
  return send_all(fd, head) && send_all(fd, rest);
}

Result<Bytes> receive_frame(int fd) {
  std::array<std::uint8_t, 4> head{};
  if (!receive_all(fd, head)) return fail(Code::unavailable, "the keeper's connection ended");
  std::size_t size = 0;
  for (const auto b : head) size = (size << 8) | b;
  if (size == 0 || size > kMaxFrame) return fail(Code::malformed, "a frame of the keeper is too long or empty");
  Bytes bytes(size);
  if (!receive_all(fd, bytes)) return fail(Code::unavailable, "the keeper's connection ended");
  return bytes;
}

Bytes answer(Keeper& keeper, BytesView request) {
  if (request.empty()) return refusal({Code::malformed, "empty"});
  const BytesView operand = request.subspan(1);
  switch (static_cast<Verb>(request[0])) {
    case Verb::sign_jwt: return reply(keeper.sign(SigningUse::jwt, operand));
    case Verb::sign_checkpoint: return reply(keeper.sign(SigningUse::checkpoint, operand));
    case Verb::sign_order: return reply(keeper.sign(SigningUse::order, operand));
    case Verb::sign_cosign: return reply(keeper.sign(SigningUse::cosign, operand));
    case Verb::pepper: return reply(keeper.pepper_hmac(operand));
    case Verb::agent_certificate: return agent_certificate(keeper, text_of(operand));
    case Verb::server_certificate: return server_certificate(keeper, text_of(operand));
  }
  return refusal({Code::malformed, "unknown verb"});
}

void refuse_to_start(int fd, const Error& error) {
  const Bytes out = refusal(error);
  send_frame(fd, out[0], BytesView(out).subspan(1));
}

void serve_keeper(int fd, Keeper& keeper) {
  Bytes ready;
  for (const auto use : {SigningUse::jwt, SigningUse::checkpoint, SigningUse::order, SigningUse::cosign}) {
    const Bytes key = keeper.public_key(use);
    ready.insert(ready.end(), key.begin(), key.end());
  }
  const std::string ca = keeper.ca_certificate_pem();
  ready.insert(ready.end(), ca.begin(), ca.end());
  if (!send_frame(fd, 0, ready)) return;
  for (;;) {
    auto request = receive_frame(fd);
    if (!request) return;
    Bytes out = answer(keeper, *request);
    const bool sent = send_frame(fd, out[0], BytesView(out).subspan(1));
    wipe(*request);
    wipe(out);
    if (!sent) return;
  }
}

}  // namespace caip::secrets
