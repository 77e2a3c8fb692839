#include "crypto/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>

#include <algorithm>
#include <ctime>

#include "base/product.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "openssl.h"

namespace caip::crypto {
namespace {

constexpr std::size_t kMostCertificates = 16;

bool is_mldsa(const EVP_PKEY* key) { return EVP_PKEY_is_a(key, "ML-DSA-65") == 1; }
Pkey new_key(Signature kind) { return kind == Signature::mldsa65 ? Pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ML-DSA-65")) : Pkey(EVP_EC_gen("P-256")); }

// ML-DSA signs the message itself.
const EVP_MD* digest_for(const EVP_PKEY* key) { return is_mldsa(key) ? nullptr : EVP_sha256(); }

Result<SecretBytes> key_text(EVP_PKEY* key) {
  Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) return openssl_failed("key");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  SecretBytes secret(std::string_view(data, static_cast<std::size_t>(size)));
  OPENSSL_cleanse(data, static_cast<std::size_t>(size));
  return secret;
}

Pkey read_key(const SecretBytes& pem) {
  Pkey key;
  pem.expose(Use::load_key, [&](BytesView b) {
    const Bio bio = reading(text_of(b));
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
  });
  return key;
}

Certificate read_certificate(std::string_view pem) {
  const Bio bio = reading(pem);
  Certificate c(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return c;
}

Result<std::vector<Certificate>> read_certificates(std::string_view pem) {
  const Bio bio = reading(pem);
  std::vector<Certificate> out;
  while (Certificate c{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (out.size() == kMostCertificates) return fail(Code::too_large, "too many certificates");
    out.push_back(std::move(c));
  }
  ERR_clear_error();
  if (out.empty()) return fail(Code::malformed, "not a certificate in PEM");
  return out;
}

Result<std::string> pem_of(X509* certificate) {
  const Bio bio = writing();
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) return openssl_failed("certificate");
  return contents(bio);
}

bool set_name(X509_NAME* name, std::string_view common) {
  auto add = [&](const char* field, std::string_view v) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(v.data()),
                                      static_cast<int>(v.size()), -1, 0) == 1;
  };
  return add("O", kProductName) && add("CN", common.substr(0, 64));
}

bool extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&ctx);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Template {
  std::string common_name;
  std::string names;   // of the subjectAltName; empty for the authority
  const char* usage;   // extendedKeyUsage; nullptr for the authority
  Instant from, until;
};

constexpr Duration kBackdated = std::chrono::hours(48);
Instant days_after(Instant now, int days) { return now + std::chrono::hours(24 * days); }

// Subject and key are ours or checked by the caller; nothing is copied from a request.
Certificate fill(const Template& t, EVP_PKEY* key, X509* issuer) {
  Certificate c(X509_new());
  if (!c) return nullptr;
  Bytes serial = random_bytes(16);
  serial[0] &= 0x7f;
  serial[0] |= 0x40;
  std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  const std::time_t from = t.from.micros() / 1'000'000;
  const std::time_t until = t.until.micros() / 1'000'000;
  X509* self = issuer ? issuer : c.get();
  bool ok = X509_set_version(c.get(), X509_VERSION_3) == 1 && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(c.get())) &&
            ASN1_TIME_set(X509_getm_notBefore(c.get()), from) && ASN1_TIME_set(X509_getm_notAfter(c.get()), until) &&
            set_name(X509_get_subject_name(c.get()), t.common_name) &&
            X509_set_issuer_name(c.get(), X509_get_subject_name(self)) == 1 && X509_set_pubkey(c.get(), key) == 1;
  ok = ok && extend(c.get(), self, NID_subject_key_identifier, "hash") &&
       extend(c.get(), self, NID_authority_key_identifier, "keyid:always");
  if (t.usage == nullptr) {
    ok = ok && extend(c.get(), self, NID_basic_constraints, "critical,CA:TRUE") &&
         extend(c.get(), self, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    ok = ok && extend(c.get(), self, NID_basic_constraints, "critical,CA:FALSE") &&
         extend(c.get(), self, NID_key_usage, "critical,digitalSignature") &&
         extend(c.get(), self, NID_ext_key_usage, t.usage) && extend(c.get(), self, NID_subject_alt_name, t.names);
  }
  return ok ? std::move(c) : nullptr;
}

Result<std::string> issue(const KeyAndCertificate& authority, const Template& t, EVP_PKEY* key) {
  const Certificate ca = read_certificate(authority.certificate_pem);
  const Pkey ca_key = read_key(authority.key_pem);
  if (!ca || !ca_key) return fail(Code::internal, "the certificate authority cannot be read");
  const Certificate c = fill(t, key, ca.get());
  if (!c || X509_sign(c.get(), ca_key.get(), digest_for(ca_key.get())) == 0) return openssl_failed("certificate");
  return pem_of(c.get());
}

bool allowed_key(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") || is_mldsa(key)) return true;
  if (!EVP_PKEY_is_a(key, "EC")) return false;
  char group[32] = {};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1) return false;
  const std::string_view name(group, size);
  return name == "prime256v1" || name == "P-256" || name == "secp384r1" || name == "P-384";
}

Result<Digest> digest_of_key(const X509_PUBKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(key, &der);
  if (size <= 0) return openssl_failed("public key");
  const Digest digest = sha256({der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return digest;
}

Result<Instant> instant_of(const ASN1_TIME* t) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(t, &parts) != 1) return fail(Code::malformed, "a certificate's time");
  return Instant(std::int64_t{::timegm(&parts)} * 1'000'000);
}

bool signed_by_key(X509* certificate, X509* authority) {
  const bool is = X509_verify(certificate, X509_get0_pubkey(authority)) == 1;
  ERR_clear_error();
  return is;
}

std::string common_name_of(X509* certificate) {
  char text[65] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return text;
}

Result<std::string> id_text(const ASN1_OCTET_STRING* id) {
  if (id == nullptr) return fail(Code::malformed, "a certificate without a key identifier");
  return hex({ASN1_STRING_get0_data(id), static_cast<std::size_t>(ASN1_STRING_length(id))});
}

// The extension parser splits at ',' and ':': only characters that mean nothing there.
bool plain_name(std::string_view s) {
  auto good = [](char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '.' || ch == '-' || ch == ':' || ch == '_' || ch == '*'; };
  return !s.empty() && s.size() <= 253 && std::ranges::all_of(s, good);
}

bool is_address(const std::string& s) {
  const std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING_free>> ip(a2i_IPADDRESS(s.c_str()));
  ERR_clear_error();
  return ip != nullptr;
}

}  // namespace

namespace {

Result<std::string> request_by(EVP_PKEY* key, std::string_view common_name) {
  const Request request(X509_REQ_new());
  if (key == nullptr || !request || !set_name(X509_REQ_get_subject_name(request.get()), common_name) || X509_REQ_set_pubkey(request.get(), key) != 1 ||
      X509_REQ_sign(request.get(), key, digest_for(key)) == 0)
    return openssl_failed("certificate request");
  const Bio bio = writing();
  if (PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) return openssl_failed("certificate request");
  return contents(bio);
}

// Its key, once the request's own signature was checked.
Result<Pkey> key_of_request(std::string_view csr_pem) {
  if (csr_pem.size() > 16384) return fail(Code::too_large, "certificate request too long");
  const Bio bio = reading(csr_pem);
  const Request request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  Pkey key(request ? X509_REQ_get_pubkey(request.get()) : nullptr);
  const bool allowed = key && allowed_key(key.get()), signed_by_it = allowed && X509_REQ_verify(request.get(), key.get()) == 1;
  ERR_clear_error();
  if (!request) return fail(Code::malformed, "not a certificate request in PEM");
  if (!allowed) return fail(Code::invalid, "the key of the request must be ML-DSA-65, P-256, P-384 or Ed25519");
  if (!signed_by_it) return fail(Code::invalid, "the request is not signed with its own key");
  return key;
}

Result<Digest> digest_of(EVP_PKEY* key) {
  X509_PUBKEY* made = nullptr;
  if (X509_PUBKEY_set(&made, key) != 1) return openssl_failed("public key");
  const std::unique_ptr<X509_PUBKEY, Freed<X509_PUBKEY_free>> owner(made);
  return digest_of_key(made);
}

}  // namespace

Result<CertificateRequest> make_request(std::string_view common_name) {
  const Pkey key = new_key(Signature::mldsa65);
  CAIP_TRY(request, request_by(key.get(), common_name));
  CAIP_TRY(secret, key_text(key.get()));
  return CertificateRequest{std::move(request), std::move(secret)};
}

Result<std::string> request_for(const SecretBytes& key_pem, std::string_view common_name) {
  const Pkey key = read_key(key_pem);
  return request_by(key.get(), common_name);
}

Result<RequestedKey> read_request(std::string_view csr_pem) {
  CAIP_TRY(key, key_of_request(csr_pem));
  CAIP_TRY(digest, digest_of(key.get()));
  return RequestedKey{digest, is_mldsa(key.get())};
}

Result<Digest> public_half(const SecretBytes& key_pem) {
  const Pkey key = read_key(key_pem);
  if (!key) return openssl_failed("key");
  return digest_of(key.get());
}

Result<KeySignature> sign_with_key(const SecretBytes& key_pem, BytesView message) {
  const Pkey key = read_key(key_pem);
  const MdCtx ctx(EVP_MD_CTX_new());
  unsigned char* der = nullptr;
  const int size = key ? i2d_PUBKEY(key.get(), &der) : 0;
  if (size <= 0) return openssl_failed("key");
  KeySignature out{.public_key = Bytes(der, der + size), .signature = {}};
  OPENSSL_free(der);
  std::size_t length = 0;
  if (EVP_DigestSignInit(ctx.get(), nullptr, digest_for(key.get()), nullptr, key.get()) != 1 || EVP_DigestSign(ctx.get(), nullptr, &length, message.data(), message.size()) != 1)
    return openssl_failed("signature");
  out.signature.resize(length);
  if (EVP_DigestSign(ctx.get(), out.signature.data(), &length, message.data(), message.size()) != 1) return openssl_failed("signature");
  out.signature.resize(length);
  return out;
}

bool verify_with_key(const KeySignature& s, BytesView message) noexcept {
  const unsigned char* at = s.public_key.data();
  const Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(s.public_key.size())));
  const MdCtx ctx(EVP_MD_CTX_new());
  const bool good = key && allowed_key(key.get()) && EVP_DigestVerifyInit(ctx.get(), nullptr, digest_for(key.get()), nullptr, key.get()) == 1 &&
                    EVP_DigestVerify(ctx.get(), s.signature.data(), s.signature.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<void> signed_by(std::string_view certificate_pem, std::string_view authorities_pem) {
  const Certificate c = read_certificate(certificate_pem);
  if (!c) return fail(Code::malformed, "not a certificate in PEM");
  CAIP_TRY(authorities, read_certificates(authorities_pem));
  const bool is = std::ranges::any_of(authorities, [&](const Certificate& a) { return signed_by_key(c.get(), a.get()); });
  return is ? Result<void>() : fail(Code::forbidden, "another authority's certificate");
}

Result<KeyAndCertificate> make_authority(std::string_view common_name, Instant now, int days, Signature kind, std::string_view before_pem) {
  const Pkey key = new_key(kind);
  if (!key) return openssl_failed("key");
  Instant from = now + -kBackdated;
  if (const Certificate before = before_pem.empty() ? nullptr : read_certificate(before_pem)) {
    CAIP_TRY(began, instant_of(X509_get0_notBefore(before.get())));
    from = std::min(from, began);
  }
  const Certificate c = fill({std::string(common_name), "", nullptr, from, days_after(now, days)}, key.get(), nullptr);
  if (!c || X509_sign(c.get(), key.get(), digest_for(key.get())) == 0) return openssl_failed("certificate authority");
  CAIP_TRY(text, pem_of(c.get()));
  CAIP_TRY(secret, key_text(key.get()));
  return KeyAndCertificate{std::move(text), std::move(secret)};
}

Result<std::string> link_authority(const KeyAndCertificate& older, std::string_view newer_pem) {
  const Certificate before = read_certificate(older.certificate_pem), after = read_certificate(newer_pem);
  if (!before || !after) return fail(Code::internal, "the certificate authority cannot be read");
  if (X509_NAME_cmp(X509_get_subject_name(before.get()), X509_get_subject_name(after.get())) != 0) return fail(Code::invalid, "authorities of two names");
  CAIP_TRY(from, instant_of(X509_get0_notBefore(after.get())));
  CAIP_TRY(until, instant_of(X509_get0_notAfter(before.get())));
  CAIP_TRY(last, instant_of(X509_get0_notAfter(after.get())));
  return issue(older, {common_name_of(after.get()), "", nullptr, from, std::min(until, last)}, X509_get0_pubkey(after.get()));
}

Result<std::string> follow_links(std::string_view known_pem, std::string_view offered_pem) {
  CAIP_TRY(trusted, read_certificates(known_pem));
  CAIP_TRY(offered, read_certificates(offered_pem));
  if (trusted.size() != 1) return fail(Code::malformed, "more than one authority is known");
  if (std::ranges::any_of(offered, [](const Certificate& c) { return X509_check_ca(c.get()) != 1; })) return fail(Code::forbidden, "not an authority's certificate");
  const auto has_key = [](const Certificate& a, const Certificate& b) { return EVP_PKEY_eq(X509_get0_pubkey(a.get()), X509_get0_pubkey(b.get())) == 1; };
  const auto is_weaker = [](const Certificate& c, const Certificate& than) { return is_mldsa(X509_get0_pubkey(than.get())) && !is_mldsa(X509_get0_pubkey(c.get())); };
  const auto is_trusted = [&](const Certificate& c) { return std::ranges::any_of(trusted, [&](const Certificate& t) { return has_key(t, c); }); };
  for (bool more = true; more && !is_trusted(offered.front());) {
    more = false;
    for (auto& c : offered) {
      const bool next = !is_trusted(c) && std::ranges::any_of(trusted, [&](const Certificate& t) { return signed_by_key(c.get(), t.get()) && !is_weaker(c, t); });
      if (!next) continue;
      X509_up_ref(c.get());
      trusted.emplace_back(c.get());
      more = true;
    }
  }
  if (!is_trusted(offered.front()) || !signed_by_key(offered.front().get(), offered.front().get())) return fail(Code::forbidden, "an authority that no known one leads to");
  return pem_of(offered.front().get());
}

Result<std::string> issue_client_certificate(const KeyAndCertificate& authority, std::string_view csr_pem,
                                             std::string_view uri, Instant from, Duration life) {
  CAIP_TRY(key, key_of_request(csr_pem));
  if (!plain_name(uri)) return fail(Code::internal, "not a plain URI");
  const std::string name(uri.substr(uri.rfind(':') + 1));
  return issue(authority, {name, "URI:" + std::string(uri), "clientAuth", from, from + life}, key.get());
}

Result<KeyAndCertificate> issue_server_certificate(const KeyAndCertificate& authority, const std::vector<std::string>& names,
                                                   Instant now, int days) {
  if (names.empty() || names.size() > 32) return fail(Code::invalid, "1 to 32 names");
  std::string all;
  for (const auto& name : names) {
    if (!plain_name(name)) return fail(Code::invalid, "not a host name or an address: " + name.substr(0, 64));
    all += (all.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
  }
  const Certificate ca = read_certificate(authority.certificate_pem);
  const Pkey key = new_key(ca && is_mldsa(X509_get0_pubkey(ca.get())) ? Signature::mldsa65 : Signature::ecdsa_p256);
  if (!key) return openssl_failed("key");
  CAIP_TRY(began, ca ? instant_of(X509_get0_notBefore(ca.get())) : fail(Code::internal, "the certificate authority cannot be read"));
  CAIP_TRY(text, issue(authority, {names.front(), all, "serverAuth", std::min(now + -kBackdated, began), days_after(now, days)}, key.get()));
  CAIP_TRY(secret, key_text(key.get()));
  return KeyAndCertificate{std::move(text), std::move(secret)};
}

Result<std::string> authority_id(std::string_view authority_pem) {
  const Certificate c = read_certificate(authority_pem);
  if (!c) return fail(Code::malformed, "not a certificate in PEM");
  return id_text(X509_get0_subject_key_id(c.get()));
}

Result<std::string> certificate_fingerprint(std::string_view pem) {
  const Certificate c = read_certificate(pem);
  if (!c) return fail(Code::malformed, "not a certificate in PEM");
  Bytes digest(32);
  unsigned size = 0;
  if (X509_digest(c.get(), EVP_sha256(), digest.data(), &size) != 1) return openssl_failed("digest");
  return hex(digest);
}

Result<std::string> certificate_uri(std::string_view pem) {
  const Certificate c = read_certificate(pem);
  if (!c) return fail(Code::malformed, "not a certificate in PEM");
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(c.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::string found;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_URI) continue;
    const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (!uri.starts_with("caip:server:")) continue;
    if (!found.empty()) return fail(Code::invalid, "several server names in one certificate");
    found = uri;
  }
  if (found.empty()) return fail(Code::invalid, "no server name in the certificate");
  return found;
}

Result<AgentCertificate> read_agent_certificate(std::string_view pem) {
  const Certificate c = read_certificate(pem);
  if (!c) return fail(Code::malformed, "not a certificate in PEM");
  CAIP_TRY(uri, certificate_uri(pem));
  CAIP_TRY(fingerprint, certificate_fingerprint(pem));
  CAIP_TRY(issuer, id_text(X509_get0_authority_key_id(c.get())));
  CAIP_TRY(key, digest_of_key(X509_get_X509_PUBKEY(c.get())));
  CAIP_TRY(from, instant_of(X509_get0_notBefore(c.get())));
  CAIP_TRY(until, instant_of(X509_get0_notAfter(c.get())));
  return AgentCertificate{std::move(uri), std::move(fingerprint), std::move(issuer), key, from, until};
}

}  // namespace caip::crypto
