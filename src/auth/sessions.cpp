#include "auth/sessions.h"

#include "jwt.h"
#include "rows.h"
#include "secrets/keeper.h"
#include "storage/database.h"
#include "token_cache.h"
#include "token_rows.h"

namespace caip::auth {
namespace {

Principal principal_of(const SessionRow& row, Origin origin) {
  Principal p;
  p.source = Source::user;
  p.org = row.member.org;
  p.user = row.member.user.id;
  p.session = row.id;
  p.role = row.member.role;
  p.origin = std::move(origin);
  return p;
}

}  // namespace

SessionStore::SessionStore(storage::Database& database, secrets::Keeper& keeper, const Clock& clock)
    : database_(database), clock_(clock), keeper_(keeper),
      opened_(std::make_unique<TokenCache>()) {}
SessionStore::~SessionStore() = default;

Result<Session> SessionStore::verify(std::string_view access_jwt, Origin origin) const {
  const Instant now = clock_.now();
  if (access_jwt.starts_with(kTokenPrefix)) return verify_token(access_jwt, std::move(origin));
  if (access_jwt.size() > kMostToken) return not_signed_in();
  const Digest name = crypto::sha256(view(access_jwt));
  auto known = opened_->find(name);
  if (!known) {
    // The newest key, and after a rotation the one before for as long as its tokens live: when it
    // is destroyed, every token that it signed has expired, remembered or not.
    Result<Claims> opened = not_signed_in();
    for (const auto& key : keeper_.verify_keys(secrets::SigningUse::jwt, now)) {
      opened = jwt_open(access_jwt, key, now);
      if (opened) break;
    }
    CAIP_TRY(fresh, std::move(opened));
    opened_->keep(name, fresh);
    known = fresh;
  }
  if (!jwt_current(*known, now)) return not_signed_in();
  const Claims& claims = *known;
  auto tx = database_.begin_read();
  CAIP_TRY(row, live_session(tx, claims.session, now));
  if (!row || row->member.user.id != claims.user || row->member.org != claims.org || row->member.user.epoch != claims.epoch) return not_signed_in();
  return Session(Badge<SessionStore>{}, principal_of(*row, std::move(origin)), claims.expires, row->stepped_up);
}

// What it carries beside its scopes: seeing whom it stands for, and the stream of what it may see.
Result<Session> SessionStore::verify_token(std::string_view text, Origin origin) const {
  if (!is_token_text(text)) return not_signed_in();
  auto tx = database_.begin_read();
  CAIP_TRY(token, live_token(tx, text, clock_.now()));
  if (!token || !comes_from(token->networks, origin.address)) return not_signed_in();
  Principal p;
  p.source = Source::api_token;
  p.org = token->member.org;
  p.user = token->member.user.id;
  p.token = token->id;
  p.role = token->member.role;
  p.narrowed = token->scopes;
  p.narrowed.add(Permission::own_session);
  p.origin = std::move(origin);
  return Session(Badge<SessionStore>{}, std::move(p), token->expires);
}

Result<Session> SessionStore::still(const SessionId& session, const OrgId& org, const UserId& user, Origin origin) const {
  auto tx = database_.begin_read();
  CAIP_TRY(row, live_session(tx, session, clock_.now()));
  if (!row || row->member.org != org || row->member.user.id != user) return not_signed_in();
  return Session(Badge<SessionStore>{}, principal_of(*row, std::move(origin)), row->expires);
}

Result<Session> SessionStore::verify_refresh(std::string_view refresh_token, Origin origin) const {
  const Instant now = clock_.now();
  if (refresh_token.size() != 43) return not_signed_in();
  auto tx = database_.begin_read();
  CAIP_TRY(session, session_of_refresh(tx, refresh_token, now));
  if (!session) return not_signed_in();
  CAIP_TRY(row, live_session(tx, *session, now));
  if (!row) return not_signed_in();
  return Session(Badge<SessionStore>{}, principal_of(*row, std::move(origin)));
}

}  // namespace caip::auth
