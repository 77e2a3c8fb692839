// Devices and places that a person has not been at before, and what happens when they say that it was not them.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "auth/api_tokens.h"
#include "auth/identities.h"
#include "auth/invitations.h"
#include "auth/links.h"
#include "crypto/totp.h"
#include "outbox/letter.h"
#include "test_identity.h"
#include "test_watched.h"

namespace caip::auth {

TEST_CASE("the first sign-in of an account is nothing new, and neither is its device at its place") {
  Watched w;
  const auto first = w.in("").value();
  CHECK(w.told() == 0);
  const auto again = w.in(first.device).value();
  CHECK(again.device == first.device);
  CHECK(w.told() == 0);
  CHECK(w.letters() == 0);
}

TEST_CASE("a device that is not known, and a place where nobody was, are told in the transaction of the sign-in") {
  Watched w;
  const auto first = w.in("").value();
  const auto other = w.in("").value();
  CHECK(w.told() == 1);
  CHECK(w.letters() == 1);
  CHECK(w.last_entry().contains("\"new_device\":true"));
  REQUIRE(w.in(first.device, "198.51.100.7"));
  CHECK(w.told() == 2);
  CHECK(w.last_entry().contains("\"new_place\":true"));
  REQUIRE(w.in(first.device, "198.51.7.7"));  // the same /16
  REQUIRE(w.in(other.device));
  CHECK(w.told() == 2);
  CHECK(w.letters() == 2);
}

TEST_CASE("somebody else's device is no known one") {
  Watched w;
  const auto first = w.in("").value();
  w.add(w.session(first).value(), "other@example.com", Role::member);
  const auto theirs = w.sign_in("other@example.com").value();
  const auto before = w.told();
  REQUIRE(w.in(theirs.device));
  CHECK(w.told() == before + 1);
}

TEST_CASE("the first sign-in of an account that somebody else made is told: they know its first password") {
  Watched w;
  w.add(w.session(w.in("").value()).value(), "other@example.com", Role::member);
  const auto first = w.sign_in("other@example.com").value();
  CHECK(w.told() == 1);
  CHECK(w.count("SELECT count(*) FROM letters WHERE kind = 'new_sign_in' AND address = 'other@example.com'") == 1);
  REQUIRE(w.accounts.sign_in(w.permit(SignIn{World::email("other@example.com")}, World::anonymous()), SecretBytes(kPassword), first.device));
  CHECK(w.told() == 1);
}

TEST_CASE("a sign-in that was not me: every session ends, the password lets nobody in, what was added since goes") {
  Watched w;
  const auto mine = w.in("").value();
  w.clock.advance(std::chrono::hours(1));
  const auto thief = w.in("", "198.51.100.7").value();
  ApiTokens tokens(w.accounts);
  const auto session = w.session(thief).value();
  REQUIRE(tokens.create(w.permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("thief").value(), {}, w.clock.now() + std::chrono::hours(9)}, session), {}));
  const auto offer = w.factors.offer_totp(session, World::email("owner@example.com")).value();
  const auto code_now = crypto::totp_code(from_base32(offer.secret), crypto::totp_step(w.clock.now()));
  REQUIRE(w.factors.add_totp(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, session), code_now));
  const auto token = w.link_for(thief.session);
  const auto shown = w.links.look_sign_in(token).value();
  CHECK(shown.address == "198.51.100.7");
  REQUIRE(w.disown(thief.session, token));
  CHECK(code(w.session(mine)) == Code::unauthenticated);
  CHECK(code(w.session(thief)) == Code::unauthenticated);
  CHECK(code(w.in(mine.device)) == Code::bad_credentials);
  CHECK_FALSE(w.factors.state(w.user())->any());
  CHECK(w.count("SELECT count(*) FROM api_tokens WHERE ended IS NULL") == 0);
  CHECK(w.count("SELECT count(*) FROM recovery_codes") == 0);
  CHECK(w.count("SELECT count(*) FROM letters WHERE kind = 'reset_password'") == 1);
  CHECK(w.count("SELECT count(*) FROM notices WHERE kind = 'member.disabled'") == 1);
  CHECK(code(w.disown(thief.session, token)) == Code::expired);
}

TEST_CASE("this was not me, said by whoever is signed in: all sessions end, what that one added goes, and the new password counts at once") {
  Watched w;
  const auto mine = w.in("").value();
  w.clock.advance(std::chrono::minutes(5));
  const auto thief = w.in("", "198.51.100.7").value();
  ApiTokens tokens(w.accounts);
  REQUIRE(tokens.create(w.permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("thief").value(), {}, w.clock.now() + std::chrono::hours(9)}, w.session(thief).value()), {}));
  const auto before = w.told();
  REQUIRE(w.disown(w.session(mine).value(), thief.session) == kFine);
  CHECK(w.last_entry().find("\"undone\":[\"token tok_") != std::string::npos);
  CHECK(w.last_entry().find("\"new_password\":true") != std::string::npos);
  CHECK(code(w.session(mine)) == Code::unauthenticated);
  CHECK(code(w.session(thief)) == Code::unauthenticated);
  CHECK(code(w.in(mine.device)) == Code::bad_credentials);
  CHECK(w.count("SELECT count(*) FROM api_tokens WHERE ended IS NULL") == 0);
  CHECK(w.count("SELECT count(*) FROM notices WHERE kind = 'member.disabled'") == 1);
  CHECK(w.count("SELECT count(*) FROM letters WHERE kind = 'reset_password'") == 0);  // nobody has to wait for one
  const auto again = [&](std::string_view device) {
    return w.accounts.sign_in(w.permit(SignIn{World::email("owner@example.com")}, World::anonymous()), SecretBytes(kNew), device);
  };
  REQUIRE(again(mine.device));
  CHECK(w.told() == before);
  REQUIRE(again(thief.device));
  CHECK(w.told() == before + 1);  // that device is not known any more
}

TEST_CASE("a session disowns another one of its own person's, once, with a password that the thief does not know") {
  Watched w;
  const auto mine = w.in("").value();
  const auto session = w.session(mine).value();
  w.add(session, "other@example.com", Role::member);
  const auto theirs = w.sign_in("other@example.com").value();
  const auto thief = w.in("", "198.51.100.7").value();
  CHECK(w.disown(session, theirs.session) == Code::not_found);
  CHECK(w.last_entry().find("not a session of theirs") != std::string::npos);
  CHECK(w.disown(session, crypto::random_id<SessionId>()) == Code::not_found);
  CHECK(w.disown(session, thief.session, "") == Code::invalid);
  CHECK(w.disown(session, thief.session, "short") == Code::invalid);
  CHECK(w.disown(session, thief.session, kPassword) == Code::invalid);
  CHECK(w.session(thief));  // nothing has happened yet
  REQUIRE(w.session(theirs));
  REQUIRE(w.accounts.end_session(w.permit(EndSession{thief.session}, session)));
  REQUIRE(w.disown(session, thief.session) == kFine);  // an ended one, too: what it added is there still
  CHECK(w.session(theirs));
  CHECK(w.disown(session, thief.session, "another nine purple boats") != kFine);  // of a session that has ended
  CHECK_FALSE(w.accounts.sign_in(w.permit(SignIn{World::email("owner@example.com")}, World::anonymous()), SecretBytes(std::string_view("another nine purple boats")), ""));
}

TEST_CASE("who has no password disowns without one as long as another way in is left, and is locked out by nothing") {
  Watched w;
  Identities identities(*w.database, *w.ledger, w.clock, w.notices);
  const auto mine = w.in("").value();
  const auto session = w.session(mine).value();
  const auto link = [&](std::string subject) {
    const auto id = crypto::random_id<IdentityId>();
    REQUIRE(identities.link(w.permit(LinkIdentity{id, "google"}, session), google(std::move(subject))));
    return id;
  };
  const auto enter = [&](std::string subject) {
    const auto who = google(std::move(subject));
    return std::get<Entered<SignInWith>>(w.accounts.sign_in_with(w.permit(SignInWith{"google", Foreign(who.subject())}, World::anonymous()), who).value());
  };
  const auto only = link("1");
  w.change("UPDATE users SET password = '' WHERE email = 'owner@example.com'", session);
  const auto thief = enter("1");
  CHECK(w.disown(session, thief.session, "") == Code::invalid);  // it took the only way in
  CHECK(identities.methods(w.user())->identities.size() == 1);
  (void)link("2");
  REQUIRE(w.disown(session, thief.session, "") == kFine);
  CHECK(w.last_entry().find("\"new_password\":false") != std::string::npos);
  CHECK(identities.methods(w.user())->identities.size() == 1);
  CHECK(enter("2").person.user == w.user());
  CHECK(only.str() != identities.methods(w.user())->identities.front().id.str());
}

TEST_CASE("after that the thief's device is not known, though it has its token, and neither is the place") {
  Watched w;
  const auto mine = w.in("").value();
  w.clock.advance(std::chrono::hours(1));
  const auto thief = w.in("", "198.51.100.7").value();
  REQUIRE(w.disown(thief.session, w.link_for(thief.session)));
  CHECK(w.count("SELECT count(*) FROM users WHERE password = ''") == 1);
  const UserId user = w.user();
  auto tx = w.database->begin_write();
  const auto reset = w.links.mint(tx, {.kind = MailKind::reset_password, .user = user, .address = World::email("owner@example.com")}, w.clock.now(), w.clock.now()).value();
  auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::reset_password}, World::anonymous())).spend(w.clock.now());
  REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  REQUIRE(w.links.reset(w.permit(ResetPassword{w.user()}, World::anonymous()), reset->substr(reset->find('=') + 1), SecretBytes(kPassword)));
  const auto before = w.told();
  REQUIRE(w.in(mine.device));
  CHECK(w.told() == before);
  REQUIRE(w.in(thief.device, "198.51.100.7"));
  CHECK(w.told() == before + 1);
}

TEST_CASE("an address that the thief has changed meanwhile is the person's own again") {
  Watched w;
  (void)w.in("").value();
  const auto thief = w.in("", "198.51.100.7").value();
  const auto token = w.link_for(thief.session);
  const auto session = w.session(thief).value();
  REQUIRE(w.links.change_email(w.permit(ChangeEmail{w.user(), World::email("thief@example.com")}, session)));
  const UserId user = w.user();
  auto tx = w.database->begin_write();
  const auto path = w.links.mint(tx, {.kind = MailKind::verify_email, .user = user, .address = World::email("thief@example.com")}, w.clock.now(), w.clock.now()).value();
  auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::verify_email}, World::anonymous())).spend(w.clock.now());
  REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  REQUIRE(w.links.confirm_new(w.permit(ConfirmNewEmail{user, World::email("thief@example.com")}, session), path->substr(path->find('=') + 1)));
  REQUIRE(w.accounts.find(World::email("thief@example.com")));
  REQUIRE(w.links.disown(w.permit(DisownSignIn{user, thief.session}, World::anonymous()), token));
  CHECK(w.accounts.find(World::email("owner@example.com")));
  CHECK_FALSE(w.accounts.find(World::email("thief@example.com")));
  auto reader = w.database->begin_read();  // and the address that it leaves is told, whoever reads the mail there
  CHECK(reader.one<std::int64_t>("SELECT count(*) FROM letters WHERE address = 'thief@example.com' AND subject LIKE '%of before again%'", [](const storage::Row& r) { return r.integer(0); }).value() == 1);
}

TEST_CASE("disowned in the app, an address that changed this week is taken back, unconfirmed, and told at both; an older one stays") {
  const auto days = GENERATE(6, 8);
  Watched w;
  (void)w.in("").value();
  const auto thief = w.in("", "198.51.100.7").value();
  w.change_to("new@example.com", w.session(thief).value());
  w.clock.advance(std::chrono::hours(24 * days));
  const auto again = [&](std::string_view who) { return w.session(w.sign_in(who).value()).value(); };
  const auto by = again("new@example.com");
  REQUIRE(w.disown(by, thief.session) == kFine);
  CHECK(w.accounts.find(World::email("owner@example.com")).has_value() == (days == 6));
  CHECK(w.count("SELECT count(*) FROM users WHERE email = 'owner@example.com' AND verified IS NULL") == (days == 6 ? 1 : 0));
  CHECK(w.count("SELECT count(*) FROM letters WHERE address = 'new@example.com' AND subject LIKE '%a sign-in was disowned%'") == 1);
  CHECK(w.count("SELECT count(*) FROM letters WHERE address = 'owner@example.com' AND subject LIKE '%a sign-in was disowned%'") == (days == 6 ? 1 : 0));
}

TEST_CASE("the letter about a sign-in that was disowned in the app disowns the session that did it") {
  Watched w;
  const auto mine = w.in("").value();
  const auto thief = w.in("", "198.51.100.7").value();
  REQUIRE(w.disown(w.session(thief).value(), mine.session) == kFine);
  auto tx = w.database->begin_read();
  const auto about = tx.one<std::string>("SELECT about FROM letters WHERE subject LIKE '%a sign-in was disowned%'", [](const storage::Row& r) { return r.text(0); }).value();
  CHECK(about == thief.session.str());
}

TEST_CASE("what another session added stays: who reads the mail takes no second factor off an account by disowning") {
  Watched w;
  const auto early = w.in("").value();
  const auto session = w.session(early).value();
  w.clock.advance(std::chrono::hours(1));
  const auto mine = w.in("", "198.51.100.7").value();  // a new device of one's own: a letter was sent
  const auto token = w.link_for(mine.session);
  const auto offer = w.factors.offer_totp(session, World::email("owner@example.com")).value();
  const auto code_now = crypto::totp_code(from_base32(offer.secret), crypto::totp_step(w.clock.now()));
  REQUIRE(w.factors.add_totp(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, session), code_now));
  REQUIRE(w.disown(mine.session, token));
  CHECK(w.factors.state(w.user())->any());
  CHECK(w.count("SELECT count(*) FROM recovery_codes") > 0);
}

TEST_CASE("what came in by something that the disowned session added goes, too") {
  Watched w;
  (void)w.in("").value();
  w.clock.advance(std::chrono::hours(1));
  const auto thief = w.in("", "198.51.100.7").value();
  ApiTokens tokens(w.accounts);
  w.clock.advance(std::chrono::hours(1));
  const auto again = w.in(thief.device, "198.51.100.7").value();  // a known device by now: nothing is told
  CHECK(w.told() == 1);
  REQUIRE(tokens.create(w.permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("later").value(), {}, w.clock.now() + std::chrono::hours(9)}, w.session(again).value()), {}));
  REQUIRE(w.disown(thief.session, w.link_for(thief.session)));
  CHECK(w.count("SELECT count(*) FROM api_tokens WHERE ended IS NULL") == 0);
}

TEST_CASE("the old mailbox does not take an address back that its person has left") {
  Watched w;
  const auto session = w.session(w.in("").value()).value();
  w.clock.advance(std::chrono::hours(1));
  const auto laptop = w.in("", "198.51.100.7").value();
  const auto token = w.link_for(laptop.session);
  w.change_to("new@example.com", session);
  REQUIRE(w.links.disown(w.permit(DisownSignIn{w.user("new@example.com"), laptop.session}, World::anonymous()), token));
  CHECK(w.accounts.find(World::email("new@example.com")));
  CHECK_FALSE(w.accounts.find(World::email("owner@example.com")));
  CHECK(w.count("SELECT count(*) FROM letters WHERE kind = 'reset_password' AND address = 'new@example.com'") == 1);
  CHECK(w.count("SELECT count(*) FROM letters WHERE kind = 'account_changed' AND address = 'owner@example.com' AND subject LIKE 'a sign-in was disowned%'") == 1);
}

TEST_CASE("a wish for another address ends with the session that had it, with a new password, and by being taken back") {
  Watched w;
  for (const int how : {0, 1, 2, 3}) {
    CAPTURE(how);
    const auto thief = w.in("").value();
    const auto mine = w.in("").value();
    const auto session = w.session(thief).value(), own = w.session(mine).value();
    const auto address = "thief" + std::to_string(how) + "@example.com";
    REQUIRE(w.links.change_email(w.permit(ChangeEmail{w.user(), World::email(address)}, session)));
    const auto link = w.confirmation(address);
    if (how == 0) REQUIRE(w.accounts.end_session(w.permit(EndSession{thief.session}, own)));
    if (how == 1) REQUIRE(w.accounts.end_other_sessions(w.permit(EndOtherSessions{own.id()}, own)));
    if (how == 2) REQUIRE(w.links.change_email(w.permit(ChangeEmail{w.user(), World::email("owner@example.com")}, own)));
    if (how == 3) REQUIRE(w.accounts.change_password(w.permit(ChangePassword{w.user()}, own), SecretBytes("plum tractor seventeen gull")));
    CHECK(code(w.links.confirm_new(w.permit(ConfirmNewEmail{w.user(), World::email(address)}, own), link)) == Code::expired);
    CHECK(w.accounts.find(World::email("owner@example.com")));
    w.clock.advance(std::chrono::hours(2));
  }
}

TEST_CASE("who disowns a sign-in ends what it began in the person's name: invitations, too") {
  Watched w;
  (void)w.in("").value();
  w.clock.advance(std::chrono::hours(1));
  const auto thief = w.in("", "198.51.100.7").value();
  Invitations invitations(w.accounts);
  const auto made = invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email("thief@example.com"), Role::owner}, w.session(thief).value()), std::chrono::hours(24)).value();
  const auto state = [&] { return invitations.list(made.invitation.org, {})->items.front().state; };
  REQUIRE(state() == InvitationState::open);
  REQUIRE(w.disown(thief.session, w.link_for(thief.session)));
  CHECK(state() == InvitationState::revoked);
}

TEST_CASE("a person's own events are in no channel of an organisation") {
  Watched w;
  (void)w.in("").value();
  {
    auto tx = w.database->begin_write();
    REQUIRE(tx.exec("INSERT INTO notify_channels (id, org, kind, name, config, min_severity, events, verified, version, created) SELECT 'nch_1', id, 'slack', 'all', '{}', 0, '', 1, 1, 1 FROM orgs"));
    auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::new_sign_in}, World::anonymous())).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  }
  REQUIRE(w.in("", "198.51.100.7"));
  CHECK(w.told() == 1);
  CHECK(w.count("SELECT count(*) FROM deliveries") == 0);
}

TEST_CASE("strangers who ask for resets leave its person a link that lives, at any time") {
  Watched w;
  const auto ask = [&] { REQUIRE(w.links.request_reset(w.permit(RequestPasswordReset{World::email("owner@example.com")}, World::anonymous()))); };
  Instant newest = w.clock.now();
  std::int64_t letters = 0;
  for (int minute = 0; minute < 180; ++minute) {
    ask();
    const auto now = w.count("SELECT count(*) FROM letters WHERE kind = 'reset_password'");
    if (now > letters) newest = w.clock.now();
    letters = now;
    CHECK(w.clock.now() - newest < kResetLifetime + std::chrono::minutes(2));
    w.clock.advance(std::chrono::minutes(1));
  }
  CHECK(letters <= 18);
}

TEST_CASE("the letter to an address of before is its person's alone: no organisation sees it among dead ones") {
  Watched w;
  w.change_to("new@example.com", w.session(w.in("").value()).value());
  CHECK(w.count("SELECT count(*) FROM letters WHERE address = 'owner@example.com' AND subject LIKE 'its address is new@example.com%' AND org IS NULL") == 1);
  CHECK(w.count("SELECT count(*) FROM letters WHERE address = 'owner@example.com' AND subject LIKE 'its address is%' AND org IS NOT NULL") == 0);
}

TEST_CASE("a data directory from before places were kept tells nothing at its first sign-in on a known device") {
  Watched w;
  const auto first = w.in("").value();
  auto tx = w.database->begin_write();
  REQUIRE(tx.exec("DELETE FROM seen_places"));
  auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::new_sign_in}, World::anonymous())).spend(w.clock.now());
  REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  REQUIRE(w.in(first.device, "198.51.100.7"));
  CHECK(w.told() == 0);
}

}  // namespace caip::auth
