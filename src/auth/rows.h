// Rows of this room's tables. Private.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/page.h"
#include "model/ids.h"
#include "model/names.h"
#include "model/permission.h"
#include "storage/tx.h"

namespace caip::auth {

struct UserRow {  // a person, wherever they belong
  UserId id;
  Email email;
  std::string password;  // bcrypt
  std::int64_t epoch;
  Instant created;
};

struct MemberRow {  // a person in an organisation
  UserRow user;
  OrgId org;
  Role role;
  std::int64_t version;
  Instant joined;
  std::optional<Instant> disabled = {};  // a member on the list and nowhere else
};

struct SessionRow {  // alive: neither ended, nor expired, nor idle for longer than its organisation lets it, in which its person is let in
  SessionId id;
  Instant expires;
  MemberRow member;
  std::optional<Instant> stepped_up;
};

Result<std::optional<UserRow>> user_by_email(storage::Reader&, const Email&);
Result<std::optional<UserRow>> user_by_id(storage::Reader&, const UserId&);
Result<std::optional<Email>> wanted_email(storage::Reader&, const UserId&);  // asked for, not confirmed
// Who is disabled there is no member to these two, as everything that lets somebody in asks them.
Result<std::optional<MemberRow>> member_of(storage::Reader&, const OrgId&, const UserId&);
Result<std::optional<MemberRow>> last_used(storage::Reader&, const UserId&);      // where a sign-in leads
// Disabled or not: for those who look after the list.
Result<std::optional<MemberRow>> listed_member(storage::Reader&, const OrgId&, const UserId&);
Result<std::vector<MemberRow>> memberships_of(storage::Reader&, const UserId&);   // last used first
Result<std::vector<MemberRow>> members_of(storage::Reader&, const OrgId&, const PageAsk&);
Result<std::optional<OrgId>> last_org(storage::Reader&, const UserId&);  // whose log has what strangers try on them
// Of sessions and orgs joined; ?2 is now.
#define CAIP_SESSION_LIVES                                                                                          \
  "sessions.ended IS NULL AND sessions.expires > ?2 AND sessions.created + orgs.session_lifetime > ?2"              \
  " AND sessions.used + orgs.session_idle > ?2"
Result<std::optional<SessionRow>> live_session(storage::Reader&, const SessionId&, Instant now);
Result<std::optional<SessionId>> session_of_refresh(storage::Reader&, std::string_view refresh_token, Instant now);
Result<std::int64_t> other_owners(storage::Reader&, const OrgId&, const UserId&);  // who are let in, beside this one
Result<std::int64_t> count_users(storage::Reader&);

// All sessions of that person, or all but one; how many there were.
Result<std::int64_t> end_sessions_but(storage::WriteTx&, const UserId&, const std::optional<SessionId>& kept, Instant now);
// Those on one device, by the id in its token, but for `kept`; how many there were.
Result<std::int64_t> end_sessions_on(storage::WriteTx&, const UserId&, std::string_view device, const SessionId& kept, Instant now);
// Second factors and API tokens go, and all sessions; how many of these there were. Accounts elsewhere stay.
Result<std::int64_t> drop_factors(storage::WriteTx&, const UserId&, Instant now);

Digest refresh_hash(std::string_view refresh_token);

}  // namespace caip::auth
