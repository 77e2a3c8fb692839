// crypto/certificates.h: our own small certificate authorities (X.509 v3) and the requests they answer. An authority signs
// with ECDSA P-256, which browsers know, or with ML-DSA-65 (RFC 9881); what it issues for the control plane has a key of the
// same kind. Text is PEM. Certificates of agents carry URI SAN "caip:server:srv_…" and
// clientAuth; those of the control plane carry DNS/IP names and serverAuth.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"

namespace caip::crypto {

struct KeyAndCertificate {
  std::string certificate_pem;
  SecretBytes key_pem;  // PKCS#8
};

struct CertificateRequest {
  std::string csr_pem;
  SecretBytes key_pem;
};

// The agent's half of enrolment: a fresh ML-DSA-65 key and a request signed with it.
Result<CertificateRequest> make_request(std::string_view common_name);
// A request for a key that is there already.
Result<std::string> request_for(const SecretBytes& key_pem, std::string_view common_name);

// What a request asks a certificate for. Its own signature was checked.
struct RequestedKey {
  Digest key{};              // SHA-256 of its SubjectPublicKeyInfo, as in AgentCertificate
  bool post_quantum = false;  // ML-DSA-65
};
Result<RequestedKey> read_request(std::string_view csr_pem);
Result<Digest> public_half(const SecretBytes& key_pem);  // SHA-256 of its SubjectPublicKeyInfo
// A message signed with such a key; and whether this one signed it.
struct KeySignature {
  Bytes public_key;  // SubjectPublicKeyInfo, DER
  Bytes signature;
};
Result<KeySignature> sign_with_key(const SecretBytes& key_pem, BytesView message);
bool verify_with_key(const KeySignature&, BytesView message) noexcept;

// Authorities and servers' certificates begin two days before `now`: the clock of whoever checks them may be a day late.
enum class Signature : std::uint8_t { ecdsa_p256, mldsa65 };
// `before`: in whose place it comes; it begins when that one did, so that a clock that was ahead for a moment puts nobody off.
Result<KeyAndCertificate> make_authority(std::string_view common_name, Instant now, int days, Signature = Signature::ecdsa_p256, std::string_view before_pem = {});

// An authority that takes another's place, certified by the one before: "new with old" of RFC 4210, section 4.4. Both have
// the same name, so it is self-issued, which OpenSSL and RFC 5280 (section 4.2.1.9) do not count against a limit on the length of
// a path; authorities of before 2026-11-27 have one, later ones have none. Whoever trusts the older one alone follows a chain with
// it in between, as TLS clients do by themselves.
Result<std::string> link_authority(const KeyAndCertificate& older, std::string_view newer_pem);
// `offered`: an authority's own certificate, then links in any order, 16 certificates at the most. Returns the first when the
// links lead to it from `known`, which is one certificate, and no link is weaker than what signed it (forbidden when not).
Result<std::string> follow_links(std::string_view known_pem, std::string_view offered_pem);
Result<std::string> authority_id(std::string_view authority_pem);  // its subject key identifier, lower-case hex

// From `from` on for as long as `life`, to the second. The request's own signature is checked; of its content only the
// public key is used. The key must be ML-DSA-65, P-256, P-384 or Ed25519.
Result<std::string> issue_client_certificate(const KeyAndCertificate& authority, std::string_view csr_pem,
                                             std::string_view uri, Instant from, Duration life);
// names: DNS names or IP addresses.
Result<KeyAndCertificate> issue_server_certificate(const KeyAndCertificate& authority,
                                                   const std::vector<std::string>& names, Instant now, int days);

// What an agent's certificate says.
struct AgentCertificate {
  std::string uri;          // certificate_uri()
  std::string fingerprint;  // certificate_fingerprint()
  std::string issuer;       // authority_id() of whoever signed it, as it says itself
  Digest key{};             // SHA-256 of its SubjectPublicKeyInfo
  Instant from, until;
};
Result<AgentCertificate> read_agent_certificate(std::string_view certificate_pem);
// Whether one of these authorities signed it, whatever the clock says: forbidden when not.
Result<void> signed_by(std::string_view certificate_pem, std::string_view authorities_pem);

// Lower-case hex SHA-256 of the certificate's DER: what the install command pins.
Result<std::string> certificate_fingerprint(std::string_view certificate_pem);
// The one URI SAN beginning with "caip:server:" of a certificate in PEM; fails when there is not exactly one.
Result<std::string> certificate_uri(std::string_view certificate_pem);

}  // namespace caip::crypto
