#include "auth/migrations.h"

namespace caip::auth {

storage::Migrations migrations() {
  return {{"auth/1 people and sessions", R"sql(
CREATE TABLE orgs (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL REFERENCES orgs(id),
  email TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('viewer','member','admin','owner')),
  password TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT;
CREATE INDEX users_org ON users(org, created);
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users(id),
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  ended INTEGER
) STRICT;
CREATE INDEX sessions_user ON sessions(user);
CREATE TABLE refresh_tokens (
  hash BLOB PRIMARY KEY,
  session TEXT NOT NULL REFERENCES sessions(id),
  expires INTEGER NOT NULL,
  used INTEGER
) STRICT;
CREATE INDEX refresh_tokens_session ON refresh_tokens(session);
)sql"}, {"auth/2 accounts at other services", R"sql(
CREATE TABLE identities (
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users(id),
  provider TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  shown TEXT NOT NULL,
  created INTEGER NOT NULL,
  used INTEGER,
  UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX identities_user ON identities(user);
)sql"}, {"auth/3 second factors", R"sql(
CREATE TABLE totp (
  user TEXT PRIMARY KEY REFERENCES users(id),
  id TEXT NOT NULL UNIQUE,
  salt BLOB NOT NULL,
  last_step INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT;
CREATE TABLE recovery_codes (
  user TEXT NOT NULL REFERENCES users(id),
  hash BLOB NOT NULL,
  PRIMARY KEY (user, hash)
) STRICT;
CREATE TABLE passkeys (
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users(id),
  credential BLOB NOT NULL UNIQUE,
  algorithm INTEGER NOT NULL,
  public_key BLOB NOT NULL,
  count INTEGER NOT NULL,
  name TEXT NOT NULL,
  created INTEGER NOT NULL,
  used INTEGER
) STRICT;
CREATE INDEX passkeys_user ON passkeys(user);
)sql"},
          // stepped_up: when the session's person last proved who they are; a session from before this has to do it
          // anew. used: at the sign-in and at each refresh. Limits in microseconds.
          {"auth/4 step-up, devices, limits", R"sql(
ALTER TABLE sessions ADD COLUMN stepped_up INTEGER;
ALTER TABLE sessions ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET used = coalesce((SELECT max(expires) - 604800000000 FROM refresh_tokens WHERE session = sessions.id), created);
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE orgs ADD COLUMN session_idle INTEGER NOT NULL DEFAULT 43200000000;
ALTER TABLE orgs ADD COLUMN session_lifetime INTEGER NOT NULL DEFAULT 604800000000;
CREATE TABLE failed_attempts (key BLOB PRIMARY KEY, failures INTEGER NOT NULL, last INTEGER NOT NULL, until INTEGER NOT NULL) STRICT;
CREATE INDEX failed_attempts_last ON failed_attempts(last);
)sql"},
          {"auth/5 suspended passkeys", R"sql(
ALTER TABLE passkeys ADD COLUMN suspended INTEGER;
)sql"},
          // A person may belong to several organisations, and a session acts in one of them. users is made anew
          // under its name: what refers to it finds its rows again before the transaction ends.
          {"auth/6 memberships", R"sql(
PRAGMA defer_foreign_keys = ON;
CREATE TABLE users_before AS SELECT * FROM users;
DROP TABLE users;
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT;
INSERT INTO users SELECT id, email, password, epoch, created FROM users_before;
CREATE TABLE memberships (
  org TEXT NOT NULL REFERENCES orgs(id),
  user TEXT NOT NULL REFERENCES users(id),
  role TEXT NOT NULL CHECK (role IN ('viewer','member','admin','owner')),
  version INTEGER NOT NULL,
  created INTEGER NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (org, user)
) STRICT;
INSERT INTO memberships SELECT org, id, role, version, created, created FROM users_before;
CREATE INDEX memberships_of_org ON memberships(org, created, user);
CREATE INDEX memberships_of_user ON memberships(user, used);
ALTER TABLE sessions ADD COLUMN org TEXT REFERENCES orgs(id);
UPDATE sessions SET org = (SELECT org FROM users_before WHERE id = sessions.user);
DROP TABLE users_before;
)sql"},
          {"auth/7 invitations and API tokens", R"sql(
CREATE TABLE invitations (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL REFERENCES orgs(id),
  email TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer','member','admin','owner')),
  inviter TEXT NOT NULL REFERENCES users(id),
  token_hash BLOB NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  lifetime INTEGER NOT NULL,
  accepted INTEGER,
  revoked INTEGER
) STRICT;
CREATE INDEX invitations_of_org ON invitations(org, created, id);
CREATE TABLE api_tokens (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL REFERENCES orgs(id),
  user TEXT NOT NULL REFERENCES users(id),
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  networks TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used INTEGER,
  ended INTEGER
) STRICT;
CREATE INDEX api_tokens_of_org ON api_tokens(org, created, id);
)sql"},
          // links: what letters carry, as hashes. verified: since when the address is known to be its person's; nobody's
          // is from before this. wanted_email: asked for, in force once confirmed. mailed_hash: of the link that only
          // the letter has, besides the one that is shown to whoever invites.
          {"auth/8 links by mail", R"sql(
CREATE TABLE links (
  purpose TEXT NOT NULL,
  user TEXT NOT NULL REFERENCES users(id),
  about TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  address TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (purpose, user, about)
) STRICT;
CREATE INDEX links_expire ON links(expires);
CREATE INDEX links_of_user ON links(user);
ALTER TABLE users ADD COLUMN verified INTEGER;
ALTER TABLE users ADD COLUMN wanted_email TEXT;
ALTER TABLE invitations ADD COLUMN mailed_hash BLOB;
CREATE UNIQUE INDEX invitations_mailed ON invitations(mailed_hash);
)sql"},
          {"auth/9 disabled members", R"sql(
ALTER TABLE memberships ADD COLUMN disabled INTEGER;
)sql"},
          // Where people were seen, and by what a session began; device_id is that of a token, which opens nothing.
          // disowned: its person said that it was not them.
          {"auth/10 devices and places", R"sql(
ALTER TABLE sessions ADD COLUMN device_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN disowned INTEGER;
CREATE INDEX sessions_disowned ON sessions(user, device_id) WHERE disowned IS NOT NULL;
CREATE TABLE seen_places (
  user TEXT NOT NULL REFERENCES users(id),
  country TEXT NOT NULL,
  network TEXT NOT NULL,
  since INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (user, country, network)
) STRICT;
)sql"},
          // What each session added to the account; which one asked for another address; and from where a session began,
          // whatever its last use came from.
          {"auth/12 what a session added", R"sql(
CREATE TABLE additions (
  user TEXT NOT NULL REFERENCES users(id),
  session TEXT NOT NULL,
  what TEXT NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX additions_of_user ON additions(user, session);
CREATE INDEX additions_at ON additions(at);
ALTER TABLE users ADD COLUMN wanted_by TEXT;
UPDATE users SET wanted_email = NULL;
ALTER TABLE sessions ADD COLUMN began_from TEXT NOT NULL DEFAULT '';
UPDATE sessions SET began_from = address;
)sql"},
          // ends: when it will be deleted, as an Owner asked; ended: its rows are gone, and this one stays for the log's sake.
          {"auth/30 the end of organisations", R"sql(
ALTER TABLE orgs ADD COLUMN ends INTEGER;
ALTER TABLE orgs ADD COLUMN ended INTEGER;
)sql"},
          // Somebody else, who knows its first password: its first sign-in may be theirs.
          {"auth/31 who made an account", R"sql(
ALTER TABLE users ADD COLUMN made_by TEXT;
)sql"},
          // It says so until the account's mailbox has shown itself; an address that is taken back is shown again, and the
          // account is its person's then all the same.
          {"auth/32 whose accounts are their own", R"sql(
UPDATE users SET made_by = NULL WHERE verified IS NOT NULL;
)sql"},
          // When its deletion was asked for last.
          {"auth/33 how often an end is planned", R"sql(
ALTER TABLE orgs ADD COLUMN ends_asked INTEGER;
)sql"},
          // The devices that are known, which is whether there is a row: forgetting one, or disowning a sign-in on it, takes it.
          {"auth/34 known devices", R"sql(
CREATE TABLE known_devices (
  user TEXT NOT NULL REFERENCES users(id),
  id TEXT NOT NULL,
  family TEXT NOT NULL,
  address TEXT NOT NULL,
  since INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (user, id)
) STRICT;
CREATE INDEX known_devices_last ON known_devices(user, last);
CREATE INDEX sessions_device ON sessions(user, device_id);
INSERT INTO known_devices (user, id, family, address, since, last)
  SELECT user, device_id, device, began_from, (SELECT min(s.created) FROM sessions AS s WHERE s.user = n.user AND s.device_id = n.device_id), created FROM sessions AS n
  WHERE device_id <> '' AND device_id NOT IN (SELECT device_id FROM sessions WHERE disowned IS NOT NULL)
    AND id = (SELECT s.id FROM sessions AS s WHERE s.user = n.user AND s.device_id = n.device_id ORDER BY s.created DESC, s.id DESC LIMIT 1);
DROP INDEX sessions_disowned;
)sql"}};
}

}  // namespace caip::auth
