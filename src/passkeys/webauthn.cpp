#include "passkeys/webauthn.h"

#include <cbor.h>
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/json.h"
#include "crypto/hash.h"

namespace caip::passkeys {
namespace {

constexpr std::size_t kMostClientData = 8 * 1024;
constexpr std::size_t kMostAttestation = 64 * 1024;
constexpr std::size_t kMostAuthenticatorData = 4 * 1024;
constexpr std::size_t kMostSignature = 1024;
constexpr std::uint8_t kPresent = 0x01, kVerified = 0x04, kHasCredential = 0x40;

// libfido2 reads CBOR with libcbor, which takes a container's word for how many members it has and asks for memory for
// all of them before it reads the first: five bytes can ask for gigabytes. No container of an input that we take needs
// more than one pair of pointers for each of its bytes.
constexpr std::size_t kMostAllocated = kMostAttestation * sizeof(cbor_pair);

void* bounded_malloc(std::size_t n) { return n <= kMostAllocated ? std::malloc(n) : nullptr; }
void* bounded_realloc(void* p, std::size_t n) { return n <= kMostAllocated ? std::realloc(p, n) : nullptr; }

// libcbor's allocators are the process's; nothing but libfido2 uses it here.
void bound_cbor() {
  static const bool done = (cbor_set_allocs(bounded_malloc, bounded_realloc, std::free), true);
  static_cast<void>(done);
}

struct FreeCredential {
  void operator()(fido_cred_t* c) const noexcept { fido_cred_free(&c); }
};
struct FreeAssertion {
  void operator()(fido_assert_t* a) const noexcept { fido_assert_free(&a); }
};

std::unexpected<Error> refuse(std::string why) { return fail(Code::bad_credentials, std::move(why)); }

std::string text_in(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

Result<void> check_client_data(const Site& site, std::string_view type, std::string_view challenge, std::string_view text) {
  if (text.size() > kMostClientData) return refuse("the client data is too large");
  auto o = parse_object(text);
  if (!o) return refuse("the client data is not JSON");
  if (text_in(*o, "type") != type) return refuse("the client data is of another ceremony");
  if (challenge.empty() || text_in(*o, "challenge") != challenge) return refuse("the answer is to another challenge");
  if (text_in(*o, "origin") != site.origin) return refuse("the answer was made for another site");
  const auto* cross = o->if_contains("crossOrigin");
  if (cross && !(cross->is_bool() && !cross->get_bool())) return refuse("the answer was made inside another site's page");
  return {};
}

Bytes bytes_at(const unsigned char* data, std::size_t size) { return data ? Bytes(data, data + size) : Bytes(); }

using Made = std::unique_ptr<fido_cred_t, FreeCredential>;

// libfido2 reads an attestation object as one of the algorithm that it was told.
Made read(BytesView attestation) {
  for (const int algorithm : {COSE_ES256, COSE_EDDSA, COSE_RS256}) {
    Made c(fido_cred_new());
    if (c && fido_cred_set_type(c.get(), algorithm) == FIDO_OK && fido_cred_set_attobj(c.get(), attestation.data(), attestation.size()) == FIDO_OK) return c;
  }
  return nullptr;
}

template <class Key, auto Make, auto Read, auto Free>
bool verified(const fido_assert_t* a, const Credential& c) {
  Key* key = Make();
  const bool good = key && Read(key, c.public_key.data(), c.public_key.size()) == FIDO_OK && fido_assert_verify(a, 0, c.algorithm, key) == FIDO_OK;
  Free(&key);
  return good;
}

bool signed_by(const fido_assert_t* a, const Credential& c) {
  switch (c.algorithm) {
    case COSE_ES256: return verified<es256_pk_t, es256_pk_new, es256_pk_from_ptr, es256_pk_free>(a, c);
    case COSE_EDDSA: return verified<eddsa_pk_t, eddsa_pk_new, eddsa_pk_from_ptr, eddsa_pk_free>(a, c);
    case COSE_RS256: return verified<rs256_pk_t, rs256_pk_new, rs256_pk_from_ptr, rs256_pk_free>(a, c);
    default: return false;
  }
}

}  // namespace

// The attestation's statement is not looked at, because none is asked for.
Result<Credential> verify_registration(const Site& site, std::string_view challenge, std::string_view client_data, BytesView attestation) {
  bound_cbor();
  CAIP_CHECKED(check_client_data(site, "webauthn.create", challenge, client_data));
  if (attestation.size() > kMostAttestation) return refuse("the attestation is too large");
  const Made c = read(attestation);
  if (!c) return refuse("the attestation cannot be read, or is of a kind that is not used here");
  const Bytes raw = bytes_at(fido_cred_authdata_raw_ptr(c.get()), fido_cred_authdata_raw_len(c.get()));
  const Digest site_hash = crypto::sha256(view(site.id));
  if (raw.size() < site_hash.size() || !std::equal(site_hash.begin(), site_hash.end(), raw.begin())) return refuse("the credential is for another site");
  const std::uint8_t flags = fido_cred_flags(c.get());
  if ((flags & kPresent) == 0 || (flags & kVerified) == 0) return refuse("the authenticator did not verify its user");
  if ((flags & kHasCredential) == 0) return refuse("there is no credential in it");
  Credential out{.id = bytes_at(fido_cred_id_ptr(c.get()), fido_cred_id_len(c.get())), .algorithm = fido_cred_type(c.get()),
                 .public_key = bytes_at(fido_cred_pubkey_ptr(c.get()), fido_cred_pubkey_len(c.get())), .count = fido_cred_sigcount(c.get())};
  if (out.id.empty() || out.id.size() > kMostId || out.public_key.empty()) return refuse("there is no credential in it");
  return out;
}

Result<std::int64_t> verify_assertion(const Site& site, std::string_view challenge, const Credential& credential, const Assertion& said) {
  bound_cbor();
  CAIP_CHECKED(check_client_data(site, "webauthn.get", challenge, said.client_data));
  if (said.authenticator_data.size() > kMostAuthenticatorData || said.signature.size() > kMostSignature) return refuse("the assertion is too large");
  const std::unique_ptr<fido_assert_t, FreeAssertion> a(fido_assert_new());
  const Digest hash = crypto::sha256(view(said.client_data));
  const bool read = a && fido_assert_set_clientdata_hash(a.get(), hash.data(), hash.size()) == FIDO_OK && fido_assert_set_rp(a.get(), site.id.c_str()) == FIDO_OK &&
                    fido_assert_set_count(a.get(), 1) == FIDO_OK && fido_assert_set_up(a.get(), FIDO_OPT_TRUE) == FIDO_OK &&
                    fido_assert_set_uv(a.get(), FIDO_OPT_TRUE) == FIDO_OK &&
                    fido_assert_set_authdata_raw(a.get(), 0, said.authenticator_data.data(), said.authenticator_data.size()) == FIDO_OK &&
                    fido_assert_set_sig(a.get(), 0, said.signature.data(), said.signature.size()) == FIDO_OK;
  if (!read) return refuse("the assertion cannot be read");
  if (!signed_by(a.get(), credential)) return refuse("the assertion is not signed by this passkey for this site with its user verified");
  const std::int64_t count = fido_assert_sigcount(a.get(), 0);
  if ((count != 0 || credential.count != 0) && count <= credential.count) return fail(Code::conflict, "the passkey's counter went back: it may have been copied");
  return count;
}

}  // namespace caip::passkeys
