#include "agent/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/json.h"
#include "crypto/certificates.h"
#include "crypto/mldsa.h"
#include "agent/identity.h"
#include "fd.h"

namespace caip::agent {
namespace {

Error system_error(const std::string& what) { return {Code::internal, what + ": " + std::strerror(errno)}; }

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::unexpected(system_error("write"));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<Bytes> key_bytes(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 32) return fail(Code::malformed, "a public key is 64 hex digits");
  return *std::move(bytes);
}

Result<json::object> read_settings(const std::string& dir) {
  CAIP_TRY(text, read_file(dir + "/agent.json", 16 * 1024));
  return parse_object(text);
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.size() > 300) return fail(Code::malformed, "expected HOST:PORT");
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == ':'; };
  if (port.empty() || port.size() > 5 || !std::ranges::all_of(port, digit) || host.empty() || !std::ranges::all_of(host, allowed))
    return fail(Code::malformed, "expected HOST:PORT");
  return Endpoint{std::string(host), std::string(port)};
}

std::string Endpoint::str() const {
  return (host.contains(':') ? "[" + host + "]" : host) + ":" + port;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(errno == ENOENT ? Code::not_found : Code::internal, path + ": " + std::strerror(errno));
  std::string out;
  char buffer[8192];
  for (;;) {
    ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(system_error(path));
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > max_bytes) return fail(Code::too_large, path + " is too large");
  }
}

Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string beside = path + ".new";
  {
    Fd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return std::unexpected(system_error(beside));
    if (::fchmod(fd.get(), mode) != 0) return std::unexpected(system_error(beside));
    CAIP_CHECKED(write_all(fd.get(), bytes));
    if (::fsync(fd.get()) != 0) return std::unexpected(system_error(beside));
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return std::unexpected(system_error(path));
  Fd folder(::open(std::filesystem::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return std::unexpected(system_error(path));
  return {};
}

Result<void> store(const std::string& dir, const Enrolled& e, const SecretBytes& key_pem, const SecretBytes& witness_seed) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail(Code::internal, dir + ": " + error.message());
  Result<void> written;
  key_pem.expose(Use::store_key, [&](BytesView key) { written = write_file(dir + "/agent.key", text_of(key), 0600); });
  CAIP_CHECKED(std::move(written));
  witness_seed.expose(Use::store_key, [&](BytesView key) { written = write_file(dir + "/witness.key", text_of(key), 0600); });
  CAIP_CHECKED(std::move(written));
  CAIP_CHECKED(write_file(dir + "/agent.crt", e.certificate_pem, 0644));
  CAIP_CHECKED(write_file(dir + "/ca.pem", e.ca_pem, 0644));
  CAIP_CHECKED(write_file(dir + kAuthorityFile, e.agent_ca_pem, 0644));
  const json::object settings{{"server", e.server.str()},
                              {"server_id", e.trust.server.str()},
                              {"order_key", hex(e.trust.order_key)},
                              {"log_key", hex(e.trust.log_key)},
                              {"cosign_key", base64(e.trust.cosign_key)}};
  return write_file(dir + "/agent.json", canonical(settings) + "\n", 0644);
}

Result<AgentConfig> load_agent(const std::string& dir, const std::string& state) {
  CAIP_TRY(settings, read_settings(dir));
  Members m(settings);
  CAIP_TRY(server, m.string("server", 300));
  CAIP_TRY(endpoint, Endpoint::parse(server));
  CAIP_TRY(identity, Identity::open(dir, state));
  std::string authority = identity.authority();
  Pair pair = std::move(identity).leave();
  return AgentConfig{.server = endpoint, .authority_pem = std::move(authority), .certificate_pem = std::move(pair.certificate_pem), .key_pem = std::move(pair.key_pem)};
}

Result<channel::OrderTrust> load_trust(const std::string& dir) {
  CAIP_TRY(settings, read_settings(dir));
  Members m(settings);
  CAIP_TRY(id, m.string("server_id", 64));
  CAIP_TRY(order, m.string("order_key", 64));
  CAIP_TRY(log, m.string("log_key", 64));
  CAIP_TRY(cosign, m.string("cosign_key", 2048));
  CAIP_TRY(server, ServerId::parse(id));
  CAIP_TRY(order_key, key_bytes(order));
  CAIP_TRY(log_key, key_bytes(log));
  auto cosign_key = from_base64(cosign);
  if (!cosign_key || cosign_key->size() != crypto::kMldsaPublic) return fail(Code::malformed, "an ML-DSA-44 key has 1,312 bytes");
  CAIP_TRY(pem, read_file(dir + "/agent.crt"));
  CAIP_TRY(certificate, crypto::certificate_fingerprint(pem));
  return channel::OrderTrust{.server = server, .order_key = std::move(order_key), .log_key = std::move(log_key), .cosign_key = *std::move(cosign_key),
                             .certificate = std::move(certificate)};
}

Result<crypto::SigningKey> load_witness_key(const std::string& dir) {
  CAIP_TRY(text, read_file(dir + "/witness.key", 64));
  const SecretBytes seed{std::string_view(text)};
  ::explicit_bzero(text.data(), text.size());
  return crypto::SigningKey::from_seed(seed);
}

}  // namespace caip::agent
