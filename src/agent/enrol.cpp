#include "agent/enrol.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>

#include "base/json.h"
#include "base/text.h"
#include "agent/identity.h"
#include "agent/keys.h"
#include "agent/witness.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "crypto/random.h"
#include "tls_client.h"

namespace caip::agent {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);
constexpr std::size_t kMaxResponse = 256 * 1024;

std::string hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("server");
}

Result<Bytes> public_key(std::string_view text) {
  auto bytes = text.size() == 64 ? from_hex(text) : from_base64(text);
  if (!bytes || bytes->size() != 32) return fail(Code::malformed, "the control plane's answer: a public key");
  return *std::move(bytes);
}

// "Connection: close" was asked for: the body ends with the connection.
Result<std::string> exchange(TlsClient& tls, std::string_view request, Deadline deadline) {
  CAIP_CHECKED(tls.write(request, deadline));
  std::string response;
  for (;;) {
    auto more = tls.read();
    if (!more) return response.empty() ? Result<std::string>(std::unexpected(std::move(more).error())) : Result<std::string>(response);
    response += *more;
    if (response.size() > kMaxResponse) return fail(Code::too_large, "the control plane's answer is too large");
    if (!more->empty()) continue;
    pollfd p{.fd = tls.fd(), .events = POLLIN, .revents = 0};
    ::poll(&p, 1, 250);
    if (std::chrono::steady_clock::now() > deadline) return fail(Code::timeout, "the control plane does not answer");
  }
}

}  // namespace

Result<std::string> http_body(std::string_view response) {
  auto end = response.find("\r\n\r\n");
  int status = 0;
  if (!response.starts_with("HTTP/1.1 ") || end == std::string_view::npos || response.size() < 12)
    return fail(Code::malformed, "the control plane's answer is not HTTP");
  std::from_chars(response.data() + 9, response.data() + 12, status);
  std::string body(response.substr(end + 4));
  if (status == 200 || status == 201) return body;
  std::string why = "status " + std::to_string(status);
  if (auto problem = parse_object(body))
    if (const auto* detail = problem->if_contains("detail"); detail && detail->is_string())
      why = shown(cut(std::string_view(detail->get_string()), 300));
  return fail(Code::forbidden, "the control plane refused: " + why);
}

Result<Enrolled> read_enrolled(std::string_view body, const Endpoint& server, const Pinned& pinned) {
  CAIP_TRY(answer, parse_object(body));
  Members m(answer);
  CAIP_TRY(id, m.string("server_id", 64));
  CAIP_TRY(certificate, m.string("certificate", 64 * 1024));
  CAIP_TRY(ca, m.string("ca", 64 * 1024));
  CAIP_TRY(agent_ca, m.string("agent_ca", 64 * 1024));
  CAIP_TRY(order_key, m.string("order_key", 128));
  CAIP_TRY(log_key, m.string("log_key", 128));
  CAIP_TRY(cosign_text, m.string("cosign_key", 2048));
  auto cosign = from_base64(cosign_text);
  if (!cosign || cosign->size() != crypto::kMldsaPublic) return fail(Code::malformed, "the control plane's answer: the log's ML-DSA-44 key");
  CAIP_TRY(server_id, ServerId::parse(id));
  CAIP_TRY(order, public_key(order_key));
  CAIP_TRY(log, public_key(log_key));
  CAIP_TRY(wanted, crypto::certificate_fingerprint(pinned.ca_pem));
  CAIP_TRY(returned, crypto::certificate_fingerprint(ca));
  CAIP_TRY(wanted_agent, crypto::certificate_fingerprint(pinned.agent_ca_pem));
  CAIP_TRY(returned_agent, crypto::certificate_fingerprint(agent_ca));
  if (wanted != returned || wanted_agent != returned_agent) return fail(Code::forbidden, "the control plane answered with another CA");
  CAIP_CHECKED(crypto::signed_by(certificate, pinned.agent_ca_pem));
  CAIP_TRY(uri, crypto::certificate_uri(certificate));
  if (uri != "caip:server:" + server_id.str()) return fail(Code::forbidden, "the certificate is for another server");
  CAIP_TRY(fingerprint, crypto::certificate_fingerprint(certificate));
  return Enrolled{.server = server, .trust = {.server = server_id, .order_key = std::move(order), .log_key = std::move(log),
                                               .cosign_key = *std::move(cosign), .certificate = std::move(fingerprint)},
                  .ca_pem = pinned.ca_pem, .agent_ca_pem = pinned.agent_ca_pem, .certificate_pem = std::move(certificate)};
}

Result<void> enrol(const Endpoint& server, const Pinned& pinned, const SecretBytes& token, const std::string& dir) {
  const Deadline deadline = std::chrono::steady_clock::now() + kPatience;
  CAIP_TRY(named, crypto::certificate_fingerprint(pinned.agent_ca_pem));
  if (named != pinned.agent_ca_sha256) return fail(Code::forbidden, "the authority of the agents' channel is another than the one that was named");
  CAIP_CHECKED(crypto::follow_links(pinned.agent_ca_pem, pinned.agent_ca_pem));  // one, and an authority
  CAIP_TRY(context, TlsContext::make("http/1.1", pinned.ca_pem));
  CAIP_TRY(request, crypto::make_request(hostname()));
  const SecretBytes seed(crypto::random_bytes(32));
  CAIP_TRY(witness, crypto::SigningKey::from_seed(seed));
  std::string body;
  token.expose(Use::hand_to_client, [&](BytesView t) {
    body = canonical(json::object{{"token", text_of(t)}, {"csr", request.csr_pem}, {"hostname", hostname()},
                                  {"witness_key", hex(witness.public_key())}, {"renews", true}});
  });
  std::string message = "POST /api/v1/agent/enrol HTTP/1.1\r\nHost: " + server.str() +
                        "\r\nUser-Agent: caip-agent\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body;
  CAIP_TRY(tls, context.connect(server, deadline));
  auto response = exchange(tls, message, deadline);
  ::explicit_bzero(message.data(), message.size());
  ::explicit_bzero(body.data(), body.size());
  if (!response) return std::unexpected(std::move(response).error());
  CAIP_TRY(answer, http_body(*response));
  CAIP_TRY(enrolled, read_enrolled(answer, server, pinned));
  // Root of this machine joins it to a log (again): what was seen of an earlier one ends here. This
  // is also the way back when a control plane had to be restored from an old backup. The way to later
  // keys begins at the old ones, so it goes first: without it they are told again.
  std::error_code ignored;
  std::filesystem::remove(std::string(kHelperState) + kKeysFile, ignored);
  CAIP_CHECKED(store(dir, enrolled, request.key_pem, seed));
  std::filesystem::remove(std::string(kHelperState) + kWitnessFile, ignored);
  std::filesystem::remove(std::string(kHelperState) + kIdentityFile, ignored);  // of the enrolment before; it says so itself, too
  return {};
}

}  // namespace caip::agent
