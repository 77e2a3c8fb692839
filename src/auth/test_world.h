// What the tests of this room share: a data directory with database, log and keys.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "auth/accounts.h"
#include "auth/factors.h"
#include "auth/passkeys.h"
#include "auth/migrations.h"
#include "auth/sessions.h"
#include "auth/step_up.h"
#include "crypto/random.h"
#include "outbox/outbox.h"
#include "secrets/keeper.h"
#include "storage/database.h"

// In production the authorizer mints permits; this room does not see it, so the tests stand in.
namespace caip::authorization {
class Authorizer {
 public:
  template <Action A>
  static Authorized<A> permit(A action, Principal who, Instant now, bool stepped_up = true) {
    return Authorized<A>(Badge<Authorizer>{}, std::move(action), std::move(who), std::nullopt, now, stepped_up);
  }
};
}  // namespace caip::authorization

namespace caip::auth {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/caip-auth-XXXXXX";
    path = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

// What an authenticator app makes of the secret that it was shown.
inline SecretBytes from_base32(std::string_view text) {
  Bytes out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char c : text) {
    held = held << 5U | static_cast<std::uint32_t>(c >= 'A' ? c - 'A' : c - '2' + 26);
    if ((bits += 5) >= 8) out.push_back(static_cast<std::uint8_t>(held >> (bits -= 8)));
  }
  return SecretBytes(std::move(out));
}

inline constexpr std::string_view kPassword = "correct horse battery";

struct World {
  explicit World(bool mail = false) : mailed(mail) { ledger->know(accounts.people()); }
  bool mailed;
  Folder folder;
  ManualClock clock{Instant(1'790'000'000'000'000)};
  std::unique_ptr<secrets::Keeper> keeper = secrets::open_local_keeper(folder.path + "/keys", clock).value();
  std::unique_ptr<storage::Database> database = open_database();
  std::unique_ptr<audit::Ledger> ledger =
      audit::Ledger::open(*database, clock, [this](BytesView b) { return keeper->sign(secrets::SigningUse::checkpoint, b); },
                          keeper->public_key(secrets::SigningUse::checkpoint)).value();
  audit::Query query{*ledger};
  const Notices notices{mailed};
  Passkeys passkeys{*database, *ledger, clock, {"panel.example", "https://panel.example"}, notices};
  Factors factors{*database, *ledger, *keeper, clock, notices};
  Accounts accounts{*database, *ledger, *keeper, factors, clock, {.setup_token_file = folder.path + "/setup-token", .bcrypt_cost = 4, .anyone_founds = true, .notices = notices}};
  SessionStore sessions{*database, *keeper, clock};
  StepUpVerifier verifier{clock};

  std::unique_ptr<storage::Database> open_database() const { return open_database(folder.path, migrations()); }
  static std::unique_ptr<storage::Database> open_database(const std::string& folder, const storage::Migrations& of_auth) {
    auto all = audit::migrations();
    for (auto& m : outbox::migrations()) all.push_back(std::move(m));
    all.insert(all.end(), of_auth.begin(), of_auth.end());
    return storage::Database::open(folder + "/caip.db", std::move(all)).value();
  }
  static Origin origin(std::string address = "192.0.2.1") { return {std::move(address), Foreign("test"), "req_test"}; }
  static Principal anonymous(std::string address = "192.0.2.1") {
    Principal p;
    p.origin = origin(std::move(address));
    return p;
  }
  template <Action A>
  Authorized<A> permit(A a, Principal who) { return authorization::Authorizer::permit(std::move(a), std::move(who), clock.now()); }
  template <Action A>
  Authorized<A> permit(A a, const Session& s) { return permit(std::move(a), s.principal()); }

  static Email email(std::string_view text) { return Email::parse(text).value(); }
  Result<Receipt<CreateOwner>> create_owner(std::string_view token, std::string_view password = kPassword) {
    return accounts.create_owner(permit(CreateOwner{crypto::random_id<UserId>(), crypto::random_id<OrgId>(), email("owner@example.com"),
                                                    OrgName::parse("Example").value()}, anonymous()), token, SecretBytes(password));
  }
  void with_owner() {
    const auto token = accounts.prepare_setup().value().value();
    (void)create_owner(token).value();
  }
  Result<SignedIn> sign_in(std::string_view who = "owner@example.com", std::string_view password = kPassword, std::string address = "192.0.2.1") {
    CAIP_TRY(step, begin_sign_in(who, password, std::move(address)));
    if (auto* in = std::get_if<SignedIn>(&step)) return std::move(*in);
    return fail(Code::unauthenticated, "a second factor is owed");
  }
  Result<Step<SignIn>> begin_sign_in(std::string_view who = "owner@example.com", std::string_view password = kPassword, std::string address = "192.0.2.1") {
    return accounts.sign_in(permit(SignIn{email(who)}, anonymous(std::move(address))), SecretBytes(password));
  }
  Result<SignedIn> sign_in_from(std::string_view device, std::string_view password = kPassword) {
    CAIP_TRY(step, accounts.sign_in(permit(SignIn{email("owner@example.com")}, anonymous()), SecretBytes(password), device));
    return std::get<SignedIn>(std::move(step));
  }
  Result<Session> session(const SignedIn& s) const { return sessions.verify(s.tokens.access, origin()); }
  Result<Renewed> refresh(std::string_view token) {
    CAIP_TRY(s, sessions.verify_refresh(token, origin()));
    return accounts.refresh(permit(RefreshSession{s.id()}, s), token);
  }
  Result<Receipt<StepUpSession>> step_up(const Session& s, std::string_view password = kPassword) {
    return accounts.step_up(permit(StepUpSession{s.id()}, s), SecretBytes(password));
  }
  UserId add(const Session& by, std::string_view who, Role role) {
    const auto id = crypto::random_id<UserId>();
    (void)accounts.add_member(permit(AddMember{id, email(who), role}, by), SecretBytes(kPassword)).value();
    return id;
  }
  // How many entries of this action each organisation's log has.
  std::size_t logged(const OrgId& org, std::string_view action, std::string_view result = "completed") const {
    audit::Filter f;
    f.org = org;
    f.action = action;
    f.result = result;
    return query.list(f, 200, {}).value().entries.size();
  }
  std::int64_t count(storage::Sql sql) const {
    auto tx = database->begin_read();
    return tx.one<std::int64_t>(sql, [](const storage::Row& r) { return r.integer(0); }).value().value();
  }
  // Notices of a kind whose subject has these words.
  std::int64_t told(EventKind kind, std::string_view words = "") const {
    auto tx = database->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM notices WHERE kind = ?1 AND instr(subject, ?2) > 0", text(kind), words, [](const storage::Row& r) { return r.integer(0); }).value().value();
  }
  std::string last_entry() const { return query.entry(query.size().value() - 1).value().body; }
};

inline Code code(const auto& result) { return result ? Code{255} : result.error().code; }
inline constexpr Code kFine{255};

}  // namespace caip::auth
