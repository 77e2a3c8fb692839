#include "servers/migrations.h"

namespace caip::servers {

storage::Migrations migrations() {
  return {{"servers/1 servers, enrolments, operations", R"sql(
    CREATE TABLE servers (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      name TEXT NOT NULL,
      production INTEGER NOT NULL DEFAULT 0,
      certificate TEXT NOT NULL,
      enrolled_at INTEGER NOT NULL,
      UNIQUE (org, name)
    ) STRICT;
    CREATE TABLE enrolments (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      name TEXT NOT NULL,
      token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      used_at INTEGER
    ) STRICT;
    CREATE TABLE operations (
      id TEXT PRIMARY KEY,
      org TEXT NOT NULL,
      action TEXT NOT NULL,
      signed_order TEXT NOT NULL,
      requester TEXT,
      approval TEXT UNIQUE,
      status TEXT NOT NULL CHECK (status IN ('pending','succeeded','failed','expired')),
      result TEXT NOT NULL DEFAULT '',
      error TEXT NOT NULL DEFAULT '',
      created_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      finished_at INTEGER
    ) STRICT;
    CREATE INDEX operations_pending ON operations (created_at) WHERE status = 'pending';
  )sql"},
          {"servers/2 witness keys", "ALTER TABLE servers ADD COLUMN witness TEXT NOT NULL DEFAULT ''"},
          {"servers/3 results are let go a day later", R"sql(
    CREATE INDEX operations_results ON operations (finished_at) WHERE result <> '';
  )sql"},
          // missed_at: its organisation was told that it is away, and not yet that it is back.
          {"servers/4 missed servers", "ALTER TABLE servers ADD COLUMN missed_at INTEGER"},
          // Whose command it is: it ends with their authority. replaces: said to be for a server that is there already.
          {"servers/5 whose enrolments", R"sql(
    ALTER TABLE enrolments ADD COLUMN maker TEXT;
    ALTER TABLE enrolments ADD COLUMN maker_role TEXT;
    ALTER TABLE enrolments ADD COLUMN maker_token TEXT;
    ALTER TABLE enrolments ADD COLUMN replaces INTEGER NOT NULL DEFAULT 0;
    UPDATE enrolments SET used_at = created_at WHERE used_at IS NULL;
  )sql"},
          // No values: which version of which secret an order put into which user's file.
          {"servers/6 env values on servers", R"sql(
    CREATE TABLE env_placements (
      operation TEXT NOT NULL,
      org TEXT NOT NULL,
      server TEXT NOT NULL,
      user TEXT NOT NULL,
      secret TEXT NOT NULL,
      version INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('sent','placed','unknown')),
      at INTEGER NOT NULL,
      PRIMARY KEY (operation, secret)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX env_placements_server ON env_placements (server, user);
    CREATE INDEX env_placements_org ON env_placements (org, secret);
  )sql"},
          // The one order about a user's file that has not ended yet. Of several from before, the oldest.
          {"servers/7 one order about a file at a time", R"sql(
    CREATE TABLE env_orders (
      server TEXT NOT NULL,
      user TEXT NOT NULL,
      operation TEXT NOT NULL,
      PRIMARY KEY (server, user)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO env_orders SELECT json_extract(action, '$.server'), json_extract(action, '$.user'), id FROM operations
      WHERE status = 'pending' AND json_extract(action, '$.action') IN ('env.place', 'env.remove') ORDER BY created_at;
  )sql"},
          // leaves: when it is forgotten; disconnected until then.
          {"servers/8 servers that are let go", "ALTER TABLE servers ADD COLUMN leaves INTEGER"},
          // What nobody has said anything of is unknown, which counts as production; the flag of before was never set by anything.
          {"servers/9 environments", R"sql(
    ALTER TABLE servers ADD COLUMN environment TEXT NOT NULL DEFAULT 'unknown' CHECK (environment IN ('unknown','development','staging','production'));
    UPDATE servers SET environment = 'production' WHERE production <> 0;
    ALTER TABLE servers DROP COLUMN production;
    ALTER TABLE servers ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
  )sql"},
          // By their SHA-256. agent_key: none of before, which go by the certificate of their enrolment. seen: by the time that was
          // spent listening, of which server_time has what was not.
          {"servers/10 keys of agents", R"sql(
    ALTER TABLE servers ADD COLUMN agent_key TEXT NOT NULL DEFAULT '';
    ALTER TABLE servers ADD COLUMN next_key TEXT NOT NULL DEFAULT '';
    ALTER TABLE servers ADD COLUMN key_state TEXT NOT NULL DEFAULT 'good' CHECK (key_state IN ('good','revoked','quarantined'));
    ALTER TABLE servers ADD COLUMN rotate INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE servers ADD COLUMN key_since INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE servers ADD COLUMN certificate_from INTEGER;
    ALTER TABLE servers ADD COLUMN certificate_until INTEGER;
    ALTER TABLE servers ADD COLUMN certificate_issuer TEXT NOT NULL DEFAULT '';
    ALTER TABLE servers ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE servers ADD COLUMN checked_at INTEGER;
    ALTER TABLE servers ADD COLUMN check_result TEXT NOT NULL DEFAULT '';
    UPDATE servers SET key_since = enrolled_at;
    CREATE TABLE server_keys_past (
      server TEXT NOT NULL,
      agent_key TEXT NOT NULL,
      at INTEGER NOT NULL,
      told INTEGER NOT NULL DEFAULT 0,  -- that somebody came with it afterwards
      PRIMARY KEY (server, agent_key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE server_time (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      deaf INTEGER NOT NULL
    ) STRICT;
    INSERT INTO server_time (one, deaf) VALUES (1, 0);
  )sql"}};
}

}  // namespace caip::servers
