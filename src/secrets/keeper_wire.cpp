#include "keeper_wire.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include "crypto/secret.h"
#include "frame.h"
#include "secrets/serve.h"

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
    errno = 0;  // the end of the connection sets none
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

Bytes reply_items(const OrgId& org, const Result<Items>& items) { return items ? reply(BytesView(encode_items(org, *items))) : refusal(items.error()); }

std::optional<std::int64_t> number_line(std::string_view& operand) {
  const auto line = operand.find('\n');
  std::int64_t n = 0;
  if (line == operand.npos) return std::nullopt;
  const auto [end, error] = std::from_chars(operand.data(), operand.data() + line, n);
  if (error != std::errc() || end != operand.data() + line) return std::nullopt;
  operand.remove_prefix(line + 1);
  return n;
}

Bytes agent_certificate(KeyCore& keeper, std::string_view operand) {  // id, from, life, each with a newline; request
  const auto line = operand.find('\n');
  if (line == operand.npos) return refusal({Code::malformed, "no server id"});
  const auto server = ServerId::parse(operand.substr(0, line));
  if (!server) return refusal(server.error());
  operand.remove_prefix(line + 1);
  const auto from = number_line(operand), life = from ? number_line(operand) : std::nullopt;
  constexpr std::int64_t kMost = std::int64_t{1} << 53U;
  if (!life || *from < 0 || *from > kMost || *life < 0 || *life > kMost) return refusal({Code::malformed, "no time"});
  const auto made = keeper.issue_agent_certificate(std::string(operand), *server, Instant(*from), std::chrono::microseconds(*life));
  return made ? reply(view(*made)) : refusal(made.error());
}

Bytes server_certificate(KeyCore& keeper, BytesView asked) {  // whose; names, each with a newline
  if (asked.empty()) return refusal({Code::malformed, "no authority"});
  const KeyClass authority = asked[0] == 0 ? KeyClass::ca : KeyClass::agent_ca;
  std::string_view operand = text_of(asked.subspan(1));
  std::vector<std::string> names;
  while (!operand.empty()) {
    const auto line = operand.find('\n');
    if (line == operand.npos) return refusal({Code::malformed, "a name without its end"});
    names.emplace_back(operand.substr(0, line));
    operand.remove_prefix(line + 1);
  }
  auto made = keeper.issue_server_certificate(authority, names);
  if (!made) return refusal(made.error());
  return reply(view(made->cert_chain_pem + made->key_pem));
}

Bytes values(KeyCore& keeper, Verb verb, BytesView operand) {
  SecretUse use{};
  if (verb == Verb::open) {
    if (operand.empty() || operand[0] > static_cast<std::uint8_t>(SecretUse::pilot_turn)) return refusal({Code::malformed, "unknown use"});
    use = static_cast<SecretUse>(operand[0]);
    operand = operand.subspan(1);
  }
  auto decoded = decode_items(operand);
  if (!decoded) return refusal(decoded.error());
  auto& [org, items] = *decoded;
  if (verb == Verb::open) return reply_items(org, keeper.open(org, use, std::move(items)));
  return reply_items(org, verb == Verb::seal ? keeper.seal(org, std::move(items)) : keeper.reseal(org, std::move(items)));
}

Bytes make_ssh_key(KeyCore& keeper, BytesView operand) {
  auto decoded = decode_items(operand);
  if (!decoded) return refusal(decoded.error());
  if (decoded->second.size() != 1) return refusal({Code::malformed, "one key at a time"});
  const auto made = keeper.make_ssh_key(decoded->first, std::move(decoded->second.front()));
  return made ? reply(BytesView(Writer().bytes(made->public_key).secret(made->sealed).take())) : refusal(made.error());
}

Bytes ssh_sign(KeyCore& keeper, BytesView operand) {
  Reader r(operand);
  const BytesView coded = r.bytes(), message = r.bytes();
  if (auto whole = r.finish(); !whole) return refusal(whole.error());
  auto decoded = decode_items(coded);
  if (!decoded) return refusal(decoded.error());
  if (decoded->second.size() != 1) return refusal({Code::malformed, "one key at a time"});
  return reply(keeper.ssh_sign(decoded->first, std::move(decoded->second.front()), message));
}

Bytes sign_with(KeyCore& keeper, BytesView operand) {
  Reader r(operand);
  const std::uint8_t use = r.u8();
  const BytesView key = r.bytes(), message = r.bytes();
  if (auto whole = r.finish(); !whole) return refusal(whole.error());
  if (use > static_cast<std::uint8_t>(SigningUse::cosign) || key.empty()) return refusal({Code::malformed, "unknown key"});
  return reply(keeper.sign_with(static_cast<SigningUse>(use), key, message));
}

Bytes succession(KeyCore& keeper, BytesView operand) {
  Reader r(operand);
  const std::uint8_t key = r.u8();
  const std::uint64_t size = r.u64();
  if (auto whole = r.finish(); !whole) return refusal(whole.error());
  if (key > static_cast<std::uint8_t>(KeyClass::pepper) || size >> 53 != 0) return refusal({Code::malformed, "unknown key"});
  const auto text = keeper.succession(static_cast<KeyClass>(key), size);
  return text ? reply(view(*text)) : refusal(text.error());
}

Bytes standing(KeyCore& keeper) { return encode_standing({keeper.inventory(), keeper.authority(KeyClass::ca), keeper.authority(KeyClass::agent_ca)}); }

Bytes prepare(KeyCore& keeper, BytesView operand) {
  const auto change = decode_change(operand);
  if (!change) return refusal(change.error());
  const auto file = keeper.prepare(*change);
  if (file && file->size() >= kMaxFrame) return refusal({Code::too_large, "the keyring is too long"});
  return file ? reply(view(*file)) : refusal(file.error());
}

Bytes adopt(KeyCore& keeper) {
  const auto done = keeper.adopt();
  return done ? reply(BytesView(standing(keeper))) : refusal(done.error());
}

}  // namespace

bool send_frame(int fd, std::uint8_t first, BytesView rest) noexcept {
  const std::size_t size = rest.size() + 1;
  if (size > kMaxFrame) return false;
  const std::array<std::uint8_t, 5> head{static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
                                         static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size), first};
  return send_all(fd, head) && send_all(fd, rest);
}

std::unexpected<Error> lost_connection() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return fail(Code::timeout, "the keeper does not answer");
  return fail(Code::unavailable, "the keeper's connection ended");
}

Result<Bytes> receive_frame(int fd) {
  std::array<std::uint8_t, 4> head{};
  if (!receive_all(fd, head)) return lost_connection();
  std::size_t size = 0;
  for (const auto b : head) size = (size << 8) | b;
  if (size == 0 || size > kMaxFrame) return fail(Code::malformed, "a frame of the keeper is too long or empty");
  Bytes bytes(size);
  if (!receive_all(fd, bytes)) return lost_connection();
  return bytes;
}

Bytes answer(KeyCore& keeper, BytesView request) {
  if (request.empty()) return refusal({Code::malformed, "empty"});
  const BytesView operand = request.subspan(1);
  const Verb verb = static_cast<Verb>(request[0]);
  switch (verb) {
    case Verb::sign_jwt: return reply(keeper.sign(SigningUse::jwt, operand));
    case Verb::sign_checkpoint: return reply(keeper.sign(SigningUse::checkpoint, operand));
    case Verb::sign_order: return reply(keeper.sign(SigningUse::order, operand));
    case Verb::sign_cosign: return reply(keeper.sign(SigningUse::cosign, operand));
    case Verb::sign_with: return sign_with(keeper, operand);
    case Verb::succession: return succession(keeper, operand);
    case Verb::pepper: return reply(keeper.pepper_hmac(operand));
    case Verb::agent_certificate: return agent_certificate(keeper, text_of(operand));
    case Verb::server_certificate: return server_certificate(keeper, operand);
    case Verb::seal:
    case Verb::open:
    case Verb::reseal: return values(keeper, verb, operand);
    case Verb::make_ssh_key: return make_ssh_key(keeper, operand);
    case Verb::ssh_sign: return ssh_sign(keeper, operand);
    case Verb::prepare: return prepare(keeper, operand);
    case Verb::adopt: return adopt(keeper);
    case Verb::inventory: return reply(BytesView(encode_inventory(keeper.inventory())));
  }
  return refusal({Code::malformed, "unknown verb"});
}

void refuse_to_start(int fd, const Error& error) {
  const Bytes out = refusal(error);
  send_frame(fd, out[0], BytesView(out).subspan(1));
}

void serve_keeper(int fd, KeyCore& keeper) {
  const Bytes ready = standing(keeper);
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
