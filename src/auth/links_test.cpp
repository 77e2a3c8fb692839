#include "auth/links.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "auth/identities.h"
#include "link_rows.h"
#include "outbox/letter.h"
#include "test_identity.h"
#include "test_world.h"

namespace caip::auth {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

struct Mailed : World {
  Mailed() : World(true) { with_owner(); }
  Links links{accounts};
  UserId user() { return accounts.find(email("owner@example.com"))->user; }
  Result<Receipt<RequestPasswordReset>> ask(std::string_view who = "owner@example.com") {
    return links.request_reset(permit(RequestPasswordReset{email(who)}, anonymous()));
  }
  std::int64_t letters() {
    auto tx = database->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM letters", [](const storage::Row& r) { return r.integer(0); }).value().value();
  }
  // As the postman has it made, in a transaction of its own; "" where it is told that nobody needs the letter.
  std::string mint(const outbox::Letter& letter, Instant written) {
    auto tx = database->begin_write();
    const auto path = links.mint(tx, letter, written, clock.now()).value();
    auto spent = std::move(permit(SendMail{crypto::random_id<DeliveryId>(), letter.kind}, anonymous())).spend(clock.now());
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
    return path ? path->substr(path->find('=') + 1) : "";
  }
  std::string reset_link() { return mint({.kind = MailKind::reset_password, .user = user(), .address = email("owner@example.com")}, clock.now()); }
  Result<Receipt<ResetPassword>> reset(std::string_view token, std::string_view password = "five other words altogether") {
    return links.reset(permit(ResetPassword{user()}, anonymous()), token, SecretBytes(password));
  }
};

}  // namespace

TEST_CASE("a reset link lives for half an hour, works once, and is stored as a hash alone") {
  Mailed w;
  const auto token = w.reset_link();
  {
    auto tx = w.database->begin_read();
    const auto row = tx.one<Bytes>("SELECT hash FROM links", [](const storage::Row& r) { return r.blob(0); }).value().value();
    CHECK(row.size() == 32);
  }
  w.clock.advance(minutes(29));
  CHECK(w.links.look_reset(token));
  w.clock.advance(minutes(2));
  CHECK(code(w.links.look_reset(token)) == Code::expired);
  CHECK(code(w.reset(token)) == Code::expired);
  const auto fresh = w.reset_link();
  CHECK(w.reset(fresh));
  CHECK(code(w.reset(fresh)) == Code::expired);
}

TEST_CASE("a newer reset link takes the older one's place, and a reset ends every session") {
  Mailed w;
  const auto in = w.sign_in().value();
  const auto older = w.reset_link(), newer = w.reset_link();
  CHECK(code(w.reset(older)) == Code::expired);
  CHECK(w.session(in));
  CHECK(w.reset(newer));
  CHECK(code(w.session(in)) == Code::unauthenticated);
  CHECK(code(w.sign_in()) == Code::bad_credentials);
  CHECK(w.sign_in("owner@example.com", "five other words altogether"));
}

namespace {

// An account that the owner made for somebody, and whatever they put into it before its person comes.
struct Planted : Mailed {
  Identities identities{*database, *ledger, clock, notices};
  Session owner = session(sign_in().value()).value();
  UserId victim = add(owner, "victim@example.com", Role::viewer);
  SignedIn maker_in = sign_in("victim@example.com").value();
  Session maker = session(maker_in).value();
  Planted() { REQUIRE(link(maker, "the maker's")); }
  Result<Receipt<LinkIdentity>> link(const Session& s, const char* subject) {
    return identities.link(permit(LinkIdentity{crypto::random_id<IdentityId>(), "google"}, s), google(subject));
  }
  Result<Receipt<ResetPassword>> reset_victim(std::string_view password) {
    const auto token = mint({.kind = MailKind::reset_password, .user = victim, .address = address()}, clock.now());
    return links.reset(permit(ResetPassword{victim}, anonymous()), token, SecretBytes(password));
  }
  Email address() const { return row()->email; }
  std::optional<UserRow> row() const {
    auto tx = database->begin_read();
    return user_by_id(tx, victim).value();
  }
  std::string confirmation(std::string_view address) {
    const auto token = mint({.kind = MailKind::verify_email, .user = victim, .address = email(address)}, clock.now());
    const auto seen = links.look_confirmation(token);
    REQUIRE(seen);
    new_password_said = seen->anew;
    return token;
  }
  Result<Receipt<ConfirmEmail>> confirm(std::string_view address) {
    return links.confirm(permit(ConfirmEmail{victim, email(address)}, anonymous()), confirmation(address));
  }
  bool new_password_said = false;
  Code enters(const char* subject) {
    return code(accounts.sign_in_with(permit(SignInWith{"google", Foreign(subject)}, anonymous()), google(subject)));
  }
  // Nothing that the maker knows or put in lets them in.
  void check_maker_is_out(std::string_view address = "victim@example.com") {
    CHECK(identities.methods(victim)->identities.empty());
    CHECK(enters("the maker's") == Code::forbidden);
    CHECK(code(session(maker_in)) == Code::unauthenticated);
    CHECK(code(sign_in(address)) == Code::bad_credentials);
  }
  std::int64_t letters_of(MailKind kind, std::string_view to) {
    auto tx = database->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE kind = ?1 AND address = ?2", text(kind), to, [](const storage::Row& r) { return r.integer(0); }).value().value();
  }
};

}  // namespace

TEST_CASE("what somebody put into an account that they made goes with the first reset by its mailbox, and nothing with the next") {
  Planted w;
  REQUIRE(w.reset_victim("five other words altogether"));
  w.check_maker_is_out();
  const auto theirs = w.session(w.sign_in("victim@example.com", "five other words altogether").value()).value();
  REQUIRE(w.link(theirs, "their own"));
  REQUIRE(w.reset_victim("and six more words than that"));
  CHECK(w.identities.methods(w.victim)->identities.size() == 1);
}

TEST_CASE("a maker who has the victim confirm the address keeps no way in: neither password nor account, and a letter leads to a password") {
  Planted w;
  REQUIRE(w.confirm("victim@example.com"));
  CHECK(w.new_password_said);
  CHECK(w.last_entry().find("\"emptied\":true") != std::string::npos);
  w.check_maker_is_out();
  CHECK(w.letters_of(MailKind::reset_password, "victim@example.com") == 1);
  REQUIRE(w.reset_victim("five other words altogether"));
  const auto theirs = w.session(w.sign_in("victim@example.com", "five other words altogether").value()).value();
  REQUIRE(w.link(theirs, "their own"));
  REQUIRE(w.confirm("victim@example.com"));  // again: it is theirs by now
  CHECK_FALSE(w.new_password_said);
  CHECK(w.enters("their own") == kFine);
}

TEST_CASE("nor by giving an account that they made the victim's address, whose confirmation cannot be undone by the address before") {
  Planted w;
  REQUIRE(w.links.change_email(w.permit(ChangeEmail{w.victim, World::email("real@example.com")}, w.maker)));
  REQUIRE(w.links.confirm_new(w.permit(ConfirmNewEmail{w.victim, World::email("real@example.com")}, w.maker), w.confirmation("real@example.com")));
  CHECK(w.new_password_said);
  w.check_maker_is_out("real@example.com");
  CHECK(w.letters_of(MailKind::reset_password, "real@example.com") == 1);
  const auto undo = w.mint({.kind = MailKind::account_changed, .user = w.victim, .address = World::email("victim@example.com"), .about = w.maker.id().str()}, w.clock.now());
  (void)w.links.disown(w.permit(DisownSignIn{w.victim, w.maker.id()}, World::anonymous()), undo);
  CHECK(w.row()->email.str() == "real@example.com");
}

TEST_CASE("nobody's click gives an account their address: the account that asked for it does, signed in, and no other") {
  Planted w;
  REQUIRE(w.links.change_email(w.permit(ChangeEmail{w.victim, World::email("real@example.com")}, w.maker)));
  const auto link = w.confirmation("real@example.com");
  CHECK(code(w.links.confirm(w.permit(ConfirmEmail{w.victim, World::email("real@example.com")}, World::anonymous()), link)) == Code::unauthenticated);
  CHECK(w.row()->email.str() == "victim@example.com");
  const auto another = w.session(w.sign_in().value()).value();
  REQUIRE(w.links.change_email(w.permit(ChangeEmail{another.user(), World::email("real@example.com")}, another)));  // wants the same one
  CHECK(code(w.links.confirm_new(w.permit(ConfirmNewEmail{another.user(), World::email("real@example.com")}, another), link)) == Code::expired);
  CHECK(w.row()->email.str() == "victim@example.com");
  CHECK(w.links.confirm_new(w.permit(ConfirmNewEmail{w.victim, World::email("real@example.com")}, w.maker), link));  // what was refused used nothing up
  CHECK(w.row()->email.str() == "real@example.com");
}

TEST_CASE("an account whose mailbox has shown itself keeps what is in it, also when its address is taken back") {
  Planted w;
  REQUIRE(w.reset_victim("five other words altogether"));
  const auto in = w.sign_in("victim@example.com", "five other words altogether").value();
  REQUIRE(w.link(w.session(in).value(), "their own"));
  {  // as an address that was taken back leaves it
    auto tx = w.database->begin_write();
    REQUIRE(tx.exec("UPDATE users SET verified = NULL WHERE id = ?1", w.victim));
    auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::verify_email}, World::anonymous())).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  }
  REQUIRE(w.reset_victim("and six more words than that"));
  CHECK(w.identities.methods(w.victim)->identities.size() == 1);
}

TEST_CASE("a letter in ten minutes goes to an account, and other requests are answered like that one") {
  Mailed w;
  for (int n = 0; n < 5; ++n) CHECK(w.ask());
  CHECK(w.letters() == 1);
  CHECK(w.ask("nobody@example.com"));
  CHECK(w.letters() == 1);
  w.clock.advance(minutes(10));
  CHECK(w.ask());
  CHECK(w.letters() == 2);
}

TEST_CASE("what strangers can have written by asking for resets is limited for the whole installation") {
  Mailed w;
  int taken = 0;
  for (int n = 0; n < 700; ++n) taken += w.ask("nobody" + std::to_string(n) + "@example.com") ? 1 : 0;
  CHECK(taken == static_cast<int>(kResets.burst));
}

TEST_CASE("a letter that waited too long, or went to an address of before, gets no link") {
  Mailed w;
  const outbox::Letter letter{.kind = MailKind::reset_password, .user = w.user(), .address = World::email("owner@example.com")};
  const Instant written = w.clock.now();
  w.clock.advance(hours(2));
  CHECK(w.mint(letter, written).empty());
  const outbox::Letter elsewhere{.kind = MailKind::reset_password, .user = w.user(), .address = World::email("before@example.com")};
  CHECK(w.mint(elsewhere, w.clock.now()).empty());
  const outbox::Letter unwanted{.kind = MailKind::verify_email, .user = w.user(), .address = World::email("other@example.com")};
  CHECK(w.mint(unwanted, w.clock.now()).empty());
}

TEST_CASE("without mail, what needs it says what to do") {
  World w;
  w.with_owner();
  Links links(w.accounts);
  const auto refused = links.request_reset(w.permit(RequestPasswordReset{World::email("owner@example.com")}, World::anonymous()));
  REQUIRE(code(refused) == Code::unavailable);
  CHECK(refused.error().detail.contains("[mail]"));
}

TEST_CASE("a link of one purpose does nothing for another") {
  Mailed w;
  const auto token = w.reset_link();
  CHECK(code(w.links.look_confirmation(token)) == Code::expired);
  CHECK(code(w.links.confirm(w.permit(ConfirmEmail{w.user(), World::email("owner@example.com")}, World::anonymous()), token)) == Code::expired);
  CHECK(w.links.look_reset(token));
}

}  // namespace caip::auth
