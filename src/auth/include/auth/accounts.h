// auth/accounts.h: people, passwords, sessions and roles of an organisation. Every change takes
// the permit for it and gives the receipt of its log entry. Failed sign-ins and wrong setup tokens
// are logged as refused. Thread-safe; sign_in, create_owner and add_member take some 200 ms of
// bcrypt and wait for one of a few hashing slots (Code::too_many when the queue is full).
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/hand_over.h"
#include "auth/notices.h"
#include "base/page.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/actions.h"
#include "proofs/authorized.h"
#include "proofs/external_identity.h"
#include "proofs/receipt.h"
#include "proofs/session.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::secrets { class Keeper; }
namespace caip::audit { class Ledger; struct People; }
namespace caip::places { class Places; }

namespace caip::auth {

inline constexpr std::size_t kMostOrganizations = 100;  // of one person

struct Tokens {
  std::string access;   // JWT
  std::string refresh;  // opaque
  Instant access_expires;
  Instant refresh_expires;
};

struct Person {
  UserId user;
  Email email;
  Role role;
  OrgId org;
  OrgName org_name;
};

template <Action A>
struct Entered {
  Receipt<A> receipt;
  Person person;
  SessionId session;
  Tokens tokens;
  std::string device;  // what to bring next time; no credential
};
using SignedIn = Entered<SignIn>;

// The first factor was right; a second is owed. The token is the browser's, in a cookie.
struct FactorNeeded {
  std::string token;
  Instant until;
};
template <Action A>
using Step = std::variant<Entered<A>, FactorNeeded>;

enum class AtProvider : std::uint8_t { signed_in_anew, was_signed_in };

struct Renewed {
  Receipt<RefreshSession> receipt;
  Tokens tokens;
};

struct Member {
  UserId user;
  Email email;
  Role role;
  std::int64_t version;  // counts changes; the ETag
  Instant created;  // when they joined
  std::optional<Instant> disabled;  // let in no more since then
};

struct OpenSession {  // one of a person's, alive now
  SessionId id;
  std::string device;   // "Firefox on Linux": from lists of ours, whatever the header said
  std::string address;  // of its last use
  std::string country, network;  // of that address, as far as a database says so
  Instant created, used, expires;  // used: to ten minutes, as access tokens last
};

struct KnownDevice {  // where a person signed in within a year: failures there are counted apart
  DeviceId id;
  std::string device;   // as OpenSession's
  std::string address;  // of its last sign-in
  std::string country, network;
  Instant since, last;  // sign-ins
  std::int64_t sessions;  // of theirs that are alive there
  bool here;  // the session that asks is on it
};

// An organisation may shorten them. minutes_*: what can be set.
struct SessionLimits {
  std::int64_t idle_minutes, lifetime_minutes;
};
inline constexpr std::int64_t kLeastIdleMinutes = 30, kLeastLifetimeMinutes = 60;

struct Options {
  std::string setup_token_file;  // DATA/setup-token
  int bcrypt_cost = 12;          // tests lower it
  bool anyone_founds = false;    // organisations; else: Owners of the first one, which runs the installation
  unsigned hash_slots = 1;       // at once
  unsigned hash_queue = 16;      // waiting
  Notices notices = {};
  const places::Places* places = nullptr;  // none: networks alone
};

class Factors;
struct PasskeyUse;

class Accounts {
 public:
  Accounts(storage::Database&, audit::Ledger&, secrets::Keeper&, Factors&, const Clock&, Options);
  ~Accounts();

  Result<void> start();  // call it first: counts of failures from before a restart
  // Call once at start. While there is no owner: the one-time token, kept in its file (0600) over
  // restarts. nullopt once an owner exists; the file is gone then.
  Result<std::optional<std::string>> prepare_setup();
  Result<bool> setup_needed() const;
  Result<std::optional<OrgId>> first_org() const;  // the one that the setup link made; it runs the installation
  Result<bool> may_found(const Session&) const;  // an organisation
  audit::People people() const;  // for the log
  Result<Receipt<CreateOwner>> create_owner(Authorized<CreateOwner>&&, std::string_view setup_token, const SecretBytes& password);

  // `device_token`: of an earlier SignedIn::device, from the same device; or nothing. Failures on a known device are
  // counted apart from everybody else's. Through whichever door: a sign-in on a device or at a place where this person
  // has not been before is told to them, in its own transaction.
  Result<Step<SignIn>> sign_in(Authorized<SignIn>&&, const SecretBytes& password, std::string_view device_token = {});
  // The second step: whose it is, and the code. A wrong one counts against the account wherever it comes
  // from (whoever sends it has the password), and after five the first step is owed again.
  // The same for who may not have taken one, and none if the account changed since.
  Result<std::optional<UserId>> first_step_of(std::string_view token) const;
  Result<UserId> halfway(std::string_view token) const;
  Result<Entered<ProveFactor>> prove_factor(Authorized<ProveFactor>&&, std::string_view token, std::string_view code);
  // A passkey is both steps: it was there, and it knew its owner.
  Result<Entered<ProveFactor>> sign_in_with_passkey(Authorized<ProveFactor>&&, const PasskeyUse&, std::string_view device_token = {});
  // By what a provider said of them. Nobody is let in who is not linked: that is logged and refused, with what to do.
  Result<Step<SignInWith>> sign_in_with(Authorized<SignInWith>&&, const ExternalIdentity&, std::string_view device_token = {});
  // A session lets one more program in (auth/hand_over.h): the code that a browser takes to it; then whom that code is for
  // (Code::bad_credentials, on the record: wrong, used or too late; asking uses it up); then the program's own session, in
  // the same organisation, stepped up no later than the one that said yes. Code::forbidden, on the record: that one has ended.
  Result<HandOverCode> hand_over(Authorized<HandOverSession>&&, const Challenge&);
  Result<HandedOver> handed_over(Principal nobody, std::string_view code, std::string_view verifier);
  Result<Entered<SignInBySession>> sign_in_by(Authorized<SignInBySession>&&, const HandedOver&, std::string_view device_token = {});
  // Rotates. A token used before ends the session, which is logged: Code::unauthenticated.
  Result<Renewed> refresh(Authorized<RefreshSession>&&, std::string_view refresh_token);
  Result<Receipt<SignOut>> sign_out(Authorized<SignOut>&&);
  // Stamps the session (auth/step_up.h). A wrong password is Code::invalid: the session itself goes on. Who has an
  // authenticator app owes its code (or a recovery code) besides, as at a sign-in: used once, and counted with those.
  Result<Receipt<StepUpSession>> step_up(Authorized<StepUpSession>&&, const SecretBytes& password, std::string_view code = {});

  // The same by a passkey of theirs, which is both at once, and by an account of theirs at another service, with the code.
  // Where the service did not say that they proved themselves anew, that counts for those alone who have neither password nor
  // passkey here.
  Result<Receipt<StepUpSession>> step_up_with_passkey(Authorized<StepUpSession>&&, const PasskeyUse&);
  Result<Receipt<StepUpSession>> step_up_with(Authorized<StepUpSession>&&, const ExternalIdentity&, AtProvider, std::string_view code = {});

  // A person's own sessions, newest first; another person's is Code::not_found, on the record.
  Result<Page<OpenSession>> sessions(const Session&, const PageAsk&) const;
  Result<Receipt<EndSession>> end_session(Authorized<EndSession>&&);
  Result<std::int64_t> end_other_sessions(Authorized<EndOtherSessions>&&);  // how many
  // A person's own devices, the one of the last sign-in first; another person's is Code::not_found, on the record.
  Result<Page<KnownDevice>> devices(const Session&, const PageAsk&) const;
  // It is a new one at its next sign-in. Ends the sessions on it but for the one that asks; gives how many.
  Result<std::int64_t> forget_device(Authorized<ForgetDevice>&&);
  // "This was not me", of another session of theirs, alive or not: all sessions end, the one that says so too, the way in that
  // it took is shut, and what was added in it is undone (auth/disown.cpp). `password`: the new one; empty only for who has
  // none, and has another way in left (Code::invalid otherwise).
  Result<Receipt<DisownSession>> disown(Authorized<DisownSession>&&, const SecretBytes& password);
  // Ends the person's other sessions.
  Result<Receipt<ChangePassword>> change_password(Authorized<ChangePassword>&&, const SecretBytes& password);
  Result<SessionLimits> session_limits(const OrgId&) const;
  Result<Receipt<SetSessionLimits>> set_session_limits(Authorized<SetSessionLimits>&&);

  Result<Receipt<AddMember>> add_member(Authorized<AddMember>&&, const SecretBytes& password);
  // Ends the sessions of that user in this organisation. Refused: someone of a higher role (forbidden), the last owner
  // (conflict), another version than `expected` (precondition_failed).
  Result<Receipt<ChangeRole>> change_role(Authorized<ChangeRole>&&, std::optional<std::int64_t> expected);

  // All second factors of a member go, and all their sessions. Refused (forbidden): someone of a higher role, and who
  // belongs to other organisations, too, whose Owners are not asked.
  Result<Receipt<ResetFactors>> reset_factors(Authorized<ResetFactors>&&);
  Result<Receipt<ResetFactorsLocally>> reset_factors(Authorized<ResetFactorsLocally>&&);

  Result<Person> person(const Session&) const;
  Result<Page<Member>> members(const OrgId&, const PageAsk&) const;  // oldest first; with who is disabled
  Result<Member> member(const OrgId&, const UserId&) const;
  // For checks at a later time than the request (redeeming an approval): the role now. From here on, who is
  // disabled is nobody's member.
  Result<Role> role_of(const OrgId&, const UserId&) const;
  Result<std::string> email_of(const OrgId&, const UserId&) const;
  Result<Person> find(const Email&) const;  // where they acted last
  Result<Person> find(const OrgId&, const UserId&) const;
  Result<Person> find(storage::Reader&, const OrgId&, const UserId&) const;  // as seen from inside that transaction

  // When somebody goes, or gets another role: whatever else rests on their authority in that organisation ends
  // in the same transaction (within it: no further begin_write). What it gives is called once that is durable.
  using AuthorityEnd = std::function<Result<std::function<void()>>(storage::WriteTx&, const OrgId&, const UserId&)>;
  void on_authority_end(AuthorityEnd);  // at start, before any thread

 private:
  friend class Endings;
  friend class Team;
  friend class Invitations;
  friend class ApiTokens;
  friend class Links;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace caip::auth
