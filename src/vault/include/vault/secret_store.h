// vault/secret_store.h: the secrets of an organisation. Names are for everyone who may look;
// values go in and never come out but to the code that uses them, for the one use of their kind,
// after the log says so. Thread-safe. Includes no storage and no keys, so that `web` may see it.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/page.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/actions.h"
#include "proofs/authorized.h"
#include "proofs/receipt.h"

namespace caip::storage { class Database; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::secrets { class Keeper; struct Item; }

namespace caip::vault {

inline constexpr std::size_t kMostValue = 32 * 1024;
inline constexpr std::size_t kMostUses = 256;  // secrets in one UseSecrets

// What belongs into the same transaction; run once, right before the commit, and an error undoes all.
using Also = std::move_only_function<Result<void>(storage::WriteTx&)>;

struct SecretInfo {
  SecretId id;
  SecretKind kind;
  SecretName name;
  std::int64_t version = 1;
  std::optional<std::string> public_key;  // of an SSH key, as authorized_keys has it
  Instant created;
  std::optional<Instant> replaced;
};
struct KindCount {
  SecretKind kind;
  std::int64_t count = 0;
};

struct NamedValue {
  SecretName name;
  SecretBytes value;
};

class SecretStore final {
 public:
  SecretStore(storage::Database&, audit::Ledger&, secrets::Keeper&, const Clock&);

  // A value has 1 to kMostValue bytes. An SSH key's is a private key in OpenSSH or PEM form, or
  // empty: then it is made here. Code::conflict when a secret of this kind has the name.
  Result<SecretInfo> create(Authorized<CreateSecret>&&, SecretBytes value, Also = {});
  // The old value is gone. Code::precondition_failed when the version is not `expected`.
  Result<SecretInfo> replace(Authorized<ReplaceSecret>&&, SecretBytes value, std::int64_t expected);
  // The row is overwritten in the file, and the organisation's data key renewed soon after: what a
  // copy of the database holds of this secret cannot be opened then (Rotation).
  Result<void> remove(Authorized<DeleteSecret>&&, std::int64_t expected);
  // The same as a part of another change, whose transaction and commit are the caller's.
  Result<void> remove_within(storage::WriteTx&, Authorized<DeleteSecret>&&);

  // Within the transaction that ends an organisation: all its secrets go; Rotation destroys their keys.
  static Result<void> end_of(storage::WriteTx&, const OrgId&);

  Result<Page<SecretInfo>> list(const OrgId&, std::optional<SecretKind>, const PageAsk&) const;  // by id
  Result<SecretInfo> get(const OrgId&, const SecretId&) const;
  Result<std::optional<SecretInfo>> find(const OrgId&, SecretKind, const SecretName&) const;
  Result<std::vector<KindCount>> counts(const OrgId&) const;

  // The values, in the order of the action's list. The log entry is durable before the first of
  // them is opened. All must be of the use's kind; SSH keys do not open.
  Result<std::vector<SecretBytes>> open(Authorized<UseSecrets>&&);
  // The same for a notification that is about to be sent; `claim` says in the same transaction that
  // this attempt is being made. No secrets: nothing opens.
  Result<std::vector<SecretBytes>> open_to_send(Authorized<SendNotification>&&, Also claim);
  // The same for what an order places on a server: in the order of the action's list, with their names. Code::conflict
  // when one was replaced since, so that what was approved is what is sent.
  Result<std::vector<NamedValue>> open_to_place(Authorized<SendEnv>&&, const std::map<SecretId, std::int64_t>& versions);
  // A signature by the action's one SSH key, as RFC 8709 has it: 64 bytes.
  Result<Bytes> ssh_sign(Authorized<UseSecrets>&&, BytesView message);

 private:
  struct Sealed;
  Result<Sealed> seal(const OrgId&, const SecretId&, SecretKind, const SecretName&, std::int64_t version, SecretBytes);
  Result<void> ready(const OrgId&);
  Result<std::vector<secrets::Item>> rows_for(const OrgId&, SecretUse, const std::vector<SecretId>&) const;
  template <class A, class F>
  auto use(Authorized<A>&&, SecretUse, Also, F f) -> decltype(f(std::vector<secrets::Item>()));
  storage::Database& db_;
  audit::Ledger& ledger_;
  secrets::Keeper& keeper_;
  const Clock& clock_;
  std::mutex first_key_;
};

}  // namespace caip::vault
