#include "auth/team.h"

#include <catch2/catch_test_macros.hpp>

#include "rows.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Teams : World {
  Team team{accounts};
  SignedIn owner_in = (with_owner(), sign_in().value());
  Session owner = session(owner_in).value();

  OrgId found(const Session& by, std::string_view name) {
    const auto org = crypto::random_id<OrgId>();
    (void)team.create(permit(CreateOrganization{org, OrgName::parse(name).value()}, by)).value();
    return org;
  }
  Result<Switched> switch_to(const Session& s, const OrgId& org) { return team.switch_to(permit(SwitchOrganization{s.id(), org}, s)); }
  Result<Session> by(const Tokens& t) const { return sessions.verify(t.access, origin()); }
  Code remove(const Session& by, const UserId& user, std::int64_t version = 1) {
    return code(team.remove(permit(RemoveMember{user}, by), version));
  }
};

}  // namespace

TEST_CASE("a person belongs to several organisations and acts in one at a time") {
  Teams w;
  const OrgId first = w.owner.org();
  const OrgId second = w.found(w.owner, "Second");
  CHECK(w.last_entry().find("\"org\":\"" + second.str()) != std::string::npos);  // the first is not told
  CHECK(w.team.organizations(w.owner)->size() == 2);
  w.clock.advance(std::chrono::seconds(1));  // of two used at the same instant none is the last

  w.clock.advance(std::chrono::seconds(1));  // or which of them was used last is a toss-up
  const auto there = w.switch_to(w.owner, second).value();
  CHECK(there.person.role == Role::owner);
  CHECK(there.person.org_name.str() == "Second");
  CHECK(w.by(there.tokens)->org() == second);
  CHECK(w.last_entry().find("session.switch_organization") != std::string::npos);
  CHECK(code(w.session(w.owner_in)) == Code::unauthenticated);  // the token for the first organisation
  CHECK(code(w.refresh(w.owner_in.tokens.refresh)) == Code::unauthenticated);
  const auto renewed = w.refresh(there.tokens.refresh).value();
  CHECK(w.by(renewed.tokens)->org() == second);

  w.clock.advance(std::chrono::seconds(1));
  CHECK(w.sign_in()->person.org == second);  // the last one used
  const auto now = w.session(w.sign_in().value()).value();
  w.clock.advance(std::chrono::seconds(1));
  (void)w.switch_to(now, first).value();
  CHECK(w.sign_in()->person.org == first);
}

TEST_CASE("S07: another organisation's members are not there, and nobody acts where they do not belong") {
  Teams w;
  const UserId member = w.add(w.owner, "member@example.com", Role::member);
  const OrgId second = w.found(w.owner, "Second");
  const auto outsider = w.session(w.sign_in("member@example.com").value()).value();
  CHECK(code(w.switch_to(outsider, second)) == Code::not_found);
  CHECK(w.last_entry().find("\"blocked\"") != std::string::npos);
  CHECK(w.session(w.sign_in("member@example.com").value())->org() == w.owner.org());

  const auto elsewhere = w.by(w.switch_to(w.owner, second)->tokens).value();
  CHECK(w.remove(elsewhere, member) == Code::not_found);
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{member, Role::viewer}, elsewhere), 1)) == Code::not_found);
  CHECK(code(w.team.transfer(w.permit(TransferOwnership{member}, elsewhere), 1)) == Code::not_found);
  CHECK(w.accounts.members(second, {})->items.size() == 1);
  CHECK(w.accounts.role_of(outsider.org(), member).value() == Role::member);
}

TEST_CASE("a session that switched is not the one it was: work begun in the other organisation stops") {
  Teams w;
  const OrgId first = w.owner.org();
  CHECK(w.sessions.still(w.owner.id(), first, w.owner.user(), World::origin()));
  const OrgId second = w.found(w.owner, "Second");
  (void)w.switch_to(w.owner, second).value();
  CHECK(code(w.sessions.still(w.owner.id(), first, w.owner.user(), World::origin())) == Code::unauthenticated);
  CHECK(w.sessions.still(w.owner.id(), second, w.owner.user(), World::origin()));
}

TEST_CASE("S14: removal ends the sessions there at once, and what else rests on the membership; elsewhere the person stays") {
  Teams w;
  std::vector<UserId> ended;
  w.accounts.on_authority_end([&](storage::WriteTx&, const OrgId& org, const UserId& user) -> Result<std::function<void()>> {
    CHECK(org == w.owner.org());
    return [&ended, user] { ended.push_back(user); };
  });
  const UserId user = w.add(w.owner, "member@example.com", Role::member);
  const auto in = w.sign_in("member@example.com").value();
  const auto member = w.session(in).value();
  const OrgId theirs = w.found(member, "Theirs");
  w.clock.advance(std::chrono::seconds(1));
  const auto other = w.sign_in("member@example.com").value();
  const auto there = w.switch_to(w.session(other).value(), theirs).value();

  CHECK(w.remove(w.owner, user, 7) == Code::precondition_failed);
  CHECK(w.session(in));
  CHECK(w.remove(w.owner, user) == kFine);
  CHECK(w.last_entry().find("member.remove") != std::string::npos);
  CHECK(ended == std::vector{user});
  CHECK(code(w.session(in)) == Code::unauthenticated);
  CHECK(code(w.refresh(in.tokens.refresh)) == Code::unauthenticated);
  CHECK(code(w.accounts.person(member)) == Code::unauthenticated);
  CHECK(code(w.sessions.still(member.id(), member.org(), user, World::origin())) == Code::unauthenticated);
  CHECK(w.by(there.tokens)->org() == theirs);
  CHECK(w.sign_in("member@example.com")->person.org == theirs);
  CHECK(w.remove(w.owner, user) == Code::not_found);
}

TEST_CASE("who belongs nowhere does not sign in, and hears so only with the right password") {
  Teams w;
  const UserId user = w.add(w.owner, "member@example.com", Role::member);
  CHECK(w.remove(w.owner, user) == kFine);
  const auto refused = w.sign_in("member@example.com");
  CHECK(code(refused) == Code::forbidden);
  CHECK(refused.error().detail.find("invitation") != std::string::npos);
  CHECK(code(w.sign_in("member@example.com", "wrong password")) == Code::bad_credentials);
}

TEST_CASE("several owners, never none: the last one neither leaves, goes nor steps down") {
  Teams w;
  const auto leave = [&](const Session& s) { return code(w.team.leave(w.permit(LeaveOrganization{s.user()}, s))); };
  CHECK(leave(w.owner) == Code::conflict);
  CHECK(w.remove(w.owner, w.owner.user()) == Code::conflict);
  const UserId second = w.add(w.owner, "second@example.com", Role::owner);
  const auto co = w.session(w.sign_in("second@example.com").value()).value();
  CHECK(leave(w.owner) == kFine);
  CHECK(w.last_entry().find("member.leave") != std::string::npos);
  CHECK(code(w.session(w.owner_in)) == Code::unauthenticated);
  CHECK(leave(co) == Code::conflict);
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{second, Role::admin}, co), 1)) == Code::conflict);
}

TEST_CASE("ownership is handed over in one step; both act with the new role from then on") {
  Teams w;
  const UserId heir = w.add(w.owner, "heir@example.com", Role::viewer);
  const auto heir_in = w.sign_in("heir@example.com").value();
  const auto transfer = [&](const UserId& to, std::int64_t version) { return code(w.team.transfer(w.permit(TransferOwnership{to}, w.owner), version)); };
  CHECK(transfer(w.owner.user(), 1) == Code::conflict);
  CHECK(transfer(heir, 2) == Code::precondition_failed);
  CHECK(transfer(crypto::random_id<UserId>(), 1) == Code::not_found);
  CHECK(transfer(heir, 1) == kFine);
  CHECK(w.last_entry().find("ownership.transfer") != std::string::npos);
  CHECK(code(w.session(w.owner_in)) == Code::unauthenticated);
  CHECK(code(w.session(heir_in)) == Code::unauthenticated);
  CHECK(w.sign_in()->person.role == Role::admin);
  CHECK(w.sign_in("heir@example.com")->person.role == Role::owner);
}

TEST_CASE("nobody removes somebody of a higher role") {
  Teams w;
  const UserId co = w.add(w.owner, "co@example.com", Role::owner);
  Principal admin = w.owner.principal();  // as if the matrix let admins remove members
  admin.role = Role::admin;
  CHECK(code(w.team.remove(w.permit(RemoveMember{co}, admin), 1)) == Code::forbidden);
  CHECK(w.last_entry().find("higher role") != std::string::npos);
  CHECK(w.accounts.role_of(w.owner.org(), co).value() == Role::owner);
}

TEST_CASE("a name is changed on the record") {
  Teams w;
  CHECK(code(w.team.rename(w.permit(RenameOrganization{OrgName::parse("Renamed").value()}, w.owner))) == kFine);
  CHECK(w.accounts.person(w.owner)->org_name.str() == "Renamed");
  CHECK(w.last_entry().find("\"from\":\"Example\"") != std::string::npos);
}

TEST_CASE("a database of before memberships carries over: people, roles, versions and living sessions") {
  const Folder folder;
  static constexpr storage::Sql kRows = R"sql(
INSERT INTO orgs VALUES ('org_00000000000000000000000001', 'Old', 7);
INSERT INTO users VALUES ('usr_00000000000000000000000001', 'org_00000000000000000000000001', 'owner@example.com', 'owner', 'h1', 3, 4, 8);
INSERT INTO users VALUES ('usr_00000000000000000000000002', 'org_00000000000000000000000001', 'member@example.com', 'member', 'h2', 1, 1, 9);
INSERT INTO sessions VALUES ('ses_00000000000000000000000001', 'usr_00000000000000000000000001', 10, 99, NULL);
INSERT INTO sessions VALUES ('ses_00000000000000000000000002', 'usr_00000000000000000000000002', 11, 99, 12);
INSERT INTO refresh_tokens VALUES (x'01', 'ses_00000000000000000000000001', 604800000015, NULL);
)sql";
  // As another room's tables do: they refer to people by id.
  static constexpr storage::Sql kChild = "CREATE TABLE notes (user TEXT NOT NULL REFERENCES users(id)) STRICT; INSERT INTO notes VALUES ('usr_00000000000000000000000002');";
  const auto open = [&](bool old) {
    auto all = migrations();
    if (old) all.erase(all.begin() + 1, all.end());
    all.insert(all.begin() + 1, {"test/1 what an older version left", kRows});
    all.insert(all.begin() + 2, {"test/2 what refers to it", kChild});
    return storage::Database::open(folder.path + "/caip.db", std::move(all));
  };
  REQUIRE(open(true));
  auto database = open(false);
  REQUIRE(database);
  auto tx = (*database)->begin_read();
  const auto rows = members_of(tx, OrgId::parse("org_00000000000000000000000001").value(), {}).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].user.email.str() == "owner@example.com");
  CHECK(rows[0].role == Role::owner);
  CHECK(rows[0].version == 4);
  CHECK(rows[0].user.epoch == 3);
  CHECK(rows[0].user.password == "h1");
  CHECK(rows[0].joined == Instant{8});
  CHECK(rows[1].role == Role::member);
  CHECK_FALSE(rows[0].disabled);
  const auto live = live_session(tx, SessionId::parse("ses_00000000000000000000000001").value(), Instant{20}).value();
  REQUIRE(live);
  CHECK(live->member.org == rows[0].org);
  CHECK_FALSE(live_session(tx, SessionId::parse("ses_00000000000000000000000002").value(), Instant{20}).value());  // it had ended
  CHECK(tx.one<std::int64_t>("SELECT count(*) FROM refresh_tokens", [](const storage::Row& r) { return r.integer(0); }).value() == 1);
  CHECK(other_owners(tx, rows[0].org, rows[1].user.id).value() == 1);
  CHECK(tx.one<std::int64_t>("SELECT count(*) FROM notes JOIN users ON users.id = notes.user", [](const storage::Row& r) { return r.integer(0); }).value() == 1);
}
