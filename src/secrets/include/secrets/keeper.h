// secrets/keeper.h: the only holder of keys. Callers ask for an operation, never for a key. All
// methods are thread-safe and may block for a round trip to caip-keeper; its death in between is
// not seen: it is started again and the request repeated.
//
// Hierarchy: seals (any one opens) -> root key -> system keys and one data key per organisation ->
// values. Everything below the seals is wrapped with XAES-256-GCM (crypto/aead.h); the associated
// data of a value is its organisation, kind, id, field and version, so that rows cannot be swapped.
// 192-bit random nonces do not repeat; besides, a data key is refused after kMostSeals and the
// schedule re-keys long before.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/ids.h"
#include "model/secret.h"

namespace caip::secrets {

// One key each: Ed25519, but for cosign, which is the log's second signature on its checkpoints,
// ML-DSA-44.
enum class SigningUse : std::uint8_t { jwt, checkpoint, order, cosign };

struct TlsIdentity {
  std::string cert_chain_pem;  // leaf, then links, then of KeyClass::ca the authority: who has its fingerprint alone looks for it there
  std::string key_pem;         // for this process's TLS context; goes nowhere else
};

// What may be known of an authority (KeyClass::ca, which browsers and the command line trust, or agent_ca, whose
// certificates both sides of the agents' channel show). Text is PEM.
struct Authority {
  std::string pem;      // its own certificate
  std::string links;    // "new with old" (crypto/certificates.h), for whoever trusts an earlier one alone
  std::string earlier;  // those: what they signed for agents counts until it is renewed. Their keys are gone; but where one signed for
                        // everything (installations of before there were two), that one lives on as `ca`
};

bool is_full(const Authority&) noexcept;  // with the next one, the oldest of `earlier` goes

// One value, sealed or not, and what it is bound to.
struct Item {
  SecretId id;
  SecretKind kind;
  std::uint32_t version = 1;  // of the value: 1, 2, … with each replacement
  std::string field;          // "value"; up to 64 bytes
  SecretBytes data;
};
using Items = std::vector<Item>;

struct KeyInfo {  // everything about a key but the key
  KeyClass key;
  std::optional<OrgId> org;  // data keys
  std::uint32_t generation = 1;
  Instant created;
  std::optional<Instant> ends;  // a previous signing key: no longer accepted from then on
  Bytes public_key;             // signing keys
};
struct SealInfo {
  std::string id;    // "seal-3f0c…"
  std::string kind;  // "key-file", "passphrase", "credential"
  Instant created;
};
struct Inventory {
  std::vector<KeyInfo> keys;  // newest generation of each first
  std::vector<SealInfo> seals;
  bool memory_locked = false;
};

struct SshKey {
  Bytes public_key;  // 32 bytes, Ed25519
  SecretBytes sealed;
};

inline constexpr std::uint64_t kMostSeals = std::uint64_t{1} << 32U;       // under one data key
inline constexpr Duration kLongestCertificate = std::chrono::hours(730 * 24);  // of agents that do not renew theirs
inline constexpr Duration kJwtOverlap = std::chrono::minutes(11);          // a token's life and a minute

class Keeper {
 public:
  virtual ~Keeper() = default;
  virtual Result<Bytes> sign(SigningUse, BytesView message) = 0;     // 64 bytes; cosign: 2,420
  virtual Bytes public_key(SigningUse) = 0;                          // 32 bytes, the newest; cosign: 1,312
  // By the key with this public half; not_found when there is none, or no more.
  virtual Result<Bytes> sign_with(SigningUse, BytesView public_key, BytesView message) = 0;
  virtual std::vector<Bytes> verify_keys(SigningUse, Instant now) = 0;  // the newest, then those still accepted
  virtual Result<Bytes> pepper_hmac(BytesView password) = 0;         // HMAC-SHA-384, 48 bytes
  // By the caller's own reckoning of time (servers/server_service.h), not for longer than kLongestCertificate.
  virtual Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId&, Instant from, Duration life) = 0;
  virtual Result<TlsIdentity> issue_server_certificate(KeyClass authority, const std::vector<std::string>& names) = 0;
  virtual Authority authority(KeyClass) = 0;  // ca, agent_ca

  // Values. seal: under the organisation's newest data key, which must exist. open: refused unless
  // `use` is that of every item's kind; SSH keys do not open at all. reseal: opened and sealed
  // again under the newest key inside the keeper. All or nothing; order is kept.
  virtual Result<Items> seal(const OrgId&, Items) = 0;
  virtual Result<Items> open(const OrgId&, SecretUse, Items) = 0;
  virtual Result<Items> reseal(const OrgId&, Items) = 0;
  // `item.data` is an OpenSSH or PEM private key (Ed25519, no passphrase) or empty: then one is made.
  virtual Result<SshKey> make_ssh_key(const OrgId&, Item) = 0;
  virtual Result<Bytes> ssh_sign(const OrgId&, Item sealed, BytesView message) = 0;

  // Keys. Each change is durable in DATA/keys/keyring when the call returns, whole or not at all.
  virtual Inventory inventory() = 0;
  virtual Result<void> rotate(KeyClass) = 0;            // root, jwt, ca, agent_ca: the key before is gone, but for jwt
  virtual Result<void> destroy_previous(KeyClass) = 0;  // jwt keys whose overlap is over
  virtual Result<std::uint32_t> new_data_key(const OrgId&) = 0;  // its generation
  // checkpoint, cosign, order: a second key beside the one there is (conflict: there are two). The
  // caller decides, with sign_with, when it is used.
  virtual Result<void> new_signing_key(KeyClass) = 0;
  // What the older of the two says about the newer (crypto/succession.h). There is no other way to
  // have one signed: whoever has taken caipd over cannot hand over to a key of their own.
  virtual Result<std::string> succession(KeyClass, std::uint64_t log_size) = 0;
  virtual Result<void> destroy_signing_key(KeyClass, std::uint32_t generation) = 0;  // never the last one
  // Those below `generation`, or all of an organisation that is gone: what they sealed is lost for
  // good, in every copy of the database.
  virtual Result<void> destroy_data_keys(const OrgId&, std::optional<std::uint32_t> generation) = 0;
};

// The generation of the data key that sealed these bytes.
Result<std::uint32_t> sealed_under(BytesView sealed);

// Where the root key's seals are to be found. Those that are given are made at the first start,
// and the key file when none is.
struct SealFiles {
  std::string key_file = {};         // empty: FOLDER/root.key
  std::string passphrase_file = {};  // its first line
  std::string credential_file = {};  // of systemd's $CREDENTIALS_DIRECTORY
};

// Keys in this process: for tests and benchmarks. Makes what is missing in `folder` (0700, files
// 0600); refuses a folder or file that others may read; takes over plain key files of version 0.
Result<std::unique_ptr<Keeper>> open_local_keeper(const std::string& folder, const Clock&, const SealFiles& = {});

// Starts `program` (caip-keeper) as a child with a socketpair and waits until it is ready. The
// child ends when the parent does.
Result<std::unique_ptr<Keeper>> start_keeper(const std::string& program, const std::string& folder, const SealFiles& = {});

}  // namespace caip::secrets
