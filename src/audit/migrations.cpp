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
           "CREATE INDEX commands_at ON commands (at);"},
          {"audit/3 cosignatures and terms",
           "CREATE TABLE log_cosigner (id INTEGER PRIMARY KEY CHECK (id = 1), public_key BLOB NOT NULL) STRICT;"
           // Signature lines on a stored checkpoint: the log's own second one, and witnesses'.
           "CREATE TABLE log_cosignatures (size INTEGER NOT NULL, name TEXT NOT NULL, key_id INTEGER NOT NULL,"
           "  line TEXT NOT NULL, PRIMARY KEY (size, name, key_id)) STRICT, WITHOUT ROWID;"
           // Which entries have a member of a value (terms.h), up to the largest log_indexed.
           "CREATE TABLE log_terms (term INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (term, idx)) STRICT, WITHOUT ROWID;"
           "CREATE TABLE log_indexed (upto INTEGER PRIMARY KEY) STRICT;"
           "CREATE TRIGGER log_cosigner_u BEFORE UPDATE ON log_cosigner BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_cosigner_d BEFORE DELETE ON log_cosigner BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_cosignatures_u BEFORE UPDATE ON log_cosignatures BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_cosignatures_d BEFORE DELETE ON log_cosignatures BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_terms_u BEFORE UPDATE ON log_terms BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_terms_d BEFORE DELETE ON log_terms BEGIN SELECT RAISE(ABORT, 'append only'); END;"},
          // idx: of the entry that says the same. From the size idx + 1 on it is the new key that signs.
          {"audit/4 successions",
           "CREATE TABLE log_successions (idx INTEGER PRIMARY KEY, key TEXT NOT NULL CHECK (key IN ('checkpoint', 'cosign', 'order')),"
           "  generation INTEGER NOT NULL, old_key BLOB NOT NULL, public_key BLOB NOT NULL, statement TEXT NOT NULL, UNIQUE (key, generation)) STRICT;"
           "CREATE TRIGGER log_successions_u BEFORE UPDATE ON log_successions BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_successions_d BEFORE DELETE ON log_successions BEGIN SELECT RAISE(ABORT, 'append only'); END;"},
          // A row for each term of a batch, where log_terms had one for each term of each entry: here of 480 neighbouring
          // ones (terms.h). Nodes below level 4 are not written any more (tables.h); rows that are there stay.
          {"audit/5 postings",
           "CREATE TABLE log_postings (term INTEGER NOT NULL, first INTEGER NOT NULL, places BLOB NOT NULL, PRIMARY KEY (term, first)) STRICT, WITHOUT ROWID;"
           "CREATE TABLE log_posted (upto INTEGER PRIMARY KEY) STRICT;"
           "CREATE TRIGGER log_postings_u BEFORE UPDATE ON log_postings BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           "CREATE TRIGGER log_postings_d BEFORE DELETE ON log_postings BEGIN SELECT RAISE(ABORT, 'append only'); END;"
           // Row by row in the order of both keys: an old log of any length takes no more memory for it.
           "INSERT INTO log_postings WITH RECURSIVE b(term, first) AS ("
           "  SELECT * FROM (SELECT term, idx FROM log_terms ORDER BY term, idx LIMIT 1) UNION ALL"
           "  SELECT n.term, n.idx FROM b JOIN log_terms n ON (n.term, n.idx) = (SELECT term, idx FROM log_terms WHERE (term, idx) >= (b.term, b.first + 480) ORDER BY term, idx LIMIT 1))"
           "  SELECT term, first, (SELECT unhex(group_concat(printf('%04X', idx - b.first), '')) FROM"
           "    (SELECT idx FROM log_terms l WHERE l.term = b.term AND l.idx >= b.first AND l.idx < b.first + 480 ORDER BY idx)) FROM b;"
           "INSERT INTO log_posted SELECT upto FROM log_indexed ORDER BY upto DESC LIMIT 1;"
           "DROP TABLE log_terms;"
           "DROP TABLE log_indexed;"}};
}

}  // namespace caip::audit
