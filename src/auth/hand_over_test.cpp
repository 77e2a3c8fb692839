#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <thread>

#include "auth/identities.h"
#include "auth/team.h"
#include "crypto/hash.h"
#include "hand_over.h"
#include "test_identity.h"
#include "test_world.h"

namespace caip::auth {
namespace {

const std::string kVerifier(43, 'v');

Challenge challenge_of(std::string_view verifier) { return Challenge::parse(base64url(crypto::sha256(view(verifier)))).value(); }

TEST_CASE("a challenge is the SHA-256 of a verifier of 43 to 128 characters (RFC 7636)") {
  // The example of its appendix B.
  const auto known = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").value();
  CHECK(known.fits("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
  CHECK_FALSE(known.fits("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
  CHECK(challenge_of(std::string(128, 'v')).fits(std::string(128, 'v')));
  for (const std::size_t size : {std::size_t{0}, std::size_t{42}, std::size_t{129}}) CHECK_FALSE(challenge_of(std::string(size, 'v')).fits(std::string(size, 'v')));
  for (const char* bad : {"", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="}) CHECK_FALSE(Challenge::parse(bad));
}

TEST_CASE("a code works once, for a minute, and with its verifier alone; a wrong one uses it up") {
  HandOvers all;
  const HandedOver given{UserId{IdBytes{1}}, OrgId{IdBytes{3}}, SessionId{IdBytes{2}}};
  const Instant now(1'790'000'000'000'000);
  const auto offer = [&] { return all.offer(given, challenge_of(kVerifier), now).text; };
  auto code = offer();
  CHECK(all.take(code, kVerifier, now)->given.session == given.session);
  CHECK_FALSE(all.take(code, kVerifier, now));
  code = offer();
  CHECK_FALSE(all.take(code, std::string(43, 'w'), now)->right);
  CHECK_FALSE(all.take(code, kVerifier, now));
  code = offer();
  CHECK_FALSE(all.take(code, kVerifier, now + HandOvers::kLifetime));
  CHECK_FALSE(all.take("", kVerifier, now));
  // Of one person no more than a few wait: the oldest ends.
  const auto first = offer();
  for (std::size_t i = 0; i < HandOvers::kMostOfOne; ++i) offer();
  CHECK_FALSE(all.take(first, kVerifier, now));
}

struct Handing : World {
  Session here = begin();
  Session begin() {
    with_owner();
    return session(sign_in().value()).value();
  }
  HandedOver let_in(const Session& by) {
    const auto offered = accounts.hand_over(permit(HandOverSession{by.id()}, by), challenge_of(kVerifier)).value();
    return accounts.handed_over(anonymous(), offered.text, kVerifier).value();
  }
  Result<Entered<SignInBySession>> come(const HandedOver& given) { return accounts.sign_in_by(permit(SignInBySession{given.session}, anonymous()), given); }
  Session come_in(const HandedOver& given) { return sessions.verify(come(given).value().tokens.access, origin()).value(); }
};

TEST_CASE("who is let in by a session is the same person in a session of their own, on the record twice") {
  Handing w;
  const auto in = w.come_in(w.let_in(w.here));
  CHECK(in.user() == w.here.user());
  CHECK(in.id() != w.here.id());
  CHECK(w.logged(w.here.org(), "session.hand_over") == 1);
  CHECK(w.logged(w.here.org(), "session.sign_in_by_session") == 1);
}

TEST_CASE("a session that was let in is stepped up as long as the one that did it, and no longer: a chain of them proves nothing") {
  Handing w;
  const auto given = w.let_in(w.here);
  w.clock.advance(std::chrono::minutes(4));
  const auto first = w.come_in(given);
  CHECK(w.verifier.prove(first));
  w.clock.advance(std::chrono::seconds(61));
  CHECK_FALSE(w.verifier.prove(first));
}

TEST_CASE("a session that was let in by one that was let in is no fresher than the first") {
  Handing w;
  w.clock.advance(std::chrono::minutes(4));
  const auto first = w.come_in(w.let_in(w.here));
  const auto second = w.come_in(w.let_in(first));
  CHECK(w.verifier.prove(second));
  w.clock.advance(std::chrono::seconds(61));
  CHECK_FALSE(w.verifier.prove(second));
}

TEST_CASE("a code whose verifier is wrong is on its person's record, and one that is none on nobody's") {
  Handing w;
  const auto offered = w.accounts.hand_over(w.permit(HandOverSession{w.here.id()}, w.here), challenge_of(kVerifier)).value();
  CHECK(code(w.accounts.handed_over(World::anonymous(), "guessed", kVerifier)) == Code::bad_credentials);
  CHECK(w.logged(w.here.org(), "session.sign_in_by_session", "blocked") == 0);
  CHECK(code(w.accounts.handed_over(World::anonymous(), offered.text, std::string(43, 'w'))) == Code::bad_credentials);
  CHECK(w.logged(w.here.org(), "session.sign_in_by_session", "blocked") == 1);
  CHECK(w.last_entry().contains(w.here.id().str()));
}

TEST_CASE("it acts in the organisation in which the session acted that said yes, wherever its person went since") {
  Handing w;
  Team team{w.accounts};
  const auto other = crypto::random_id<OrgId>();
  REQUIRE(team.create(w.permit(CreateOrganization{other, OrgName::parse("Other").value()}, w.here)));
  const auto elsewhere = w.session(w.sign_in().value()).value();
  const auto given = w.let_in(w.here);
  w.clock.advance(std::chrono::seconds(2));
  REQUIRE(team.switch_to(w.permit(SwitchOrganization{elsewhere.id(), other}, elsewhere)));
  CHECK(w.sign_in()->person.org == other);
  CHECK(w.come_in(given).org() == w.here.org());
}

TEST_CASE("who disowns a session takes away what the program added that it let in") {
  Handing w;
  Identities identities(*w.database, *w.ledger, w.clock, w.notices);
  const auto mine = w.session(w.sign_in().value()).value();
  const auto program = w.come_in(w.let_in(w.here));
  REQUIRE(identities.link(w.permit(LinkIdentity{crypto::random_id<IdentityId>(), "google"}, program), google("thief")));
  REQUIRE(w.accounts.disown(w.permit(DisownSession{w.here.id()}, mine), SecretBytes(std::string_view("an entirely new password"))));
  CHECK(identities.methods(mine.user())->identities.empty());
}

TEST_CASE("of eight who bring the same code at once, one has it") {
  HandOvers all;
  const Instant now(1'790'000'000'000'000);
  for (int round = 0; round < 50; ++round) {
    const auto one = all.offer({UserId{IdBytes{1}}, OrgId{IdBytes{3}}, SessionId{IdBytes{2}}}, challenge_of(kVerifier), now).text;
    std::atomic<int> had = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { had += all.take(one, kVerifier, now).has_value() ? 1 : 0; });
    threads.clear();
    CHECK(had == 1);
  }
}

TEST_CASE("a session that has ended lets nobody in, and that is on the record") {
  Handing w;
  const auto given = w.let_in(w.here);
  REQUIRE(w.accounts.sign_out(w.permit(SignOut{w.here.id()}, w.here)));
  CHECK(code(w.come(given)) == Code::forbidden);
  CHECK(w.last_entry().contains("the session that said yes has ended"));
}

TEST_CASE("whose other sessions were ended is let in by none of those, also with a code that waits") {
  Handing w;
  const auto other = w.session(w.sign_in().value()).value();
  const auto given = w.let_in(other);
  REQUIRE(w.accounts.end_other_sessions(w.permit(EndOtherSessions{w.here.id()}, w.here)));
  CHECK(code(w.come(given)) == Code::forbidden);
}

}  // namespace
}  // namespace caip::auth
