// What the two halves of Accounts share. Private.
#pragma once
#include "audit/ledger.h"
#include "auth/accounts.h"
#include "auth/sessions.h"
#include "base/guarded.h"
#include "crypto/random.h"
#include "jwt.h"
#include "passwords.h"
#include "rows.h"
#include "secrets/keeper.h"
#include "storage/database.h"
#include "throttle.h"

namespace caip::auth {

struct Minted {
  Tokens tokens;
  Digest hash;  // of the refresh token; the token itself is not stored
};

struct Accounts::Impl {
  Impl(storage::Database& d, audit::Ledger& l, secrets::Keeper& k, const Clock& c, Options o)
      : database(d), ledger(l), keeper(k), clock(c), options(std::move(o)),
        passwords(k, options.bcrypt_cost, options.hash_slots, options.hash_queue), throttle(c) {}

  // Before the write transaction: the keeper must not be waited for while holding it.
  Result<Minted> mint(const UserRow& user, const SessionId& session, Instant session_expires);
  // Records a refusal with its reason; the client gets the code and `said`.
  template <Action A>
  std::unexpected<Error> refuse(const A& action, const Principal& who, Code code, std::string reason, std::string said = {}) {
    if (auto logged = ledger.refuse(Denied{AnyAction{action}, who, code, std::move(reason)}); !logged)
      return std::unexpected<Error>(std::move(logged).error());
    return fail(code, std::move(said));
  }
  // Code::too_many while this person's or address's failures weigh; the first such refusal is on the record.
  template <Action A>
  Result<void> not_too_many(const A& action, const Principal& who, const std::string& account) {
    auto ok = throttle.check(account, who.origin.address);
    if (ok || !throttle.first_refusal(account, who.origin.address)) return ok;
    return refuse(action, who, Code::too_many, "too many failed attempts", ok.error().detail);
  }
  static Result<void> insert_user(storage::WriteTx&, const UserRow&);
  static Result<void> insert_refresh(storage::WriteTx&, const Minted&, const SessionId&);
  static Result<void> end_session(storage::WriteTx&, const SessionId&, Instant now);
  static Result<OrgName> org_name(storage::Reader&, const OrgId&);

  storage::Database& database;
  audit::Ledger& ledger;
  secrets::Keeper& keeper;
  const Clock& clock;
  Options options;
  Passwords passwords;
  Throttle throttle;
  Guarded<SecretBytes> setup_token;
};

}  // namespace caip::auth
