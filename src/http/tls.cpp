#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cstring>
#include <string>

#include "base/product.h"

namespace caip::http {
namespace {

namespace ssl = boost::asio::ssl;
constexpr long kMaxCertificates = 16 * 1024;  // of an agent, all together; what it sends is parsed before it is trusted
constexpr unsigned char kWebProtocols[] = "\x08http/1.1";

std::string openssl_error() {
  char text[256] = "unknown";
  if (unsigned long code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

// A protocol list of RFC 7301: one length byte before each name.
bool offers(const unsigned char* list, std::size_t size, std::string_view wanted) {
  for (std::size_t at = 0; at < size;) {
    std::size_t length = list[at++];
    if (length == 0 || length > size - at) return false;
    if (length == wanted.size() && std::memcmp(list + at, wanted.data(), length) == 0) return true;
    at += length;
  }
  return false;
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size,
                    void*) {
  std::string_view chosen = offers(in, in_size, kAgentProtocol) ? kAgentProtocol : "http/1.1";
  if (chosen != kAgentProtocol && !offers(in, in_size, chosen)) return SSL_TLSEXT_ERR_ALERT_FATAL;
  static const std::string agent{kAgentProtocol};
  const char* text = chosen == kAgentProtocol ? agent.data() : reinterpret_cast<const char*>(kWebProtocols) + 1;
  *out = reinterpret_cast<const unsigned char*>(text);
  *out_size = static_cast<unsigned char>(chosen.size());
  return SSL_TLSEXT_ERR_OK;
}

bool common(SSL_CTX* ctx, const char* groups) {
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);  // what is sent is what was given: no authority from the store
  // No resumption at all: an agent proves who it is on every connection, and a session begun
  // as a browser can never come back as an agent.
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(ctx, select_protocol, nullptr);
  return SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

void use(ssl::context& context, const Certificate& certificate) {
  context.use_certificate_chain(boost::asio::buffer(certificate.chain_pem));
  context.use_private_key(boost::asio::buffer(certificate.key_pem), ssl::context::pem);
}

}  // namespace

TlsContexts::TlsContexts() : web_(ssl::context::tls_server), own_(ssl::context::tls_server), agent_(ssl::context::tls_server) {}
TlsContexts::~TlsContexts() = default;

Result<std::shared_ptr<TlsContexts>> TlsContexts::make(const Certificates& shown) {
  std::shared_ptr<TlsContexts> self(new TlsContexts());
  try {
    use(self->web_, shown.web);
    use(self->own_, shown.own);
    use(self->agent_, shown.agents);
    self->agent_.add_certificate_authority(boost::asio::buffer(shown.agent_authorities));
  } catch (const boost::system::system_error& e) {
    return fail(Code::invalid, std::string("certificate or key: ") + e.code().message());
  }
  SSL_CTX *web = self->web_.native_handle(), *own = self->own_.native_handle(), *agent = self->agent_.native_handle();
  // '/' ends a tuple: a client that can do the first group is asked for it, even if it guessed
  // the second one.
  if (!common(web, "X25519MLKEM768/X25519") || !common(own, "X25519MLKEM768/X25519") || !common(agent, "X25519MLKEM768"))
    return fail(Code::internal, "TLS set-up: " + openssl_error());
  // What the macros SSL_CTX_set_tlsext_servername_callback and _arg do, without their C casts.
  SSL_CTX_callback_ctrl(web, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(&TlsContexts::on_server_name));
  SSL_CTX_ctrl(web, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, self.get());
  // For all: after a HelloRetryRequest the second ClientHello is asked about in the context that the
  // first one's server name chose, and may speak of the agent's protocol only now.
  for (SSL_CTX* context : {web, own, agent}) SSL_CTX_set_client_hello_cb(context, &TlsContexts::on_client_hello, self.get());
  return self;
}

// After the ClientHello's server name was read: our own certificate for our own name. An agent's connection has its own already.
int TlsContexts::on_server_name(SSL* s, int*, void* arg) {
  auto* self = static_cast<TlsContexts*>(arg);
  const char* name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
  if (SSL_get_SSL_CTX(s) == self->agent_.native_handle() || name == nullptr || std::string_view(name) != kControlName) return SSL_TLSEXT_ERR_OK;
  return SSL_set_SSL_CTX(s, self->own_.native_handle()) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsContexts::on_client_hello(SSL* s, int* alert, void* arg) {
  auto* self = static_cast<TlsContexts*>(arg);
  const unsigned char* list = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(s, TLSEXT_TYPE_application_layer_protocol_negotiation, &list, &size) != 1 || size < 2)
    return SSL_CLIENT_HELLO_SUCCESS;
  if (!offers(list + 2, size - 2, kAgentProtocol)) return SSL_CLIENT_HELLO_SUCCESS;
  // The context brings its certificate only; the rest has to be said to the connection itself.
  SSL_CTX* agent = self->agent_.native_handle();
  SSL_set_verify(s, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_set_max_cert_list(s, kMaxCertificates);
  // Who signed it is looked at here; whether it has ended, by channel/handshake.h, which knows the time of the log: a machine whose
  // clock is behind would take what ended long ago.
  X509_VERIFY_PARAM_set_flags(SSL_get0_param(s), X509_V_FLAG_NO_CHECK_TIME);
  if (SSL_set_SSL_CTX(s, agent) != agent || SSL_set1_groups_list(s, "X25519MLKEM768") != 1 ||
      SSL_set1_verify_cert_store(s, SSL_CTX_get_cert_store(agent)) != 1) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

bool TlsContexts::speaks_agent(SSL* s) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(s, &name, &size);
  return (SSL_get_verify_mode(s) & SSL_VERIFY_PEER) != 0 && size == kAgentProtocol.size() && std::memcmp(name, kAgentProtocol.data(), size) == 0;
}

}  // namespace caip::http
