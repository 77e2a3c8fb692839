#include "outbox/outbox.h"

namespace caip::outbox {

// notices: what happened, in order; user: for one person alone. channels: deleted ones stay for the
// log's sake, without a credential. deliveries: one notice on its way to one channel; `next` is when
// it is tried (again), set before each try, so that whoever kills the process loses nothing.
storage::Migrations migrations() {
  return {{"outbox/1 notifications", R"sql(
CREATE TABLE notices (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  org TEXT NOT NULL,
  kind TEXT NOT NULL,
  user TEXT,
  subject TEXT NOT NULL,
  link TEXT NOT NULL,
  in_app INTEGER NOT NULL CHECK (in_app IN (0, 1)),
  created INTEGER NOT NULL
) STRICT;
CREATE INDEX notices_inbox ON notices(org, seq) WHERE in_app = 1;
CREATE TABLE notices_read (
  user TEXT NOT NULL,
  notice INTEGER NOT NULL,
  PRIMARY KEY (user, notice)
) STRICT, WITHOUT ROWID;
CREATE TABLE notify_channels (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('email','slack','discord','telegram','webhook')),
  name TEXT NOT NULL,
  config TEXT NOT NULL,
  secret TEXT,
  previous_secret TEXT,
  previous_until INTEGER,
  min_severity INTEGER NOT NULL CHECK (min_severity IN (0, 1, 2)),
  events TEXT NOT NULL,
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  paused TEXT,
  version INTEGER NOT NULL CHECK (version > 0),
  created INTEGER NOT NULL,
  deleted INTEGER
) STRICT;
CREATE INDEX notify_channels_org ON notify_channels(org, id) WHERE deleted IS NULL;
CREATE UNIQUE INDEX notify_channels_name ON notify_channels(org, name) WHERE deleted IS NULL;
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  channel TEXT NOT NULL,
  notice TEXT NOT NULL,
  created INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued','delivered','dead','dropped')),
  tries INTEGER NOT NULL,
  most INTEGER NOT NULL,
  next INTEGER NOT NULL,
  last INTEGER,
  outcome TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_due ON deliveries(channel, next) WHERE state = 'queued';
CREATE INDEX deliveries_page ON deliveries(org, created, id);
)sql"},
          // waits: how often a service asked for patience; retried: how often a person had it tried again. What was
          // read is one row a person: the list up to it.
          {"outbox/2 limits", R"sql(
ALTER TABLE deliveries ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN retried INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_notice ON deliveries(notice);
CREATE TABLE notices_read_up_to (
  user TEXT NOT NULL,
  org TEXT NOT NULL,
  notice INTEGER NOT NULL,
  PRIMARY KEY (user, org)
) STRICT, WITHOUT ROWID;
INSERT INTO notices_read_up_to SELECT r.user, n.org, max(n.seq) FROM notices_read r JOIN notices n ON n.seq = r.notice GROUP BY r.user, n.org;
DROP TABLE notices_read;
)sql"},
          // letters: to one person's own address. about: what the link in it is for (a session, an invitation); the link
          // itself is made when the letter is sent, and stands nowhere.
          {"outbox/3 letters", R"sql(
CREATE TABLE letters (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  org TEXT,
  user TEXT,
  address TEXT NOT NULL,
  subject TEXT NOT NULL,
  about TEXT NOT NULL,
  created INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued','delivered','dead','dropped')),
  tries INTEGER NOT NULL,
  next INTEGER NOT NULL,
  last INTEGER,
  outcome TEXT NOT NULL
) STRICT;
CREATE INDEX letters_due ON letters(next) WHERE state = 'queued';
CREATE INDEX letters_of_user ON letters(user, kind, created);
CREATE INDEX letters_created ON letters(created);
)sql"},
          // Whoever read of an organisation before its end may write about it after: nothing of that is kept.
          {"outbox/4 organisations that ended", R"sql(
CREATE TABLE told_no_more (org TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql"}};
}

}  // namespace caip::outbox
