// Rows of the secrets' tables. Private.
#pragma once
#include "secrets/keeper.h"
#include "storage/tx.h"
#include "vault/secret_store.h"

namespace caip::vault {

inline constexpr const char* kField = "value";

// id, kind, name, version, public_key, created, replaced
Result<SecretInfo> read_info(const storage::Row&);

// The oldest generation of a data key that a row may bear, making the organisation's row if needed.
Result<std::uint32_t> oldest_key(storage::WriteTx&, const OrgId&);

}  // namespace caip::vault
