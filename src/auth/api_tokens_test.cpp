#include "auth/api_tokens.h"

#include <catch2/catch_test_macros.hpp>

#include "auth/team.h"
#include "test_world.h"
#include "token_rows.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Tokened : World {
  ApiTokens tokens{accounts};
  Team team{accounts};
  Session owner = (with_owner(), session(sign_in().value()).value());

  static PermissionSet set(std::initializer_list<Permission> all) {
    PermissionSet s;
    for (const Permission p : all) s.add(p);
    return s;
  }
  Result<NewToken> make(const Session& by, PermissionSet scopes, std::vector<std::string> networks = {}, Duration life = std::chrono::hours(24)) {
    return tokens.create(permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("ci").value(), scopes, clock.now() + life}, by), networks);
  }
  Result<Session> by(const NewToken& t, std::string address = "192.0.2.1") const { return sessions.verify(t.text, origin(std::move(address))); }
};

constexpr auto kScopes = {Permission::server_view, Permission::unit_restart};

}  // namespace

TEST_CASE("a token speaks for its maker, with its scopes, and is stored as a hash") {
  Tokened w;
  const auto t = w.make(w.owner, Tokened::set(kScopes)).value();
  CHECK(t.text.starts_with("caip_pat_"));
  CHECK(is_token_text(t.text));
  const auto s = w.by(t).value();
  CHECK(s.principal().source == Source::api_token);
  CHECK(s.user() == w.owner.user());
  CHECK(s.org() == w.owner.org());
  CHECK_FALSE(s.principal().session);
  CHECK(holds(s.principal(), Permission::unit_restart));
  CHECK_FALSE(holds(s.principal(), Permission::unit_stop));
  CHECK_FALSE(holds(s.principal(), Permission::member_view));
  for (std::uint64_t i = 0; i < w.query.size().value(); ++i) CHECK(w.query.entry(i)->body.find(t.text) == std::string::npos);
  auto tx = w.database->begin_read();
  CHECK(tx.query("SELECT hex(hash) FROM api_tokens", [&](const storage::Row& r) { CHECK(r.text(0).size() == 64); }));
}

TEST_CASE("the checksum tells a token from what looks like one, without asking the database") {
  const std::string text = make_token_text();
  CHECK(is_token_text(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(is_token_text(changed));
  }
  CHECK_FALSE(is_token_text(text + "A"));
  CHECK_FALSE(is_token_text(""));
  Tokened w;
  CHECK(code(w.sessions.verify(text, World::origin())) == Code::unauthenticated);
}

TEST_CASE("a token shrinks with its maker, and ends with them") {
  Tokened w;
  const UserId user = w.add(w.owner, "admin@example.com", Role::admin);
  const auto admin = w.session(w.sign_in("admin@example.com").value()).value();
  const auto t = w.make(admin, Tokened::set({Permission::server_view, Permission::server_enrol})).value();
  CHECK(holds(w.by(t)->principal(), Permission::server_enrol));
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{user, Role::member}, w.owner), 1)) == kFine);
  CHECK(holds(w.by(t)->principal(), Permission::server_view));
  CHECK_FALSE(holds(w.by(t)->principal(), Permission::server_enrol));
  CHECK(code(w.team.remove(w.permit(RemoveMember{user}, w.owner), 2)) == kFine);
  CHECK(code(w.by(t)) == Code::unauthenticated);
  CHECK(w.tokens.list(w.owner.org(), std::nullopt, {})->items.empty());
}

TEST_CASE("whoever may have no tokens any more has none: also none that comes back with a better role") {
  Tokened w;
  const UserId user = w.add(w.owner, "admin@example.com", Role::admin);
  const auto t = w.make(w.session(w.sign_in("admin@example.com").value()).value(), Tokened::set({Permission::server_view})).value();
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{user, Role::viewer}, w.owner), 1)) == kFine);
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{user, Role::admin}, w.owner), 2)) == kFine);
  CHECK(code(w.by(t)) == Code::unauthenticated);
}

TEST_CASE("a token ends with its time and when it is revoked; a year is the longest") {
  Tokened w;
  const auto t = w.make(w.owner, Tokened::set(kScopes)).value();
  w.clock.advance(std::chrono::hours(24));
  CHECK(code(w.by(t)) == Code::unauthenticated);
  const Session later = w.session(w.sign_in().value()).value();
  CHECK(code(w.make(later, Tokened::set(kScopes), {}, kLongestToken + Duration(1))) == Code::invalid);
  CHECK(code(w.make(later, Tokened::set(kScopes), {}, Duration(0))) == Code::invalid);
  const auto other = w.make(later, Tokened::set(kScopes), {}, kLongestToken).value();
  CHECK(code(w.tokens.revoke(w.permit(RevokeToken{other.token.id}, later))) == kFine);
  CHECK(code(w.by(other)) == Code::unauthenticated);
  CHECK(code(w.tokens.revoke(w.permit(RevokeToken{other.token.id}, later))) == Code::not_found);
}

TEST_CASE("a token with networks works from there alone") {
  Tokened w;
  const auto t = w.make(w.owner, Tokened::set(kScopes), {"192.0.2.0/24", "2001:db8::/32"}).value();
  for (const char* fine : {"192.0.2.1", "::ffff:192.0.2.200", "2001:db8:1::7"}) CHECK(w.by(t, fine));
  for (const char* no : {"192.0.3.1", "2001:db9::1", "::1", "", "somewhere"}) CHECK(code(w.by(t, no)) == Code::unauthenticated);
  CHECK(code(w.make(w.owner, Tokened::set(kScopes), {"192.0.2.1/24"})) == Code::invalid);
  CHECK(code(w.make(w.owner, Tokened::set(kScopes), {"anywhere"})) == Code::invalid);
  CHECK(code(w.make(w.owner, Tokened::set(kScopes), std::vector<std::string>(33, "192.0.2.0/24"))) == Code::invalid);
}

TEST_CASE("S07: one's own tokens are one's own, and another organisation's are not there") {
  Tokened w;
  (void)w.add(w.owner, "member@example.com", Role::member);
  const auto member = w.session(w.sign_in("member@example.com").value()).value();
  const auto t = w.make(member, Tokened::set({Permission::server_view})).value();
  const auto mine = w.make(w.owner, Tokened::set(kScopes)).value();
  CHECK(code(w.tokens.revoke(w.permit(RevokeToken{mine.token.id}, member))) == Code::not_found);
  CHECK(w.tokens.list(w.owner.org(), member.user(), {})->items.size() == 1);
  CHECK(w.tokens.list(w.owner.org(), std::nullopt, {})->items.size() == 2);
  Principal elsewhere = w.owner.principal();
  elsewhere.org = crypto::random_id<OrgId>();
  CHECK(code(w.tokens.revoke(w.permit(RevokeAnyToken{t.token.id}, elsewhere))) == Code::not_found);
  CHECK(w.tokens.list(*elsewhere.org, std::nullopt, {})->items.empty());
  CHECK(code(w.tokens.revoke(w.permit(RevokeAnyToken{t.token.id}, w.owner))) == kFine);
  CHECK(code(w.by(t)) == Code::unauthenticated);
}

TEST_CASE("its use is on the record once a quarter of an hour and address") {
  Tokened w;
  const auto t = w.make(w.owner, Tokened::set(kScopes)).value();
  CHECK_FALSE(w.tokens.list(w.owner.org(), std::nullopt, {})->items.front().used);
  CHECK(w.tokens.due(t.token.id, "192.0.2.1"));
  CHECK_FALSE(w.tokens.due(t.token.id, "192.0.2.1"));
  CHECK(w.tokens.due(t.token.id, "192.0.2.2"));
  w.clock.advance(std::chrono::minutes(15));
  CHECK(w.tokens.due(t.token.id, "192.0.2.1"));
  Principal nobody = World::anonymous();
  nobody.org = w.owner.org();
  CHECK(code(w.tokens.used(w.permit(UseToken{t.token.id}, nobody), w.owner.user())) == kFine);
  CHECK(w.tokens.list(w.owner.org(), std::nullopt, {})->items.front().used == w.clock.now());
  CHECK(w.last_entry().find(w.owner.user().str()) != std::string::npos);
}

TEST_CASE("nobody has more than fifty") {
  Tokened w;
  for (std::size_t i = 0; i < kMostTokens; ++i) REQUIRE(w.make(w.owner, Tokened::set(kScopes)));
  CHECK(code(w.make(w.owner, Tokened::set(kScopes))) == Code::conflict);
}
