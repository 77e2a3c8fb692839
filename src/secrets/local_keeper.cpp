#include <array>
#include <optional>

#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/mac.h"
#include "crypto/mldsa.h"
#include "crypto/random.h"
#include "key_files.h"
#include "secrets/keeper.h"

namespace caip::secrets {
namespace {

constexpr int kAuthorityDays = 3650;
constexpr int kAgentDays = 730;
constexpr int kServerDays = 397;

// A file of 32 random bytes, made when it is missing.
Result<SecretBytes> seed_file(const std::string& path) {
  CAIP_TRY(there, present(path));
  if (!there) CAIP_CHECKED(write_secret(path, SecretBytes(crypto::random_bytes(32))));
  CAIP_TRY(seed, read_secret(path));
  if (seed.size() != 32) return fail(Code::storage_failed, path + " does not hold 32 bytes");
  return seed;
}

// Certificate and key stand in one file, so that a crash cannot leave one without the other.
Result<crypto::KeyAndCertificate> authority_file(const std::string& path, Instant now) {
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
  CAIP_TRY(there, present(path));
  if (!there) {
    CAIP_TRY(made, crypto::make_authority("CloudAIPilot authority", now, kAuthorityDays));
    Bytes both(made.certificate_pem.begin(), made.certificate_pem.end());
    made.key_pem.expose(Use::store_key, [&](BytesView b) {
      both.reserve(both.size() + b.size());
      both.insert(both.end(), b.begin(), b.end());
    });
    CAIP_CHECKED(write_secret(path, SecretBytes(std::move(both))));
  }
  CAIP_TRY(both, read_secret(path));
  std::optional<crypto::KeyAndCertificate> found;
  both.expose(Use::load_key, [&](BytesView b) {
    const std::string_view text = text_of(b);
    if (const auto at = text.find(kEnd); at != text.npos)
      found = crypto::KeyAndCertificate{std::string(text.substr(0, at + kEnd.size())), SecretBytes(text.substr(at + kEnd.size()))};
  });
  if (!found) return fail(Code::storage_failed, path + " is not an authority");
  return *std::move(found);
}

class LocalKeeper final : public Keeper {
 public:
  LocalKeeper(std::array<crypto::SigningKey, 3> keys, crypto::CosigningKey cosign, SecretBytes pepper, crypto::KeyAndCertificate authority, const Clock& clock)
      
      : keys_(std::move(keys)), cosign_(std::move(cosign)), pepper_(std::move(pepper)), authority_(std::move(authority)), clock_(clock) {}

  Result<Bytes> sign(SigningUse use, BytesView message) override {
    return use == SigningUse::cosign ? cosign_.sign(message) : key(use).sign(message);
  }
  Bytes public_key(SigningUse use) override { return use == SigningUse::cosign ? cosign_.public_key() : key(use).public_key(); }
  Result<Bytes> pepper_hmac(BytesView password) override { return crypto::hmac_sha384(pepper_, password); }
  Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId& server) override {
    return crypto::issue_client_certificate(authority_, csr_pem, "caip:server:" + server.str(), clock_.now(), kAgentDays);
  }
  Result<TlsIdentity> issue_server_certificate(const std::vector<std::string>& names) override {
    CAIP_TRY(made, crypto::issue_server_certificate(authority_, names, clock_.now(), kServerDays));
    TlsIdentity identity{made.certificate_pem + authority_.certificate_pem, {}};
    made.key_pem.expose(Use::hand_to_client, [&](BytesView b) { identity.key_pem = text_of(b); });
    return identity;
  }
  std::string ca_certificate_pem() override { return authority_.certificate_pem; }

 private:
  const crypto::SigningKey& key(SigningUse use) const { return keys_[static_cast<std::size_t>(use)]; }
  std::array<crypto::SigningKey, 3> keys_;
  crypto::CosigningKey cosign_;
  SecretBytes pepper_;
  crypto::KeyAndCertificate authority_;
  const Clock& clock_;
};

Result<crypto::SigningKey> signing_key(const std::string& path) {
  CAIP_TRY(seed, seed_file(path));
  return crypto::SigningKey::from_seed(seed);
}

}  // namespace

Result<std::unique_ptr<Keeper>> open_local_keeper(const std::string& folder, const Clock& clock) {
  CAIP_CHECKED(open_folder(folder));
  CAIP_TRY(jwt, signing_key(folder + "/jwt.key"));
  CAIP_TRY(checkpoint, signing_key(folder + "/checkpoint.key"));
  CAIP_TRY(order, signing_key(folder + "/order.key"));
  CAIP_TRY(cosign_seed, seed_file(folder + "/cosign.key"));
  CAIP_TRY(cosign, crypto::CosigningKey::from_seed(cosign_seed));
  CAIP_TRY(pepper, seed_file(folder + "/pepper.key"));
  CAIP_TRY(authority, authority_file(folder + "/authority.pem", clock.now()));
  return std::unique_ptr<Keeper>(std::make_unique<LocalKeeper>(
      std::array<crypto::SigningKey, 3>{std::move(jwt), std::move(checkpoint), std::move(order)}, std::move(cosign),
      std::move(pepper), std::move(authority), clock));
}

}  // namespace caip::secrets
