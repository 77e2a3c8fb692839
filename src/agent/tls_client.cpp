#include "tls_client.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/product.h"

namespace caip::agent {
namespace {

struct FreeBio { void operator()(BIO* b) const noexcept { BIO_free(b); } };
struct FreeX509 { void operator()(X509* c) const noexcept { X509_free(c); } };
struct FreeKey { void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); } };
struct FreeAddresses { void operator()(addrinfo* a) const noexcept { ::freeaddrinfo(a); } };
using Bio = std::unique_ptr<BIO, FreeBio>;
using Certificate = std::unique_ptr<X509, FreeX509>;

Bio bio_of(BytesView b) { return Bio(BIO_new_mem_buf(b.data(), static_cast<int>(b.size()))); }

Error tls_error(std::string what) {
  char text[256] = "closed";
  if (unsigned long code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return {Code::unavailable, std::move(what) + ": " + text};
}

Error socket_error(const std::string& what) { return {Code::unavailable, what + ": " + std::strerror(errno)}; }

int milliseconds_left(Deadline deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

Result<void> wait_for(int fd, short events, Deadline deadline) {
  pollfd p{.fd = fd, .events = events, .revents = 0};
  for (;;) {
    int n = ::poll(&p, 1, milliseconds_left(deadline));
    if (n > 0) return {};
    if (n == 0) return fail(Code::timeout, "the control plane does not answer");
    if (errno != EINTR) return std::unexpected(socket_error("poll"));
  }
}

Result<Fd> connect_one(const addrinfo& a, Deadline deadline) {
  Fd fd(::socket(a.ai_family, a.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a.ai_protocol));
  if (!fd) return std::unexpected(socket_error("socket"));
  if (::connect(fd.get(), a.ai_addr, a.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return std::unexpected(socket_error("connect"));
    CAIP_CHECKED(wait_for(fd.get(), POLLOUT, deadline));
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
      errno = error;
      return std::unexpected(socket_error("connect"));
    }
  }
  int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Result<Fd> connect_any(const Endpoint& server, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found); error != 0)
    return fail(Code::unavailable, server.host + ": " + ::gai_strerror(error));
  std::unique_ptr<addrinfo, FreeAddresses> all(found);
  Error last{Code::unavailable, "no address"};
  for (const addrinfo* a = all.get(); a; a = a->ai_next) {
    auto fd = connect_one(*a, deadline);
    if (fd) return fd;
    last = std::move(fd).error();
  }
  return std::unexpected(std::move(last));
}

// Not the address it was reached at: that may be anything, and a certificate of anybody's.
bool expect_control_plane(SSL* s) {
  std::string name(kControlName);
  X509_VERIFY_PARAM* param = SSL_get0_param(s);
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(param, name.c_str(), name.size()) == 1 &&
         SSL_ctrl(s, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

}  // namespace

void TlsClient::Free::operator()(ssl_st* s) const noexcept { SSL_free(s); }
void TlsContext::Free::operator()(ssl_ctx_st* c) const noexcept { SSL_CTX_free(c); }

Result<TlsContext> TlsContext::make(std::string_view protocol, const std::string& ca_pem) {
  TlsContext self;
  self.ctx_.reset(SSL_CTX_new(TLS_client_method()));
  self.protocol_ = std::string(1, static_cast<char>(protocol.size())) + std::string(protocol);
  SSL_CTX* c = self.ctx_.get();
  Bio bio = bio_of(view(ca_pem));
  Certificate ca(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!c || !ca || X509_STORE_add_cert(SSL_CTX_get_cert_store(c), ca.get()) != 1) return std::unexpected(tls_error("CA certificate"));
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  // Our certificate alone is sent: the control plane has its own authority's, and would keep a copy for each of us.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  const auto* alpn = reinterpret_cast<const unsigned char*>(self.protocol_.data());
  if (SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 || SSL_CTX_set1_groups_list(c, "X25519MLKEM768") != 1 ||
      SSL_CTX_set_alpn_protos(c, alpn, static_cast<unsigned>(self.protocol_.size())) != 0)
    return std::unexpected(tls_error("TLS set-up"));
  return self;
}

Result<void> TlsContext::use(const std::string& certificate_pem, const SecretBytes& key_pem) {
  Bio bio = bio_of(view(certificate_pem));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  std::unique_ptr<EVP_PKEY, FreeKey> key;
  key_pem.expose(Use::load_key, [&](BytesView pem) {
    Bio in = bio_of(pem);
    key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  });
  if (!certificate || !key || SSL_CTX_use_certificate(ctx_.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(ctx_.get(), key.get()) != 1 || SSL_CTX_check_private_key(ctx_.get()) != 1)
    return std::unexpected(tls_error("client certificate"));
  return {};
}

Result<TlsClient> TlsContext::connect(const Endpoint& server, Deadline deadline) const {
  ERR_clear_error();
  CAIP_TRY(fd, connect_any(server, deadline));
  TlsClient client;
  client.fd_ = std::move(fd);
  client.ssl_.reset(SSL_new(ctx_.get()));
  if (!client.ssl_ || !expect_control_plane(client.ssl_.get()) || SSL_set_fd(client.ssl_.get(), client.fd_.get()) != 1)
    return std::unexpected(tls_error("TLS"));
  CAIP_CHECKED(client.handshake(deadline));
  // Asked for and nothing else offered; looked at again, because a silent fall back is the one
  // thing this channel must never do.
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(client.ssl_.get(), &name, &size);
  const char* group = SSL_get0_group_name(client.ssl_.get());
  if (!name || text_of({name, size}) != std::string_view(protocol_).substr(1)) return fail(Code::forbidden, "another protocol");
  if (!group || std::string_view(group) != "X25519MLKEM768") return fail(Code::forbidden, "no post-quantum key exchange");
  return client;
}

Result<void> TlsClient::wait(int ssl_error, Deadline deadline) {
  if (ssl_error == SSL_ERROR_WANT_READ) return wait_for(fd_.get(), POLLIN, deadline);
  if (ssl_error == SSL_ERROR_WANT_WRITE) return wait_for(fd_.get(), POLLOUT, deadline);
  if (long bad = SSL_get_verify_result(ssl_.get()); bad != X509_V_OK) {
    ERR_clear_error();
    return fail(Code::forbidden, std::string("the control plane's certificate: ") + X509_verify_cert_error_string(bad));
  }
  return std::unexpected(tls_error("TLS"));
}

Result<void> TlsClient::handshake(Deadline deadline) {
  for (;;) {
    int n = SSL_connect(ssl_.get());
    if (n == 1) return {};
    CAIP_CHECKED(wait(SSL_get_error(ssl_.get(), n), deadline));
  }
}

Result<void> TlsClient::write(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t n = 0;
    int ok = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
    if (ok == 1) {
      bytes.remove_prefix(n);
      continue;
    }
    CAIP_CHECKED(wait(SSL_get_error(ssl_.get(), ok), deadline));
  }
  return {};
}

Result<std::string> TlsClient::read() {
  std::string out;
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    ERR_clear_error();
    std::size_t n = 0;
    int ok = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &n);
    if (ok == 1) {
      out.append(buffer.data(), n);
      if (out.size() < 256 * 1024) continue;
      return out;  // the rest next time: SSL_pending is seen because read() is called before poll()
    }
    int error = SSL_get_error(ssl_.get(), ok);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return out;
    if (!out.empty()) return out;
    if (error == SSL_ERROR_ZERO_RETURN) return fail(Code::unavailable, "the control plane closed the connection");
    return std::unexpected(tls_error("TLS"));
  }
}

}  // namespace caip::agent
