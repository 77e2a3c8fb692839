#include "vault/log_keys.h"

#include <algorithm>

namespace caip::vault {

audit::LogKey log_key(secrets::Keeper& keeper, secrets::SigningUse use, const Bytes& public_key) {
  return {[k = &keeper, use, public_key](BytesView message) { return k->sign_with(use, public_key, message); }, public_key};
}

Result<std::unique_ptr<audit::Ledger>> open_log(storage::Database& database, secrets::Keeper& keeper, const Clock& clock) {
  using enum secrets::SigningUse;
  CAIP_TRY(named, audit::Ledger::keys_of(database));
  const auto here = [&](secrets::SigningUse use, const Bytes& key) {
    const auto all = keeper.verify_keys(use, clock.now());
    return std::ranges::find(all, key) != all.end() ? key : keeper.public_key(use);  // Ledger::open refuses another
  };
  const Bytes first = here(checkpoint, named.first), second = here(cosign, named.second);
  auto ledger = audit::Ledger::open(database, clock, log_key(keeper, checkpoint, first).sign, first, log_key(keeper, cosign, second));
  if (!ledger) return ledger;
  for (const auto& key : keeper.verify_keys(checkpoint, clock.now())) (*ledger)->add_key(log_key(keeper, checkpoint, key));
  return ledger;
}

}  // namespace caip::vault
