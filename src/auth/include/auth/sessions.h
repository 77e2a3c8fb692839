// auth/sessions.h: who is speaking. SessionStore is the only minter of Session: it checks the
// token's signature, form and times, and then, in the database, that the session is alive and the
// user's epoch is still the token's, so that revocation counts from the next request on.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/actor.h"
#include "proofs/session.h"

namespace caip::storage { class Database; }
namespace caip::secrets { class Keeper; }

namespace caip::auth {

inline constexpr Duration kAccessLifetime = std::chrono::minutes(10);
inline constexpr Duration kRefreshLifetime = std::chrono::hours(24 * 7);    // from its issue
inline constexpr Duration kSessionLifetime = std::chrono::hours(24 * 7);    // from the sign-in
inline constexpr Duration kIdleLifetime = std::chrono::hours(12);           // from the last refresh

class TokenCache;

class SessionStore {  // thread-safe
 public:
  SessionStore(storage::Database& database, secrets::Keeper& keeper, const Clock& clock);
  ~SessionStore();

  // An access token, or an API token (auth/api_tokens.h), which gives a session of source api_token without
  // a SessionId. Every failure is Code::unauthenticated with the same text.
  Result<Session> verify(std::string_view access_jwt, Origin) const;

  // Is a session that was proven before, for work that goes on after its request (an answer of the
  // Pilot), alive still, and in the same organisation? A changed role ends sessions, so the rights are those of now. What calls this
  // took the ids from a Session, never from a request.
  Result<Session> still(const SessionId&, const OrgId&, const UserId&, Origin) const;

  // The session a refresh token belongs to, also when the token was used before: what that means is
  // decided in Accounts::refresh. A Session from here is good for RefreshSession and SignOut only by
  // custom of its callers; routes use verify().
  Result<Session> verify_refresh(std::string_view refresh_token, Origin) const;

 private:
  Result<Session> verify_token(std::string_view, Origin) const;
  storage::Database& database_;
  const Clock& clock_;
  secrets::Keeper& keeper_;
  std::unique_ptr<TokenCache> opened_;  // whose signature was checked before
};

}  // namespace caip::auth
