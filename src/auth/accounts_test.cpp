#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "crypto/ed25519.h"
#include "jwt.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

TEST_CASE("the setup token makes one owner, once") {
  World w;
  CHECK(w.accounts.setup_needed().value());
  const auto token = w.accounts.prepare_setup().value().value();
  CHECK(w.accounts.prepare_setup().value().value() == token);  // a restart keeps the link
  const std::string file = w.folder.path + "/setup-token";
  struct stat st {};
  REQUIRE(stat(file.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);

  CHECK(code(w.create_owner("")) == Code::bad_credentials);
  CHECK(w.last_entry().find("\"blocked\"") != std::string::npos);
  CHECK(code(w.create_owner(token.substr(1))) == Code::bad_credentials);
  CHECK(code(w.create_owner(token, "short")) == Code::invalid);
  CHECK(code(w.create_owner(token)) == kFine);
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(code(w.create_owner(token)) == Code::conflict);
  CHECK_FALSE(w.accounts.setup_needed().value());
  CHECK_FALSE(w.accounts.prepare_setup().value().has_value());
}

TEST_CASE("a setup token that others could read is replaced") {
  World w;
  const auto token = w.accounts.prepare_setup().value().value();
  std::filesystem::permissions(w.folder.path + "/setup-token", std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  CHECK(w.accounts.prepare_setup().value().value() != token);
  CHECK(code(w.create_owner(token)) == Code::bad_credentials);
}

TEST_CASE("sign-in: one answer for every wrong pair, all of it logged, no password anywhere") {
  World w;
  w.with_owner();
  CHECK(code(w.sign_in("owner@example.com", "wrong password")) == Code::bad_credentials);
  CHECK(code(w.sign_in("nobody@example.com", kPassword)) == Code::bad_credentials);
  auto in = w.sign_in();
  REQUIRE(in);
  CHECK(in->person.role == Role::owner);
  CHECK(in->person.org_name.str() == "Example");
  const auto session = w.session(*in);
  REQUIRE(session);
  CHECK(session->user() == in->person.user);
  CHECK(session->principal().source == Source::user);
  const std::string logged = w.last_entry();
  CHECK(logged.find("session.sign_in") != std::string::npos);
  CHECK(logged.find(in->person.user.str()) != std::string::npos);
  for (std::uint64_t i = 0; i < w.query.size().value(); ++i) {
    const std::string body = w.query.entry(i)->body;
    CHECK(body.find(kPassword) == std::string::npos);
    CHECK(body.find(in->tokens.refresh) == std::string::npos);
  }
}

TEST_CASE("guessing is slowed down for the guesser alone") {
  World w;
  w.with_owner();
  for (int i = 0; i < 5; ++i) CHECK(code(w.sign_in("owner@example.com", "wrong password")) == Code::bad_credentials);
  CHECK(code(w.sign_in()) == Code::too_many);
  CHECK(code(w.sign_in("owner@example.com", kPassword, "198.51.100.7")) == kFine);
  w.clock.advance(std::chrono::seconds(2));
  CHECK(code(w.sign_in()) == kFine);
}

TEST_CASE("an access token ends after ten minutes and with its session") {
  World w;
  w.with_owner();
  const auto in = w.sign_in().value();
  CHECK(w.session(in));
  SECTION("time") {
    w.clock.advance(kAccessLifetime);
    CHECK(code(w.session(in)) == Code::unauthenticated);
  }
  SECTION("sign-out") {
    const auto s = w.session(in).value();
    CHECK(w.accounts.sign_out(w.permit(SignOut{s.id()}, s)));
    CHECK(code(w.session(in)) == Code::unauthenticated);
    CHECK(code(w.refresh(in.tokens.refresh)) == Code::unauthenticated);
  }
  SECTION("a changed token is refused, though the right one is remembered") {
    for (std::size_t i = 0; i + 1 < in.tokens.access.size(); i += 5) {
      std::string changed = in.tokens.access;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      CHECK(code(w.sessions.verify(changed, World::origin())) == Code::unauthenticated);
    }
    CHECK(code(w.sessions.verify(in.tokens.access + "A", World::origin())) == Code::unauthenticated);
    CHECK(w.session(in));
  }
  SECTION("a token for another epoch, user or organisation") {
    const auto& p = in.person;
    const auto make = [&](UserId user, OrgId org, SessionId session, std::int64_t epoch) {
      auto input = jwt_input({user, org, session, epoch, w.clock.now(), w.clock.now() + kAccessLifetime});
      const auto signature = w.keeper->sign(secrets::SigningUse::jwt, view(input)).value();
      return code(w.sessions.verify(jwt_finish(std::move(input), signature), World::origin()));
    };
    CHECK(make(p.user, p.org, in.session, 1) == kFine);
    CHECK(make(p.user, p.org, in.session, 2) == Code::unauthenticated);
    CHECK(make(crypto::random_id<UserId>(), p.org, in.session, 1) == Code::unauthenticated);
    CHECK(make(p.user, crypto::random_id<OrgId>(), in.session, 1) == Code::unauthenticated);
    CHECK(make(p.user, p.org, crypto::random_id<SessionId>(), 1) == Code::unauthenticated);
  }
}

TEST_CASE("refresh tokens rotate; using one twice ends the session for both holders") {
  World w;
  w.with_owner();
  const auto in = w.sign_in().value();
  w.clock.advance(std::chrono::minutes(20));
  const auto second = w.refresh(in.tokens.refresh).value();
  CHECK(second.tokens.refresh != in.tokens.refresh);
  CHECK(w.sessions.verify(second.tokens.access, World::origin()));

  CHECK(code(w.refresh(in.tokens.refresh)) == Code::unauthenticated);
  CHECK(w.last_entry().find("used twice") != std::string::npos);
  CHECK(code(w.sessions.verify(second.tokens.access, World::origin())) == Code::unauthenticated);
  CHECK(code(w.refresh(second.tokens.refresh)) == Code::unauthenticated);
  CHECK(code(w.sign_in()) == kFine);  // the account is not locked
}

TEST_CASE("a session ends after twelve idle hours, and after seven days in any case") {
  World w;
  w.with_owner();
  const auto first = w.sign_in().value();
  auto token = first.tokens.refresh;
  const auto unused = w.sign_in()->tokens.refresh;
  for (int hours = 0; hours + 11 < 7 * 24; hours += 11) {
    w.clock.advance(std::chrono::hours(11));
    token = w.refresh(token).value().tokens.refresh;
    if (hours == 11) CHECK(code(w.refresh(unused)) == Code::unauthenticated);
  }
  w.clock.advance(std::chrono::hours(11));
  CHECK(code(w.refresh(token)) == Code::unauthenticated);
  CHECK(code(w.refresh("")) == Code::unauthenticated);
  CHECK(code(w.refresh(std::string(43, 'A'))) == Code::unauthenticated);
}

TEST_CASE("a refresh token of one session does not renew another") {
  World w;
  w.with_owner();
  const auto a = w.sign_in().value(), b = w.sign_in().value();
  const auto s = w.session(a).value();
  CHECK(code(w.accounts.refresh(w.permit(RefreshSession{s.id()}, s), b.tokens.refresh)) == Code::unauthenticated);
  CHECK(w.session(b));
}

TEST_CASE("members: added once, changed by version, sessions end with the role") {
  World w;
  w.with_owner();
  const auto owner = w.session(w.sign_in().value()).value();
  const auto member = w.add(owner, "member@example.com", Role::member);
  CHECK(code(w.accounts.add_member(w.permit(AddMember{crypto::random_id<UserId>(), World::email("MEMBER@example.com"), Role::viewer}, owner),
                                   SecretBytes(kPassword))) == Code::conflict);
  const auto in = w.sign_in("member@example.com").value();
  CHECK(w.session(in)->principal().role == Role::member);

  const auto change = [&](UserId user, Role role, std::optional<std::int64_t> version) {
    return code(w.accounts.change_role(w.permit(ChangeRole{user, role}, owner), version));
  };
  CHECK(change(member, Role::viewer, 7) == Code::precondition_failed);
  CHECK(w.session(in));
  CHECK(change(member, Role::viewer, 1) == kFine);
  CHECK(code(w.session(in)) == Code::unauthenticated);
  CHECK(code(w.refresh(in.tokens.refresh)) == Code::unauthenticated);
  CHECK(w.accounts.role_of(owner.org(), member).value() == Role::viewer);
  CHECK(w.session(w.sign_in("member@example.com").value())->principal().role == Role::viewer);

  CHECK(change(crypto::random_id<UserId>(), Role::viewer, {}) == Code::not_found);
  CHECK(change(owner.user(), Role::member, {}) == Code::conflict);  // the last owner
  CHECK(w.accounts.members(owner.org(), {})->items.size() == 2);
  CHECK(w.accounts.members(crypto::random_id<OrgId>(), {})->items.empty());
  CHECK(code(w.accounts.role_of(crypto::random_id<OrgId>(), member)) == Code::not_found);
}

TEST_CASE("nobody changes a member of a higher role") {
  World w;
  w.with_owner();
  const auto in = w.sign_in().value();
  const auto owner = w.session(in).value();
  Principal admin = owner.principal();  // as if the matrix let admins manage members
  admin.role = Role::admin;
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{owner.user(), Role::viewer}, admin), {})) == Code::forbidden);
  CHECK(w.last_entry().find("higher role") != std::string::npos);
  CHECK(w.session(in));
}
