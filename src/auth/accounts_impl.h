// What the two halves of Accounts share. Private.
#pragma once
#include "audit/ledger.h"
#include "auth/accounts.h"
#include "auth/sessions.h"
#include "base/guarded.h"
#include "base/network.h"
#include "crypto/random.h"
#include "auth/factors.h"
#include "device.h"
#include "disown.h"
#include "halfway.h"
#include "hand_over.h"
#include "jwt.h"
#include "known_device.h"
#include "password_rules.h"
#include "passwords.h"
#include "presence.h"
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
  // What a sign-in needs before the writer's lane, which must not wait for the keeper.
  template <Action A>
  struct Entry {
    Spent<A> spent;
    MemberRow member;
    Origin origin;
    std::string family;
    Presence presence;
    SessionId session;
    Minted minted;
    Instant now;
    std::optional<Instant> stepped_up;  // when who signs in here last proved who they are
  };
  // In the organisation that is named, or where they acted last.
  template <Action A>
  Result<Entry<A>> prepare(Authorized<A>&&, const UserRow&, std::string_view device_token, std::string method, const std::optional<OrgId>& org = {});
  Result<Presence> presence_of(const UserRow&, const Origin&, const std::string& family, std::string_view device_token, std::string method);
  // The device's id, if the token is good for this person and program, and the device has not been forgotten since.
  Result<std::optional<std::string>> known_device(std::string_view token, const UserId&, const std::string& family) const;
  // A password or a passkey of this product's own.
  static Result<bool> has_better(storage::Reader&, const UserRow&);
  // In the app and by letter: a device or a place that this person has not been at before.
  Result<void> tell_of_sign_in(storage::WriteTx&, const UserRow&, const SessionId&, const std::string& where, Instant now) const;
  places::Place place_of(std::string_view address) const { return options.places != nullptr ? options.places->of(address) : places::Places().of(address); }
  // Somebody has proven who they are, and no organisation lets them in.
  template <Action A>
  std::unexpected<Error> lets_nobody_in(const A&, Principal, const UserId&);
  // "This was not me", with whatever comes of it (disown.cpp).
  Result<Disowned> disown(storage::WriteTx&, const Began&, const Disowning&, Instant now);
  // Their role now. Refused: an account that changed while the proof was looked at.
  static Result<Role> unchanged(storage::Reader&, const UserRow&, const OrgId&);
  Result<bool> may_found(storage::Reader&, const UserId&) const;
  Result<std::optional<OrgId>> acted_last_in(const UserId&) const;
  template <Action A, class Note>
  Result<Entered<A>> open(storage::WriteTx&&, Entry<A>&&, const UserRow&, const Note&, json::object detail);
  // The first step is on the record; the second is owed.
  template <Action A, class Note>
  Result<FactorNeeded> owe(storage::WriteTx&&, Entry<A>&&, Halfway::Person, const Note&, json::object detail);
  // A session for somebody who has proven who they are. `note` writes what else belongs into the same transaction.
  template <Action A, class Note>
  Result<Entered<A>> enter(Authorized<A>&& permit, const UserRow& user, std::string_view device_token, std::string method, const Note& note, json::object detail = {}) {
    CAIP_TRY(entry, prepare(std::move(permit), user, device_token, std::move(method)));
    auto tx = database.begin_write();
    CAIP_TRY(role, unchanged(tx, user, entry.member.org));
    entry.member.role = role;
    return open(std::move(tx), std::move(entry), user, note, std::move(detail));
  }
  // In, or on to the second factor where there is one, as the session's own transaction sees it.
  template <Action A, class Note>
  Result<Step<A>> admit(Authorized<A>&& permit, const UserRow& user, std::string_view device_token, std::string method, const Note& note, json::object detail = {},
                        std::optional<IdentityId> identity = {}) {
    CAIP_TRY(entry, prepare(std::move(permit), user, device_token, std::move(method)));
    auto tx = database.begin_write();
    CAIP_TRY(role, unchanged(tx, user, entry.member.org));
    entry.member.role = role;
    CAIP_TRY(state, factors.state(tx, user.id));
    if (state.any()) {
      CAIP_TRY(needed, owe(std::move(tx), std::move(entry), {user, std::string(A::kName), identity, std::string(device_token)}, note, std::move(detail)));
      return Step<A>{std::move(needed)};
    }
    CAIP_TRY(in, open(std::move(tx), std::move(entry), user, note, std::move(detail)));
    return Step<A>{std::move(in)};
  }
  // Whatever factor `proven` was checked by: the stamp, unless the session or its person changed meanwhile. `also`
  // writes what else belongs into the same transaction.
  using Also = std::function<Result<void>(storage::WriteTx&, Instant)>;
  Result<Receipt<StepUpSession>> stepped_up(Authorized<StepUpSession>&&, const UserRow& proven, json::object detail, const Also& also);
  Result<UserRow> user_at(const Authorized<StepUpSession>&) const;
  // Counts a failure and records it, in one transaction; the client gets the code and `said`.
  template <Action A>
  std::unexpected<Error> failed(const A& action, const Principal& who, const Counters& of, Error error, std::string reason, const std::optional<UserId>& about = {}) {
    return record(action, who, throttle.failed(of), std::move(error), std::move(reason), about);
  }
  // The same of what is counted already.
  template <Action A>
  std::unexpected<Error> record(const A& action, const Principal& who, const std::vector<Failures>& counted, Error error, std::string reason,
                                const std::optional<UserId>& about = {}) {
    auto logged = ledger.refuse(Denied{AnyAction{action}, who, error.code, std::move(reason)},
                                [&](storage::WriteTx& tx) { return store_failures(tx, counted); }, about);
    if (!logged) return std::unexpected<Error>(std::move(logged).error());
    return std::unexpected<Error>(std::move(error));
  }
  // A code of the second factor, at a sign-in and at a step-up. First its turn, which is counted as a failure until it was
  // right: of many at once, no more pass than are free. Nobody guesses the 80 bits of a recovery code: that waits for nothing,
  // whatever others have tried.
  struct CodeTurn {
    Counters attempts;
    std::vector<Failures> counted;
  };
  template <Action A>
  Result<CodeTurn> turn_for_code(const A& action, const Principal& who, const UserId& user, std::string_view code) {
    CodeTurn turn{counters_of_codes(user.str(), who.origin.address), {}};
    if (!is_totp(code)) return turn;
    auto taken = throttle.take(turn.attempts);
    if (!taken && !throttle.first_refusal(turn.attempts)) return std::unexpected(taken.error());
    if (!taken) return refuse(action, who, Code::too_many, "too many wrong codes", taken.error().detail);
    turn.counted = *std::move(taken);
    return turn;
  }
  template <Action A>
  Result<FactorUse> right_code(const A& action, const Principal& who, const UserId& user, std::string_view code, const CodeTurn& turn, Code wrong) {
    std::optional<FactorUse> use;
    {
      auto tx = database.begin_read();
      CAIP_TRY(known, factors.recognise(tx, user, code));
      use = known;
    }
    if (!use) return record(action, who, turn.counted, {wrong, "the code is wrong, or was used already"}, "wrong code", user);
    return *use;
  }
  Result<void> use_up(storage::WriteTx& tx, const UserId& user, const FactorUse& use, const CodeTurn& turn) {
    CAIP_CHECKED(Factors::use_up(tx, user, use));
    return forgive_all(tx, turn.attempts);
  }
  // The code that a step-up needs besides its first factor, as a sign-in would: nothing of who has no second factor.
  struct Second {
    std::optional<FactorUse> use;
    CodeTurn turn;
  };
  Result<Second> second_proof(const StepUpSession&, const Principal&, const UserId&, std::string_view code);
  Result<void> use_up(storage::WriteTx&, const UserId&, const Second&);
  // A code that somebody else used up meanwhile is a wrong one, and as at a wrong password the session goes on.
  Result<Receipt<StepUpSession>> not_twice(const StepUpSession&, const Principal&, Result<Receipt<StepUpSession>> done);
  Result<void> store_failures(storage::WriteTx&, const std::vector<Failures>&) const;
  Result<void> forgive(storage::WriteTx&, const Counters&);  // with what it is forgiven for
  Result<void> forgive_all(storage::WriteTx&, const Counters&);
  static Result<void> insert_user(storage::WriteTx&, const UserRow&);
  static Result<void> insert_member(storage::WriteTx&, const OrgId&, const UserId&, Role, Instant now);
  // Links for an address that belongs, or whose person has just gone: none of them lets anybody in any more.
  static Result<void> drop_invitations(storage::WriteTx&, const OrgId&, const Email&, Instant now);
  static Result<void> end_sessions(storage::WriteTx&, const OrgId&, const UserId&, Instant now);
  // The sessions, the invitations that nobody has accepted, and what on_authority_end() adds; what is given is called after the commit.
  // `tokens`: they end too, with the membership or with the permission to have any; else they go on with what the role grants.
  Result<std::function<void()>> end_authority(storage::WriteTx&, const OrgId&, const UserId&, Instant now, bool tokens);
  // Whether who was permitted something still stands where they stood (audit::People). By their session, token, or, for
  // their pilot and for what was approved, their membership alone.
  Result<void> still(storage::Reader&, const Principal&) const;
  static Result<void> set_role(storage::WriteTx&, const OrgId&, const UserId&, Role);
  // Code::conflict when this member is the last owner.
  static Result<void> keep_an_owner(storage::Reader&, const MemberRow&);
  // Code::conflict for an Owner of an organisation that is about to end: any of them may restore it, so nobody takes that
  // from the others.
  static Result<void> keep_who_restores(storage::Reader&, const MemberRow&);
  static Result<std::int64_t> mark_used(storage::WriteTx&, const OrgId&, const UserId&, Instant now);
  static Result<void> insert_refresh(storage::WriteTx&, const Minted&, const SessionId&);
  static Result<void> end_session(storage::WriteTx&, const SessionId&, Instant now);
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
  HandOvers hand_overs;
  Guarded<SecretBytes> setup_token;
  AuthorityEnd authority_end = {};
};

template <Action A>
Result<Accounts::Impl::Entry<A>> Accounts::Impl::prepare(Authorized<A>&& permit, const UserRow& user, std::string_view device_token, std::string method,
                                                         const std::optional<OrgId>& org) {
  const Origin origin = permit.principal().origin;
  std::string family = device_of(origin.user_agent.raw());
  std::optional<MemberRow> member;
  {
    auto tx = database.begin_read();
    CAIP_TRY(there, org ? member_of(tx, *org, user.id) : last_used(tx, user.id));
    member = std::move(there);
  }
  if (!member) return lets_nobody_in(permit.action(), permit.principal(), user.id);
  const Instant now = clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  const auto session = crypto::random_id<SessionId>();
  CAIP_TRY(presence, presence_of(user, origin, family, device_token, std::move(method)));
  CAIP_TRY(minted, mint(*member, session, now + kSessionLifetime));
  return Entry<A>{std::move(spent), *std::move(member), origin, std::move(family), std::move(presence), session, std::move(minted), now, now};
}

template <Action A>
std::unexpected<Error> Accounts::Impl::lets_nobody_in(const A& action, Principal who, const UserId& user) {
  auto org = acted_last_in(user);
  if (!org) return std::unexpected(std::move(org).error());
  if (!*org) return refuse(action, who, Code::forbidden, "no organisation", "you belong to no organisation; ask one of its owners for an invitation");
  who.org = **org;
  return refuse(action, who, Code::forbidden, "disabled", "your access is disabled; ask an Owner of your organisation to enable it");
}

template <Action A, class Note>
Result<Entered<A>> Accounts::Impl::open(storage::WriteTx&& tx, Entry<A>&& e, const UserRow& user, const Note& note, json::object detail) {
  const OrgId org = e.member.org;
  CAIP_TRY(still, still_known(tx, user.id, e.presence));
  if (!still) return fail(Code::conflict, "the account changed; try again");  // forgotten while its token was looked at
  CAIP_TRY(fresh, novelty(tx, user.id, e.presence));
  // A session at another service that is open already says little of who sits here now: it steps nobody up who has
  // something better to prove themselves with.
  if constexpr (std::is_same_v<A, SignInWith>) {
    CAIP_TRY(better, has_better(tx, user));
    if (better) e.stepped_up.reset();
  }
  CAIP_CHECKED(tx.exec("INSERT INTO sessions (id, user, org, created, expires, stepped_up, used, address, began_from, device, device_id, method)"
                       " VALUES (?1, ?2, ?7, ?3, ?4, ?10, ?3, ?5, ?5, ?6, ?8, ?9)",
                       e.session, user.id, e.now, e.now + kSessionLifetime, e.origin.address, e.family, org, e.presence.device_id, e.presence.method, e.stepped_up));
  CAIP_CHECKED(remember(tx, user.id, e.presence, e.now));
  CAIP_CHECKED(remember_device(tx, user.id, e.presence, e.family, e.origin.address, e.now));
  if (fresh.tells()) CAIP_CHECKED(tell_of_sign_in(tx, user, e.session, e.family + ", from " + e.origin.address + " (" + e.presence.place.str() + "), " + e.now.str(), e.now));
  CAIP_CHECKED(mark_used(tx, org, user.id, e.now));
  CAIP_CHECKED(insert_refresh(tx, e.minted, e.session));
  CAIP_CHECKED(note(tx, e.now));
  CAIP_TRY(name, org_name(tx, org));
  detail["session"] = e.session.str();
  detail["device"] = e.family;
  detail["place"] = e.presence.place.str();
  if (fresh.tells()) detail["new_device"] = fresh.device, detail["new_place"] = fresh.place;
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(e.spent), {.detail = std::move(detail), .org = org, .user = user.id}));
  return Entered<A>{std::move(receipt), Person{user.id, user.email, e.member.role, org, std::move(name)}, e.session, std::move(e.minted.tokens), std::move(e.presence.device_token)};
}

template <Action A, class Note>
Result<FactorNeeded> Accounts::Impl::owe(storage::WriteTx&& tx, Entry<A>&& e, Halfway::Person person, const Note& note, json::object detail) {
  CAIP_CHECKED(note(tx, e.now));
  detail["second_factor"] = "owed";
  CAIP_CHECKED(ledger.commit(std::move(tx), std::move(e.spent), {.result = audit::Ending::pending, .detail = std::move(detail), .org = e.member.org, .user = person.user.id}));
  auto token = waiting.admit(std::move(person), network_of(e.origin.address), e.now);
  return FactorNeeded{std::move(token.text), token.until};
}

}  // namespace caip::auth
