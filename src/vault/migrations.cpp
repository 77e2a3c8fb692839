#include "vault/migrations.h"

namespace caip::vault {

// secret_keys: per organisation what its data keys may still be used for. `oldest` is the first
// generation that a row may bear; `uses` counts seals under the newest; `shred` says that a secret
// was deleted since its key was made (1), or was when the rotation that is going on began (2).
storage::Migrations migrations() {
  return {{"vault/1 secrets", R"sql(
CREATE TABLE secret_keys (
  org TEXT PRIMARY KEY,
  oldest INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  shred INTEGER NOT NULL CHECK (shred IN (0, 1, 2))
) STRICT;
CREATE TABLE secrets (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('env_value','cloud_key','ssh_key','notification','ai_provider')),
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  generation INTEGER NOT NULL,
  sealed BLOB NOT NULL CHECK (length(sealed) >= 45),
  public_key TEXT,
  created INTEGER NOT NULL,
  replaced INTEGER,
  UNIQUE (org, kind, name)
) STRICT;
CREATE INDEX secrets_page ON secrets(org, id);
CREATE INDEX secrets_generation ON secrets(org, generation);
)sql"},
          // Organisations that are gone: no data key of theirs may exist any more.
          {"vault/2 ended organisations", "CREATE TABLE ended_orgs (org TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"},
          // The last rotation of each of the product's own keys that began: from which generation on, and whether the log
          // says already that this one is destroyed.
          {"vault/3 rotations that began", R"sql(
CREATE TABLE rotations (
  key TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  destroyed INTEGER NOT NULL CHECK (destroyed IN (0, 1))
) STRICT;
)sql"}};
}

}  // namespace caip::vault
