#include "auth/endings.h"

#include <catch2/catch_test_macros.hpp>

#include "auth/api_tokens.h"
#include "auth/team.h"
#include "outbox/letter.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

constexpr Duration kWeek = kEndingGrace;

struct Ends : World {
  Team team{accounts};
  ApiTokens tokens{accounts};
  Endings endings{accounts, kEndingGrace};
  SignedIn owner_in = (with_owner(), sign_in().value());
  Session first = session(owner_in).value();
  OrgId second = found();
  Session there = go();

  explicit Ends(bool mail = false) : World(mail) {}
  OrgId found() {
    const auto org = crypto::random_id<OrgId>();
    (void)team.create(permit(CreateOrganization{org, OrgName::parse("Second").value()}, first)).value();
    clock.advance(std::chrono::seconds(1));
    return org;
  }
  Session go() {
    const auto in = team.switch_to(permit(SwitchOrganization{first.id(), second}, first)).value();
    return sessions.verify(in.tokens.access, origin()).value();
  }
  Result<Receipt<DeleteOrganization>> plan(std::string_view typed = "Second") {
    return endings.plan(permit(DeleteOrganization{second}, there), OrgName::parse(typed).value());
  }
  Result<Receipt<ShredOrganization>> end() {
    Principal system;
    system.source = Source::system;
    system.org = second;
    return endings.end(permit(ShredOrganization{second}, system));
  }
  void show_mailbox(std::string_view address) {
    auto tx = database->begin_write();
    REQUIRE(tx.exec("UPDATE users SET verified = ?2 WHERE email = ?1", address, clock.now()));
    auto spent = std::move(permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::verify_email}, anonymous())).spend(clock.now());
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
  }
  std::int64_t rows(storage::Sql sql) {
    auto tx = database->begin_read();
    return tx.one<std::int64_t>(sql, second, [](const storage::Row& r) { return r.integer(0); }).value().value();
  }
};

}  // namespace

TEST_CASE("an organisation ends a week after it was asked for, and not before") {
  Ends w;
  REQUIRE(w.plan());
  CHECK(w.endings.planned_for(w.there)->at(w.second) == w.clock.now() + kWeek);
  CHECK(w.told(EventKind::organization_ends, "will be deleted") == 1);
  w.clock.advance(kWeek - std::chrono::seconds(1));
  CHECK(w.endings.due()->empty());
  CHECK(code(w.end()) == Code::conflict);
  CHECK(w.rows("SELECT count(*) FROM memberships WHERE org = ?1") == 1);
  w.clock.advance(std::chrono::seconds(1));
  CHECK(w.endings.due().value() == std::vector{w.second});
  REQUIRE(w.end());
  CHECK(w.endings.due()->empty());
  CHECK(code(w.end()) == Code::conflict);  // once
  CHECK(w.logged(w.second, "organization.shred") == 1);
}

TEST_CASE("any Owner takes the date back until it has come") {
  Ends w;
  CHECK(code(w.endings.restore(w.permit(RestoreOrganization{w.second}, w.there))) == Code::conflict);
  CHECK(w.logged(w.second, "organization.restore", "blocked") == 1);
  REQUIRE(w.plan());
  CHECK(code(w.plan()) == Code::conflict);  // one date
  CHECK(w.logged(w.second, "organization.delete", "blocked") == 1);
  REQUIRE(w.endings.restore(w.permit(RestoreOrganization{w.second}, w.there)));
  CHECK(w.endings.planned_for(w.there)->empty());
  CHECK(w.told(EventKind::organization_ends, "restored") == 1);
  CHECK(code(w.plan()) == Code::too_many);  // not in a loop: each time every Owner is written to
  w.clock.advance(std::chrono::hours(1));
  REQUIRE(w.plan());  // and another time
  REQUIRE(w.endings.restore(w.permit(RestoreOrganization{w.second}, w.there)));
  w.clock.advance(kWeek);
  CHECK(w.endings.due()->empty());
  CHECK(code(w.end()) == Code::conflict);
}

TEST_CASE("the name has to be typed, and the organisation that runs the installation does not end") {
  Ends w;
  CHECK(code(w.plan("second")) == Code::invalid);
  CHECK(w.logged(w.second, "organization.delete", "blocked") == 1);
  CHECK(w.endings.planned_for(w.there)->empty());
  const auto back = w.sessions.verify(w.team.switch_to(w.permit(SwitchOrganization{w.there.id(), w.first.org()}, w.there))->tokens.access, w.origin()).value();
  CHECK(code(w.endings.plan(w.permit(DeleteOrganization{back.org()}, back), OrgName::parse("Example").value())) == Code::conflict);
  CHECK(w.logged(back.org(), "organization.delete", "blocked") == 1);
  CHECK(w.endings.planned_for(back)->empty());
}

TEST_CASE("one that cannot end is told once to its people, tried again ever more seldom, and ends when it can") {
  Ends w;
  REQUIRE(w.plan());
  w.clock.advance(kWeek);
  bool broken = true;
  w.endings.with({[&](storage::WriteTx&, const OrgId&) -> Result<std::function<void()>> {
    if (broken) return fail(Code::storage_failed, "a row is damaged");
    return [] {};
  }});
  const auto fails = [&] {
    REQUIRE(w.endings.due().value() == std::vector{w.second});
    const auto ended = w.end();
    REQUIRE(code(ended) == Code::storage_failed);
    Principal system;
    system.source = Source::system;
    system.org = w.second;
    REQUIRE(w.endings.not_ended(w.permit(ShredOrganization{w.second}, system), ended.error().code));
    CHECK(w.endings.due()->empty());
  };
  for (int seconds = 1; seconds <= 64; seconds *= 2) {
    fails();
    w.clock.advance(std::chrono::seconds(seconds) - std::chrono::milliseconds(1));
    CHECK(w.endings.due()->empty());
    w.clock.advance(std::chrono::milliseconds(1));
  }
  CHECK(w.told(EventKind::organization_ends, "could not be deleted (storage_failed)") == 1);
  CHECK(w.logged(w.second, "organization.shred", "failed") == 1);
  CHECK(w.rows("SELECT count(*) FROM memberships WHERE org = ?1") == 1);
  for (int i = 0; i < 10; ++i) {
    fails();
    w.clock.advance(std::chrono::hours(1));
  }
  broken = false;
  REQUIRE(w.end());
}

TEST_CASE("with an organisation go its memberships, invitations, tokens and sessions, and people keep their accounts and their others") {
  Ends w;
  const UserId member = w.add(w.there, "member@example.com", Role::member);
  const auto made = w.tokens.create(w.permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("ci").value(), PermissionSet().add(Permission::server_view),
                                                         w.clock.now() + std::chrono::hours(24 * 30)}, w.there), {}).value();
  CHECK(w.endings.belongings(w.second)->members == 2);
  CHECK(w.endings.belongings(w.second)->tokens == 1);
  REQUIRE(w.plan());
  w.clock.advance(kWeek);
  const auto in_it = w.session(w.sign_in().value()).value();
  std::vector<OrgId> shares;
  w.endings.with({[&](storage::WriteTx&, const OrgId& org) -> Result<std::function<void()>> {
    return [&shares, org] { shares.push_back(org); };
  }});
  REQUIRE(w.end());
  CHECK(shares == std::vector{w.second});
  for (const storage::Sql sql : {storage::Sql("SELECT count(*) FROM memberships WHERE org = ?1"), storage::Sql("SELECT count(*) FROM api_tokens WHERE org = ?1"),
                                 storage::Sql("SELECT count(*) FROM invitations WHERE org = ?1"), storage::Sql("SELECT count(*) FROM sessions WHERE org = ?1")})
    CHECK(w.rows(sql) == 0);
  CHECK(code(w.sessions.verify(w.owner_in.tokens.access, w.origin())) == Code::unauthenticated);
  CHECK(code(w.accounts.person(in_it)) == Code::unauthenticated);
  CHECK(w.sign_in()->person.org == w.first.org());
  CHECK(code(w.sign_in("member@example.com")) == Code::forbidden);  // belongs to none, and is told so
  CHECK(w.accounts.find(w.email("member@example.com")).has_value() == false);
  static_cast<void>(member);
  static_cast<void>(made);
}

TEST_CASE("a share that fails undoes the whole end") {
  Ends w;
  REQUIRE(w.plan());
  w.clock.advance(kWeek);
  w.endings.with({[](storage::WriteTx&, const OrgId&) -> Result<std::function<void()>> { return fail(Code::storage_failed, "a room that cannot"); }});
  CHECK(code(w.end()) == Code::storage_failed);
  CHECK(w.rows("SELECT count(*) FROM memberships WHERE org = ?1") == 1);
  CHECK(w.endings.due()->size() == 1);  // and is tried again
  CHECK(w.logged(w.second, "organization.shred") == 0);
}

TEST_CASE("its Owners are written to when the date is set, and everybody when it has ended") {
  Ends w(true);
  (void)w.add(w.there, "member@example.com", Role::member);
  (void)w.add(w.there, "stranger@example.com", Role::owner);  // whoever that is: nobody has shown that mailbox
  w.show_mailbox("member@example.com");
  const auto letters = [&](std::string_view address) {
    auto tx = w.database->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE address = ?1 AND org IS NULL AND subject LIKE '%deleted%'", address,
                                [](const storage::Row& r) { return r.integer(0); }).value().value();
  };
  REQUIRE(w.team.rename(w.permit(RenameOrganization{OrgName::parse("https://evil.example").value()}, w.there)));
  REQUIRE(w.plan("https://evil.example"));
  {
    auto tx = w.database->begin_read();
    CHECK(tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE subject LIKE '%evil.example%'", [](const storage::Row& r) { return r.integer(0); }).value() == 0);  // no link
  }
  CHECK(letters("owner@example.com") == 1);
  CHECK(letters("member@example.com") == 0);
  w.clock.advance(kWeek);
  REQUIRE(w.end());
  CHECK(letters("owner@example.com") == 2);
  CHECK(letters("member@example.com") == 1);
  CHECK(letters("stranger@example.com") == 0);
}

TEST_CASE("with an organisation go its letters but what is on its way to a person, and that is nobody else's to see") {
  Ends w(true);
  const auto write = [&](MailKind kind, const char* address, const char* state) {
    auto tx = w.database->begin_write();
    REQUIRE(outbox::write(tx, {.kind = kind, .org = w.second, .address = World::email(address), .subject = "Second"}, w.clock.now()));
    REQUIRE(tx.exec("UPDATE letters SET state = ?2 WHERE address = ?1", address, state));
    auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), kind}, World::anonymous())).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  };
  write(MailKind::invitation, "dead@example.com", "dead");
  write(MailKind::account_changed, "sent@example.com", "delivered");
  write(MailKind::invitation, "queued-invitation@example.com", "queued");
  write(MailKind::account_changed, "on-its-way@example.com", "queued");
  REQUIRE(w.plan());
  w.clock.advance(kWeek);
  w.endings.with({[](storage::WriteTx& tx, const OrgId& org) -> Result<std::function<void()>> {
    CAIP_CHECKED(outbox::end_of(tx, org));
    return [] {};
  }});
  REQUIRE(w.end());
  std::vector<std::string> left;
  auto tx = w.database->begin_read();
  REQUIRE(tx.query("SELECT address FROM letters WHERE org IS NULL AND address <> 'owner@example.com'", [&](const storage::Row& r) { left.push_back(r.text(0)); }));
  CHECK(left == std::vector<std::string>{"on-its-way@example.com"});
  CHECK(w.rows("SELECT count(*) FROM letters WHERE org = ?1") == 0);
}

TEST_CASE("whoever read of an organisation before its end leaves no notice and no letter of it after") {
  Ends w(true);
  w.endings.with({[](storage::WriteTx& tx, const OrgId& org) -> Result<std::function<void()>> {
    CAIP_CHECKED(outbox::end_of(tx, org));
    return [] {};
  }});
  REQUIRE(w.plan());
  w.clock.advance(kWeek);
  REQUIRE(w.end());
  {
    auto tx = w.database->begin_write();
    REQUIRE(outbox::raise(tx, {.kind = EventKind::server_offline, .org = w.second, .subject = "web-1"}, w.clock.now()));
    REQUIRE(outbox::raise(tx, {.kind = EventKind::server_offline, .org = w.first.org(), .subject = "web-2"}, w.clock.now()));
    REQUIRE(outbox::write(tx, {.kind = MailKind::account_changed, .org = w.second, .address = World::email("late@example.com"), .subject = "Second"}, w.clock.now()));
    auto spent = std::move(w.permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::account_changed}, World::anonymous())).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  }
  CHECK(w.rows("SELECT count(*) FROM notices WHERE org = ?1") == 0);
  CHECK(w.rows("SELECT count(*) FROM letters WHERE org = ?1") == 0);
  CHECK(w.count("SELECT count(*) FROM letters WHERE address = 'late@example.com'") == 1);  // its person's all the same
  CHECK(w.told(EventKind::server_offline) == 1);
}

TEST_CASE("while a date is set nobody takes the other Owners' way to restore it") {
  Ends w;
  const auto co = w.add(w.there, "co@example.com", Role::owner);
  REQUIRE(w.plan());
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{co, Role::viewer}, w.there), 1)) == Code::conflict);
  CHECK(code(w.team.disable(w.permit(DisableMember{co}, w.there), 1)) == Code::conflict);
  CHECK(code(w.team.remove(w.permit(RemoveMember{co}, w.there), 1)) == Code::conflict);
  CHECK(code(w.endings.restore(w.permit(RestoreOrganization{w.second}, w.session(w.sign_in("co@example.com").value()).value()))) == kFine);
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{co, Role::viewer}, w.there), 1)) == kFine);
}
