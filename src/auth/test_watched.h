// What the tests of new sign-ins and of known devices share: an Owner, sign-ins on devices, and who was told.
#pragma once
#include <catch2/catch_test_macros.hpp>

#include "auth/links.h"
#include "outbox/letter.h"
#include "test_world.h"

namespace caip::auth {

inline constexpr std::string_view kNew = "seven unlikely otters sing";

struct Watched : World {
  Watched() : World(true) { with_owner(); }
  Links links{accounts};
  UserId user(std::string_view who = "owner@example.com") { return accounts.find(email(who))->user; }
  // The token of a link that a letter to that address would carry.
  std::string confirmation(std::string_view address) {
    const UserId me = user();
    auto tx = database->begin_write();
    const auto path = links.mint(tx, {.kind = MailKind::verify_email, .user = me, .address = email(address)}, clock.now(), clock.now()).value();
    auto spent = std::move(permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::verify_email}, anonymous())).spend(clock.now());
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
    return path->substr(path->find('=') + 1);
  }
  void change_to(std::string_view address, const Session& by) {
    const UserId me = user();
    REQUIRE(links.change_email(permit(ChangeEmail{me, email(address)}, by)));
    REQUIRE(links.confirm_new(permit(ConfirmNewEmail{me, email(address)}, by), confirmation(address)));
  }
  Result<SignedIn> in(std::string_view device, std::string address = "192.0.2.1") {
    CAIP_TRY(step, accounts.sign_in(permit(SignIn{email("owner@example.com")}, anonymous(std::move(address))), SecretBytes(kPassword), device));
    return std::get<SignedIn>(std::move(step));
  }
  // Behind the product's back.
  void change(storage::Sql sql, const Session& by) {
    auto tx = database->begin_write();
    (void)tx.exec(sql).value();
    auto spent = permit(SignOut{crypto::random_id<SessionId>()}, by).spend(clock.now()).value();
    REQUIRE(ledger->commit(std::move(tx), std::move(spent)));
  }
  std::int64_t told() { return World::told(EventKind::new_sign_in); }
  std::int64_t letters() { return count("SELECT count(*) FROM letters WHERE kind = 'new_sign_in'"); }
  std::string link_for(const SessionId& session) {
    const UserId me = user();
    auto tx = database->begin_write();
    const auto path = links.mint(tx, {.kind = MailKind::new_sign_in, .user = me, .address = email("owner@example.com"), .about = session.str()}, clock.now(), clock.now()).value();
    auto spent = std::move(permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::new_sign_in}, anonymous())).spend(clock.now());
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
    return path->substr(path->find('=') + 1);
  }
  Code disown(const Session& by, const SessionId& session, std::string_view password = kNew) {
    return code(accounts.disown(permit(DisownSession{session}, by), SecretBytes(password)));
  }
  Result<Receipt<DisownSignIn>> disown(const SessionId& session, std::string_view token) { return links.disown(permit(DisownSignIn{user(), session}, anonymous()), token); }
};

}  // namespace caip::auth
