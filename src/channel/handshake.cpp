#include "channel/handshake.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "channel/frame.h"
#include "crypto/certificates.h"

namespace caip::channel {
namespace {

constexpr std::string_view kUri = "caip:server:";
constexpr Duration kEarly = std::chrono::minutes(1);

struct Free {
  void operator()(BIO* b) const noexcept { BIO_free(b); }
};

Result<std::string> pem_of(X509* certificate) {
  std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return fail(Code::internal, "certificate");
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

bool speaks_protocol(const SSL* s) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(s, &name, &size);
  return name && text_of({name, size}) == kAgentProtocol;
}

std::string signed_with(SSL* s) {
  const char* name = nullptr;
  return SSL_get0_peer_signature_name(s, &name) == 1 && name ? name : "";
}

}  // namespace

Result<AgentIdentity> Handshake::identify(SSL* s, Instant now) {
  if (SSL_version(s) != TLS1_3_VERSION) return fail(Code::forbidden, "not TLS 1.3");
  if (!speaks_protocol(s)) return fail(Code::forbidden, "not the agent protocol");
  const char* group = SSL_get0_group_name(s);
  if (!group || std::string_view(group) != "X25519MLKEM768") return fail(Code::forbidden, "no post-quantum key exchange");
  X509* certificate = SSL_get0_peer_certificate(s);
  if (!certificate || SSL_get_verify_result(s) != X509_V_OK) return fail(Code::unauthenticated, "no verified certificate");
  CAIP_TRY(pem, pem_of(certificate));
  CAIP_TRY(shown, crypto::read_agent_certificate(pem));
  if (!shown.uri.starts_with(kUri)) return fail(Code::unauthenticated, "not a server's certificate");
  if (now + kEarly < shown.from) return fail(Code::unauthenticated, "a certificate that is not valid yet");
  CAIP_TRY(server, ServerId::parse(std::string_view(shown.uri).substr(kUri.size())));
  return AgentIdentity(Badge<Handshake>{}, server,
                       {.certificate = std::move(shown.fingerprint), .key = shown.key, .from = shown.from, .until = shown.until, .lapsed = now >= shown.until,
                        .group = "X25519MLKEM768", .issuer = std::move(shown.issuer), .signature = signed_with(s)});
}

}  // namespace caip::channel
