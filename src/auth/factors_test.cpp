#include "auth/factors.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "crypto/totp.h"
#include "halfway.h"
#include "passwords.h"
#include "test_world.h"
#include "throttle.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Factored : World {
  SecretBytes secret;
  Factored() { with_owner(); }
  Session owner() { return session(sign_in().value()).value(); }
  std::string app(int steps = 0) const { return crypto::totp_code(secret, crypto::totp_step(clock.now()) + steps); }
  Result<RecoveryCodes> turn_on(const Session& s, std::string_view code) {
    return factors.add_totp(permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, s), code);
  }
  RecoveryCodes set_up(const Session& s) {
    secret = from_base32(factors.offer_totp(s, email("owner@example.com"))->secret);
    return turn_on(s, app()).value();
  }
  std::string owed() { return std::get<FactorNeeded>(begin_sign_in().value()).token; }
  Result<Entered<ProveFactor>> prove(std::string_view token, std::string_view with, std::string address = "192.0.2.1") {
    CAIP_TRY(user, accounts.halfway(token));
    return accounts.prove_factor(permit(ProveFactor{user}, anonymous(std::move(address))), token, with);
  }
  std::string owner_org() const { return accounts.first_org()->value().str(); }
  void next_step() { clock.advance(std::chrono::seconds(crypto::kTotpStep)); }
};

}  // namespace

TEST_CASE("an authenticator app is on when a code of it was given, and not before") {
  Factored w;
  const auto owner = w.owner();
  CHECK(code(w.turn_on(owner, "000000")) == Code::expired);  // nothing was offered
  const auto offer = w.factors.offer_totp(owner, w.email("owner@example.com")).value();
  CHECK(offer.uri == "otpauth://totp/CloudAIPilot:owner@example.com?secret=" + offer.secret + "&issuer=CloudAIPilot");
  CHECK(offer.secret.size() == 32);
  w.secret = from_base32(offer.secret);
  CHECK(code(w.turn_on(owner, w.app(5))) == Code::invalid);
  CHECK_FALSE(w.factors.state(owner.user())->any());
  CHECK(w.sign_in());
  const auto codes = w.turn_on(owner, w.app()).value();
  CHECK(codes.size() == Factors::kCodes);
  CHECK(w.factors.state(owner.user())->any());
  CHECK(code(w.turn_on(owner, w.app())) == Code::expired);  // the offer is used up
  CHECK(code(w.factors.offer_totp(owner, w.email("owner@example.com"))) == Code::conflict);
  CHECK(code(w.sign_in()) == Code::unauthenticated);
}

TEST_CASE("S14: a sign-in needs both, and the second step is one code once") {
  Factored w;
  const auto owner = w.owner();
  w.set_up(owner);
  const auto used = w.app();
  auto token = w.owed();
  CHECK(code(w.prove(token, used)) == Code::bad_credentials);  // replay: it turned the app on
  w.next_step();
  CHECK(code(w.prove(token, "000000")) == Code::bad_credentials);
  CHECK(w.last_entry().find("\"wrong code\"") != std::string::npos);
  const auto good = w.app();
  const auto in = w.prove(token, good);
  REQUIRE(in);
  CHECK(w.sessions.verify(in->tokens.access, w.origin())->user() == owner.user());
  CHECK(w.last_entry().find("\"factor\":\"totp\"") != std::string::npos);
  CHECK(code(w.prove(token, good)) == Code::unauthenticated);  // the token is used up
  CHECK(code(w.prove(w.owed(), good)) == Code::bad_credentials);  // and the code
  CHECK(code(w.prove("", good)) == Code::unauthenticated);
}

TEST_CASE("a code of one step before or after is fine, of two is not") {
  Factored w;
  w.set_up(w.owner());
  for (int i = 0; i < 4; ++i) w.next_step();
  CHECK(code(w.prove(w.owed(), w.app(-2))) == Code::bad_credentials);
  CHECK(code(w.prove(w.owed(), w.app(2))) == Code::bad_credentials);
  CHECK(w.prove(w.owed(), w.app(-1)));
  CHECK(w.prove(w.owed(), w.app(1)));
  CHECK(code(w.prove(w.owed(), w.app())) == Code::bad_credentials);  // older than one that was used
}

TEST_CASE("S16: wrong codes are limited by account and network, which keeps nobody elsewhere out, nor a recovery code") {
  Factored w;
  const auto codes = w.set_up(w.owner());
  const auto token = w.owed();
  for (int i = 0; i < 5; ++i) CHECK(code(w.prove(token, "000000")) == Code::bad_credentials);
  CHECK(code(w.prove(token, w.app(1))) == Code::unauthenticated);  // the first step is owed again
  CHECK(code(w.prove(w.owed(), w.app(1))) == Code::too_many);
  CHECK(w.last_entry().find("\"too many wrong codes\"") != std::string::npos);
  CHECK(w.last_entry().find(w.owner_org()) != std::string::npos);
  CHECK(w.prove(w.owed(), codes.at(0)));  // nobody guesses 80 bits
  for (int i = 0; i < 5; ++i) CHECK(code(w.prove(w.owed(), "000000")) == Code::bad_credentials);
  CHECK(code(w.prove(w.owed(), w.app(1))) == Code::too_many);
  CHECK(w.prove(w.owed(), w.app(1), "203.0.113.9"));
}

TEST_CASE("S16: wrong codes from many networks add up for the account, over days, until a right one") {
  Factored w;
  const auto codes = w.set_up(w.owner());
  const auto wrong = [&](int i) { return code(w.prove(w.owed(), "000000", "198.51.100." + std::to_string(i))); };
  for (int i = 0; i < 30; ++i) CHECK(wrong(i) == Code::bad_credentials);
  CHECK(wrong(31) == Code::too_many);
  w.clock.advance(std::chrono::hours(24));
  CHECK(wrong(32) == Code::bad_credentials);
  CHECK(wrong(33) == Code::too_many);  // a day has not given thirty more
  CHECK(w.prove(w.owed(), codes.at(0)));
  CHECK(wrong(34) == Code::bad_credentials);
  CHECK(wrong(35) == Code::bad_credentials);
}

TEST_CASE("S16: of many tries at once, no more pass than there are") {
  Factored w;
  w.set_up(w.owner());
  const auto token = w.owed();
  std::atomic<int> looked_at = 0;
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 24; ++i)
      all.emplace_back([&, i] {
        if (code(w.prove(token, "000000", "198.51.100." + std::to_string(i))) == Code::bad_credentials) ++looked_at;
      });
  }
  CHECK(looked_at == static_cast<int>(Halfway::kTries));
  ManualClock clock{Instant(1'000'000'000)};
  Throttle throttle(clock);
  const auto mine = counters_of_codes("a", "192.0.2.1");
  for (int i = 0; i < 5; ++i) CHECK(throttle.take(mine));
  CHECK(code(throttle.take(mine)) == Code::too_many);
}

TEST_CASE("the right password of who owes a factor is on the record") {
  Factored w;
  w.set_up(w.owner());
  (void)w.owed();
  const auto entry = w.last_entry();
  for (const char* part : {"\"session.sign_in\"", "\"second_factor\":\"owed\"", "\"pending\""}) CHECK(entry.find(part) != std::string::npos);
  CHECK(entry.find(w.owner_org()) != std::string::npos);
}

TEST_CASE("an account that changes between the steps lets nobody in, and that is on the record") {
  Factored w;
  const auto owner = w.owner();
  w.add(owner, "second@example.com", Role::viewer);
  const auto second = w.session(w.sign_in("second@example.com").value()).value();
  const auto codes = w.set_up(second);
  const auto token = std::get<FactorNeeded>(w.begin_sign_in("second@example.com").value()).token;
  REQUIRE(w.accounts.change_password(w.permit(ChangePassword{second.user()}, second), SecretBytes(std::string_view("another horse, and its battery"))));
  CHECK(code(w.prove(token, codes.at(0))) == Code::conflict);
  CHECK(w.last_entry().find("the account changed") != std::string::npos);
}

TEST_CASE("S14: a factor that is added or removed ends the person's other sessions, and theirs alone") {
  Factored w;
  const auto owner = w.owner();
  w.add(owner, "second@example.com", Role::viewer);
  const auto second = w.sign_in("second@example.com").value();
  const auto thief = w.sign_in().value();
  w.set_up(owner);
  CHECK(code(w.session(thief)) == Code::unauthenticated);
  CHECK(code(w.refresh(thief.tokens.refresh)) == Code::unauthenticated);
  w.next_step();
  const auto again = w.prove(w.owed(), w.app()).value();
  REQUIRE(w.sessions.verify(again.tokens.access, w.origin()));
  const auto kept = w.factors.state(owner.user())->totp;
  REQUIRE(w.factors.remove(w.permit(RemoveFactor{*kept}, owner)));
  CHECK(code(w.sessions.verify(again.tokens.access, w.origin())) == Code::unauthenticated);
  CHECK(w.session(second));
  CHECK(w.factors.offer_totp(owner, w.email("owner@example.com")));
}

TEST_CASE("factors are reset for somebody of no higher role, with all their sessions, and it is on the record") {
  Factored w;
  const auto owner = w.owner();
  const auto admin_id = w.add(owner, "admin@example.com", Role::admin);
  const auto before = w.sign_in("admin@example.com").value();
  const auto admin = w.session(before).value();
  const auto codes = w.set_up(owner);
  CHECK(code(w.accounts.reset_factors(w.permit(ResetFactors{owner.user()}, admin))) == Code::forbidden);
  CHECK(w.last_entry().find("a member of a higher role") != std::string::npos);
  CHECK(w.factors.state(owner.user())->any());
  w.set_up(admin);
  const auto token = std::get<FactorNeeded>(w.begin_sign_in("admin@example.com").value()).token;
  REQUIRE(w.accounts.reset_factors(w.permit(ResetFactors{admin_id}, owner)));
  CHECK(w.last_entry().find("factor.reset") != std::string::npos);
  CHECK_FALSE(w.factors.state(admin_id)->any());
  CHECK(w.factors.state(admin_id)->recovery_codes == 0);
  CHECK(code(w.session(before)) == Code::unauthenticated);
  CHECK(code(w.refresh(before.tokens.refresh)) == Code::unauthenticated);
  CHECK_FALSE(w.prove(token, w.app(1)));
  CHECK(w.sign_in("admin@example.com"));
  CHECK(code(w.accounts.reset_factors(w.permit(ResetFactors{crypto::random_id<UserId>()}, owner))) == Code::not_found);
  Principal machine;
  machine.source = Source::system;
  REQUIRE(w.accounts.reset_factors(w.permit(ResetFactorsLocally{owner.user()}, machine)));
  CHECK_FALSE(w.factors.state(owner.user())->any());
  CHECK(w.sign_in());
}

TEST_CASE("who has a password takes room of its owner's only, and from one network a part of that") {
  World w;
  w.with_owner();
  const auto person = [](std::uint8_t n) {
    IdBytes id{};
    id.fill(n);
    return Halfway::Person{.user = {UserId{id}, World::email("a@example.com"), "", 1, Instant(0)}, .method = "session.sign_in"};
  };
  Halfway halfway;
  const Instant now = w.clock.now();
  const auto other = halfway.admit(person(2), "192.0.2.1", now), home = halfway.admit(person(1), "192.0.2.1", now);
  for (std::size_t i = 0; i < 2 * Halfway::kMost; ++i) (void)halfway.admit(person(1), "198.51.100.1", now);
  CHECK(halfway.find(home.text, now));
  for (std::size_t i = 0; i < 2 * Halfway::kMost; ++i) (void)halfway.admit(person(1), "10.0.0." + std::to_string(i), now);
  CHECK(halfway.find(other.text, now));
}

TEST_CASE("the second step waits five minutes") {
  Factored w;
  w.set_up(w.owner());
  const auto token = w.owed();
  w.clock.advance(std::chrono::minutes(5));
  CHECK(code(w.prove(token, w.app())) == Code::unauthenticated);
}

TEST_CASE("a recovery code works once, in either spelling, and new ones end the old") {
  Factored w;
  const auto owner = w.owner();
  auto codes = w.set_up(owner);
  CHECK(codes.at(0).size() == 19);
  CHECK(w.prove(w.owed(), codes.at(0)));
  CHECK(code(w.prove(w.owed(), codes.at(0))) == Code::bad_credentials);
  std::string plain;
  for (const char c : codes.at(1))
    if (c != '-') plain += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  CHECK(w.prove(w.owed(), plain));
  CHECK(w.factors.state(owner.user())->recovery_codes == 8);
  const auto renewed = w.factors.renew_codes(w.permit(RenewRecoveryCodes{}, owner)).value();
  CHECK(code(w.prove(w.owed(), codes.at(2))) == Code::bad_credentials);
  CHECK(w.prove(w.owed(), renewed.at(2)));
}

TEST_CASE("of two that were recognised by the same code, one gets in") {
  Factored w;
  const auto owner = w.owner();
  const auto codes = w.set_up(owner);
  w.next_step();
  for (const std::string& given : {w.app(), codes.at(0)}) {
    const auto use = [&] {
      auto tx = w.database->begin_read();
      return w.factors.recognise(tx, owner.user(), given).value().value();
    }();
    REQUIRE(w.prove(w.owed(), given));
    auto tx = w.database->begin_write();
    CHECK(code(Factors::use_up(tx, owner.user(), use)) == Code::bad_credentials);
  }
}

TEST_CASE("without the app there are no recovery codes") {
  Factored w;
  const auto owner = w.owner();
  CHECK(code(w.factors.renew_codes(w.permit(RenewRecoveryCodes{}, owner))) == Code::conflict);
  const auto codes = w.set_up(owner);
  const auto id = *w.factors.state(owner.user())->totp;
  w.add(owner, "second@example.com", Role::viewer);
  const auto second = w.session(w.sign_in("second@example.com").value()).value();
  CHECK(code(w.factors.remove(w.permit(RemoveFactor{id}, second))) == Code::not_found);
  CHECK(w.factors.remove(w.permit(RemoveFactor{id}, owner)));
  CHECK(w.factors.state(owner.user())->recovery_codes == 0);
  CHECK(w.sign_in());
}

TEST_CASE("S10: neither secret nor code is in the database") {
  Factored w;
  const auto owner = w.owner();
  const auto secret = w.factors.offer_totp(owner, w.email("owner@example.com"))->secret;
  w.secret = from_base32(secret);
  const auto codes = w.turn_on(owner, w.app()).value();
  std::string everything;
  for (const auto& file : std::filesystem::directory_iterator(w.folder.path)) {
    if (!file.is_regular_file()) continue;
    std::ifstream in(file.path(), std::ios::binary);
    everything.append(std::istreambuf_iterator<char>(in), {});
  }
  REQUIRE(everything.find("owner@example.com") != std::string::npos);
  std::string raw;
  w.secret.expose(Use::hand_to_client, [&](BytesView b) { raw = text_of(b); });
  for (const std::string& s : {secret, raw, codes.at(0)}) CHECK(everything.find(s) == std::string::npos);
}

TEST_CASE("a data directory from before second factors and memberships is carried over, and its Owner signs in") {
  World w;
  const Folder folder;
  const auto user = crypto::random_id<UserId>();
  const auto open_ledger = [&](storage::Database& db) {
    return audit::Ledger::open(db, w.clock, [&](BytesView b) { return w.keeper->sign(secrets::SigningUse::checkpoint, b); },
                               w.keeper->public_key(secrets::SigningUse::checkpoint)).value();
  };
  {
    const auto db = World::open_database(folder.path, {migrations().front()});
    const auto org = crypto::random_id<OrgId>();
    const auto ledger = open_ledger(*db);
    const auto hash = Passwords(*w.keeper, 4, 1, 1).hash(SecretBytes(kPassword)).value();
    auto tx = db->begin_write();
    REQUIRE(tx.exec("INSERT INTO orgs VALUES (?1, 'Example', ?2)", org, w.clock.now()));
    REQUIRE(tx.exec("INSERT INTO users VALUES (?1, ?2, 'owner@example.com', 'owner', ?3, 1, 1, ?4)", user, org, hash, w.clock.now()));
    auto spent = w.permit(SignIn{World::email("owner@example.com")}, World::anonymous()).spend(w.clock.now());
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
  }
  const auto db = World::open_database(folder.path, migrations());
  const auto ledger = open_ledger(*db);
  Factors factors{*db, *ledger, *w.keeper, w.clock};
  Accounts accounts{*db, *ledger, *w.keeper, factors, w.clock, {.setup_token_file = folder.path + "/setup-token", .bcrypt_cost = 4}};
  const auto step = accounts.sign_in(w.permit(SignIn{World::email("owner@example.com")}, World::anonymous()), SecretBytes(kPassword));
  REQUIRE(step);
  REQUIRE(std::holds_alternative<SignedIn>(*step));
  CHECK(std::get<SignedIn>(*step).person.user == user);
  CHECK(std::get<SignedIn>(*step).person.role == Role::owner);
}

namespace {

struct Stepping : Factored {
  SignedIn in = sign_in().value();
  Session here = session(in).value();
  RecoveryCodes codes = set_up(here);
  Stepping() { clock.advance(std::chrono::minutes(6)); }
  Code step_up(std::string_view with, std::string_view word = kPassword) {
    return code(accounts.step_up(permit(StepUpSession{here.id()}, here), SecretBytes(word), with));
  }
  bool proven() { return verifier.prove(session(in).value()).has_value(); }
};

}  // namespace

TEST_CASE("S14: who has an authenticator app steps up by password and code, and neither alone is enough") {
  Stepping w;
  CHECK(w.step_up("") == Code::invalid);
  CHECK(w.last_entry().find("\"no code\"") != std::string::npos);
  CHECK(w.step_up("000000") == Code::invalid);
  CHECK(w.last_entry().find("\"wrong code\"") != std::string::npos);
  CHECK(w.step_up(w.app(), "wrong password") == Code::invalid);
  CHECK_FALSE(w.proven());
  REQUIRE(w.step_up(w.app()) == kFine);
  CHECK(w.last_entry().find("\"second\":\"totp\"") != std::string::npos);
  CHECK(w.proven());
}

TEST_CASE("S14: a code that stepped somebody up, or signed them in, steps nobody up again; a recovery code counts once") {
  Stepping w;
  const auto used = w.app();
  REQUIRE(w.step_up(used) == kFine);
  CHECK(w.step_up(used) == Code::invalid);
  CHECK(code(w.prove(w.owed(), used)) == Code::bad_credentials);
  w.next_step();
  const auto at_sign_in = w.app();
  REQUIRE(w.prove(w.owed(), at_sign_in));
  CHECK(w.step_up(at_sign_in) == Code::invalid);
  REQUIRE(w.step_up(w.codes.at(0)) == kFine);
  CHECK(w.last_entry().find("\"second\":\"recovery_code\"") != std::string::npos);
  CHECK(w.step_up(w.codes.at(0)) == Code::invalid);
}

TEST_CASE("S16: wrong codes at a step-up and at a sign-in have one budget, and right ones forgive them") {
  Stepping w;
  const auto token = w.owed();
  for (int i = 0; i < 3; ++i) CHECK(w.step_up("000000") == Code::invalid);
  for (int i = 0; i < 2; ++i) CHECK(code(w.prove(token, "000000")) == Code::bad_credentials);
  CHECK(w.step_up(w.app()) == Code::too_many);
  CHECK(code(w.prove(token, w.app())) == Code::too_many);
  REQUIRE(w.step_up(w.codes.at(0)) == kFine);  // 80 bits, which nobody guesses
  REQUIRE(w.step_up(w.app()) == kFine);
}
