#include "agent/identity.h"

#include <string.h>

#include <optional>

#include "base/json.h"
#include "crypto/certificates.h"

namespace caip::agent {
namespace {

constexpr std::size_t kMostKey = 32 * 1024, kMostCertificate = 64 * 1024, kMostAuthority = 16 * 1024;

void wipe_text(std::string& text) { ::explicit_bzero(text.data(), text.size()); }

SecretBytes secret_of(std::string text) {
  SecretBytes out{std::string_view(text)};
  wipe_text(text);
  return out;
}

SecretBytes copy_of(const SecretBytes& key) {
  SecretBytes out;
  key.expose(Use::store_key, [&](BytesView b) { out = SecretBytes(text_of(b)); });
  return out;
}

std::string plain(const SecretBytes& key) {
  std::string out;
  key.expose(Use::store_key, [&](BytesView b) { out = text_of(b); });
  return out;
}

// An enrolment of before the agents' channel had an authority of its own knows one for everything.
Result<std::string> first_authority(const std::string& config) {
  auto own = read_file(config + kAuthorityFile, kMostAuthority);
  if (own || own.error().code != Code::not_found) return own;
  return read_file(config + "/ca.pem", kMostAuthority);
}

}  // namespace

Result<Identity> Identity::open(const std::string& config, const std::string& state) {
  Identity self;
  CAIP_TRY(certificate, read_file(config + "/agent.crt"));
  CAIP_TRY(key, read_file(config + "/agent.key"));
  CAIP_TRY(authority, first_authority(config));
  CAIP_TRY(shown, crypto::read_agent_certificate(certificate));
  constexpr std::string_view kUri = "caip:server:";
  if (!shown.uri.starts_with(kUri)) return fail(Code::malformed, config + "/agent.crt is not a server's certificate");
  CAIP_TRY(server, ServerId::parse(std::string_view(shown.uri).substr(kUri.size())));
  self.file_ = state + kIdentityFile;
  self.server_ = server;
  self.enrolment_ = std::move(shown.fingerprint);
  self.uri_ = std::move(shown.uri);
  self.authority_pem_ = std::move(authority);
  self.pair_ = {std::move(certificate), secret_of(std::move(key))};
  CAIP_CHECKED(self.read_kept());
  return self;
}

Result<void> Identity::read_kept() {
  auto text = read_file(file_, 2 * (kMostKey + kMostCertificate + kMostAuthority));
  if (!text && text.error().code == Code::not_found) return {};
  if (!text) return std::unexpected(std::move(text).error());
  auto kept = parse_object(*text);
  wipe_text(*text);
  if (!kept) return std::unexpected(std::move(kept).error());
  Members m(*kept);
  CAIP_TRY(enrolment, m.string("enrolment", 64));
  CAIP_TRY(certificate, m.string("certificate", kMostCertificate));
  CAIP_TRY(key, m.string("key", kMostKey));
  CAIP_TRY(next, m.string("next_key", kMostKey));
  CAIP_TRY(authority, m.string("authority", kMostAuthority));
  if (enrolment != enrolment_) return {};
  authority_pem_ = std::move(authority);
  pair_ = {std::move(certificate), secret_of(std::move(key))};
  next_ = secret_of(std::move(next));
  return {};
}

Result<void> Identity::write(const Pair& pair, const SecretBytes& next, const std::string& authority_pem) const {
  json::object kept{{"enrolment", enrolment_}, {"certificate", pair.certificate_pem}, {"key", plain(pair.key_pem)}, {"next_key", plain(next)}, {"authority", authority_pem}};
  std::string text = canonical(kept) + "\n";
  auto written = write_file(file_, text, 0600);
  wipe_text(text);
  return written;
}

Result<Identity::Request> Identity::request(bool fresh) {
  CAIP_TRY(held, crypto::public_half(pair_.key_pem));
  if (fresh && next_.empty()) {
    CAIP_TRY(made, crypto::make_request(uri_));
    CAIP_CHECKED(write(pair_, made.key_pem, authority_pem_));
    next_ = std::move(made.key_pem);
  }
  const SecretBytes& key = fresh ? next_ : pair_.key_pem;
  CAIP_TRY(csr, crypto::request_for(key, uri_));
  CAIP_TRY(next, crypto::public_half(key));
  return Request{std::move(csr), held, next};
}

Result<channel::KeyProof> Identity::prove(const Bytes& nonce) const {
  if (nonce.size() != channel::kNonce) return fail(Code::malformed, "a challenge without its number");
  CAIP_TRY(made, crypto::sign_with_key(pair_.key_pem, view(channel::proof_text(*server_, nonce))));
  return channel::KeyProof{nonce, std::move(made.public_key), std::move(made.signature)};
}

Result<void> Identity::take(const channel::KeyIssued& issued) {
  const std::string& certificate_pem = issued.certificate;
  std::string authority = authority_pem_;
  if (!issued.authorities.empty()) {
    CAIP_TRY(followed, crypto::follow_links(authority_pem_, issued.authorities));
    authority = std::move(followed);
  }
  CAIP_TRY(shown, crypto::read_agent_certificate(certificate_pem));
  CAIP_CHECKED(crypto::signed_by(certificate_pem, authority));
  if (shown.uri != uri_) return fail(Code::forbidden, "a certificate for another server");
  CAIP_TRY(held, crypto::public_half(pair_.key_pem));
  std::optional<Digest> next;
  if (!next_.empty()) {
    CAIP_TRY(digest, crypto::public_half(next_));
    next = digest;
  }
  if (shown.key != held && shown.key != next) return fail(Code::forbidden, "a certificate for another key");
  const bool replaces = shown.key == next;
  CAIP_TRY(now, crypto::read_agent_certificate(pair_.certificate_pem));
  if (!replaces && shown.from < now.from) return fail(Code::forbidden, "an older certificate than the one there is");
  Pair taken{certificate_pem, copy_of(replaces ? next_ : pair_.key_pem)};
  SecretBytes left = replaces ? SecretBytes() : copy_of(next_);
  CAIP_CHECKED(write(taken, left, authority));
  pair_ = std::move(taken);
  next_ = std::move(left);
  authority_pem_ = std::move(authority);
  return {};
}

}  // namespace caip::agent
