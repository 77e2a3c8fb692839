// What the two halves of Accounts share. Private.
#pragma once
#include "audit/ledger.h"
#include "auth/accounts.h"
#include "auth/sessions.h"
#include "base/guarded.h"
#include "crypto/random.h"
#include "auth/factors.h"
#include "device.h"
#include "halfway.h"
#include "jwt.h"
#include "known_device.h"
#include "password_rules.h"
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
  Impl(storage::Database& d, audit::Ledger& l, secrets::Keeper& k, Factors& f, const Clock& c, Options o)
      : database(d), ledger(l), keeper(k), factors(f), clock(c), options(std::move(o)),
        passwords(k, options.bcrypt_cost, options.hash_slots, options.hash_queue), throttle(c), devices(k) {}

  // Before the write transaction: the keeper must not be waited for while holding it.
  Result<Minted> mint(const MemberRow&, const SessionId&, Instant session_expires);
  // Records a refusal with its reason; the client gets the code and `said`.
  template <Action A>
  std::unexpected<Error> refuse(const A& action, const Principal& who, Code code, std::string reason, std::string said = {}) {
    if (auto logged = ledger.refuse(Denied{AnyAction{action}, who, code, std::move(reason)}); !logged)
      return std::unexpected<Error>(std::move(logged).error());
    return fail(code, std::move(said));
  }
  // Code::too_many while these failures weigh; the first such refusal is on the record.
  template <Action A>
  Result<void> not_too_many(const A& action, const Principal& who, const Counters& of) {
    auto ok = throttle.check(of);
    if (ok || !throttle.first_refusal(of)) return ok;
    return refuse(action, who, Code::too_many, "too many failed attempts", ok.error().detail);
  }
  // A session for somebody who has proven who they are. `note` writes what else belongs into the same transaction.
  template <Action A, class Note>
  Result<Entered<A>> enter(Authorized<A>&&, const UserRow&, const Note& note, json::object detail = {});
  // In, or on to the second factor where there is one.
  template <Action A, class Note>
  Result<Step<A>> admit(Authorized<A>&& permit, const UserRow& user, const Note& note, json::object detail = {}) {
    CAIP_TRY(state, factors.state(user.id));
    if (state.any()) {
      CAIP_TRY(token, waiting.admit({user, std::string(A::kName)}, clock.now()));
      return Step<A>{FactorNeeded{std::move(token.text), token.until}};
    }
    CAIP_TRY(in, enter(std::move(permit), user, note, std::move(detail)));
    return Step<A>{std::move(in)};
  }
  // Whatever factor `proven` was checked by: the stamp, unless the session or its person changed meanwhile.
  Result<Receipt<StepUpSession>> stepped_up(Authorized<StepUpSession>&&, const UserRow& proven, std::string_view factor);
  // Counts a failure and records it, in one transaction; the client gets the code and `said`.
  template <Action A>
  std::unexpected<Error> failed(const A& action, const Principal& who, const Counters& of, Error error, std::string reason) {
    const auto counted = throttle.failed(of);
    auto logged = ledger.refuse(Denied{AnyAction{action}, who, error.code, std::move(reason)},
                                [&](storage::WriteTx& tx) { return store_failures(tx, counted); });
    if (!logged) return std::unexpected<Error>(std::move(logged).error());
    return std::unexpected<Error>(std::move(error));
  }
  Result<void> store_failures(storage::WriteTx&, const std::vector<Failures>&) const;
  Result<void> forgive(storage::WriteTx&, const Counters&);  // with what it is forgiven for
  static Result<void> insert_user(storage::WriteTx&, const UserRow&);
  static Result<void> insert_member(storage::WriteTx&, const OrgId&, const UserId&, Role, Instant now);
  static Result<void> end_sessions(storage::WriteTx&, const OrgId&, const UserId&, Instant now);
  // The sessions, the invitations that nobody has accepted, and what on_authority_end() adds; what is given is called after the commit.
  // `gone`: tokens end too; with another role they go on, with what that role grants.
  Result<std::function<void()>> end_authority(storage::WriteTx&, const OrgId&, const UserId&, Instant now, bool gone);
  static Result<void> set_role(storage::WriteTx&, const OrgId&, const UserId&, Role);
  // Code::conflict when this member is the last owner.
  static Result<void> keep_an_owner(storage::Reader&, const MemberRow&);
  static Result<std::int64_t> mark_used(storage::WriteTx&, const OrgId&, const UserId&, Instant now);
  static Result<void> insert_refresh(storage::WriteTx&, const Minted&, const SessionId&);
  static Result<void> end_session(storage::WriteTx&, const SessionId&, Instant now);
  static Result<std::int64_t> end_others(storage::WriteTx&, const UserId&, const SessionId& kept, Instant now);  // how many
  static Result<OrgName> org_name(storage::Reader&, const OrgId&);

  storage::Database& database;
  audit::Ledger& ledger;
  secrets::Keeper& keeper;
  Factors& factors;
  const Clock& clock;
  Options options;
  Passwords passwords;
  Throttle throttle;
  Halfway waiting;
  KnownDevices devices;
  Guarded<SecretBytes> setup_token;
  AuthorityEnd authority_end = {};
};

template <Action A, class Note>
Result<Entered<A>> Accounts::Impl::enter(Authorized<A>&& permit, const UserRow& user, const Note& note, json::object detail) {
  const Origin origin = permit.principal().origin;
  const std::string family = device_of(origin.user_agent.raw());
  std::optional<MemberRow> member;  // where they acted last
  {
    auto tx = database.begin_read();
    CAIP_TRY(there, last_used(tx, user.id));
    member = std::move(there);
  }
  if (!member)
    return refuse(permit.action(), permit.principal(), Code::forbidden, "no organisation", "you belong to no organisation; ask one of its owners for an invitation");
  const Instant now = clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  const auto session = crypto::random_id<SessionId>();
  CAIP_TRY(device, devices.make(user.id, family));
  CAIP_TRY(minted, mint(*member, session, now + kSessionLifetime));
  auto tx = database.begin_write();
  CAIP_TRY(current, member_of(tx, member->org, user.id));  // changed while the proof was looked at?
  if (!current || current->user.epoch != user.epoch || current->user.password != user.password) return fail(Code::conflict, "the account changed; try again");
  CAIP_CHECKED(tx.exec("INSERT INTO sessions (id, user, org, created, expires, stepped_up, used, address, device) VALUES (?1, ?2, ?7, ?3, ?4, ?3, ?3, ?5, ?6)",
                       session, user.id, now, now + kSessionLifetime, origin.address, family, member->org));
  CAIP_CHECKED(mark_used(tx, member->org, user.id, now));
  CAIP_CHECKED(insert_refresh(tx, minted, session));
  CAIP_CHECKED(note(tx, now));
  CAIP_TRY(name, org_name(tx, member->org));
  detail["session"] = session.str();
  detail["device"] = family;
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(detail), .org = member->org, .user = user.id}));
  return Entered<A>{std::move(receipt), Person{user.id, user.email, current->role, member->org, std::move(name)}, session, std::move(minted.tokens), std::move(device)};
}

}  // namespace caip::auth
