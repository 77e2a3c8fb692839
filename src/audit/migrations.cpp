#include "audit/migrations.h"

namespace caip::audit {

// The triggers stop a slip with another SQLite client; within this program the connection's
// authorizer refuses the statement already.
storage::Migrations migrations() {
  return {{"audit/1 log",
           "CREATE TABLE log_entries (idx INTEGER PRIMARY KEY, body TEXT NOT NULL,"
           "  leaf BLOB NOT NULL CHECK (length(leaf) = 32)) STRICT;"
           "CREATE TABLE log_nodes (level INTEGER NOT NULL CHECK (level > 0), idx INTEGER NOT NULL,"
           "  hash BLOB NOT NULL CHECK (length(hash) = 32), PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;"
           "CREATE TABLE log_checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;"
           "CREATE TABLE log_key (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL,"
           "  public_key BLOB NOT NULL) STRICT;"
           "CREATE TRIGGER log_entries_u BEFORE UPDATE ON log_entries BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_entries_d BEFORE DELETE ON log_entries BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_nodes_u BEFORE UPDATE ON log_nodes BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_nodes_d BEFORE DELETE ON log_nodes BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_checkpoints_u BEFORE UPDATE ON log_checkpoints BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_checkpoints_d BEFORE DELETE ON log_checkpoints BEGIN SELECT RAISE(ABORT, 'append only'); END;"},
          // Requests with an Idempotency-Key that changed something, for a day: written with the change,
          // so that a request sent again after a crash is known for what it is.
          {"audit/2 commands",
           "CREATE TABLE commands (who TEXT NOT NULL, key BLOB NOT NULL, payload BLOB NOT NULL, at INTEGER NOT NULL,"
           "  PRIMARY KEY (who, key)) STRICT, WITHOUT ROWID;"
           "CREATE INDEX commands_at ON commands (at);"}};
}

}  // namespace caip::audit
