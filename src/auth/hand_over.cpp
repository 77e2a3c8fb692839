#include "hand_over.h"

#include "accounts_impl.h"
#include "auth/accounts.h"
#include "base/make_room.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace caip::auth {
namespace {

constexpr std::size_t kLeastVerifier = 43, kMostVerifier = 128;

Digest digest_of(std::string_view text) { return crypto::sha256(view(text)); }

}  // namespace

Result<Challenge> Challenge::parse(std::string_view text) {
  const auto bytes = from_base64url(text);
  Digest digest{};
  if (!bytes || bytes->size() != digest.size()) return fail(Code::invalid, "challenge: SHA-256 of the verifier as base64url, 43 characters");
  std::ranges::copy(*bytes, digest.begin());
  return Challenge(digest);
}

bool Challenge::fits(std::string_view verifier) const {
  return verifier.size() >= kLeastVerifier && verifier.size() <= kMostVerifier && crypto::equal_ct(digest_, digest_of(verifier));
}

HandOverCode HandOvers::offer(HandedOver given, const Challenge& challenge, Instant now) {
  HandOverCode code{base64url(crypto::random_bytes(32)), now + kLifetime};
  waiting_.with([&](std::list<Waiting>& all) {
    all.remove_if([&](const Waiting& w) { return w.until <= now; });
    make_room(all, [&](const Waiting& w) { return w.given.user == given.user; }, kMostOfOne, kMost);
    all.push_back({digest_of(code.text), challenge, given, code.until});
  });
  return code;
}

std::optional<HandOvers::Taken> HandOvers::take(std::string_view code, std::string_view verifier, Instant now) {
  const auto found = waiting_.with([&, name = digest_of(code)](std::list<Waiting>& all) -> std::optional<Waiting> {
    const auto it = std::ranges::find(all, name, &Waiting::code);
    if (it == all.end()) return std::nullopt;
    auto taken = std::move(*it);
    all.erase(it);
    return taken;
  });
  if (!found || found->until <= now) return std::nullopt;
  return Taken{found->given, found->challenge.fits(verifier)};
}

Result<HandOverCode> Accounts::hand_over(Authorized<HandOverSession>&& permit, const Challenge& challenge) {
  const HandedOver given{*permit.principal().user, *permit.principal().org, permit.action().session};
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  CAIP_TRY(receipt, impl_->ledger.commit(impl_->database.begin_write(), std::move(spent), {}));
  static_cast<void>(receipt);
  return impl_->hand_overs.offer(given, challenge, now);
}

// A code without its verifier was on its way to another program: its person is told by the log, the caller nothing more.
Result<HandedOver> Accounts::handed_over(Principal nobody, std::string_view code, std::string_view verifier) {
  constexpr const char* kSaid = "the code is not valid any more, or was made for another program; begin again";
  const auto taken = impl_->hand_overs.take(code, verifier, impl_->clock.now());
  if (!taken) return impl_->refuse(SignInBySession{SessionId{IdBytes{}}}, nobody, Code::bad_credentials, "a code that is not valid", kSaid);
  if (taken->right) return taken->given;
  nobody.org = taken->given.org;
  return impl_->record(SignInBySession{taken->given.session}, nobody, {}, {Code::bad_credentials, kSaid}, "a code without its verifier", taken->given.user);
}

// It stands on the other session: that one lives, and the new one is stepped up no later than it. Else a chain of
// sessions, each made by the one before, would never have to prove anew who is there.
Result<Entered<SignInBySession>> Accounts::sign_in_by(Authorized<SignInBySession>&& permit, const HandedOver& given, std::string_view device_token) {
  const SignInBySession action = permit.action();
  Principal who = permit.principal();
  who.org = given.org;
  std::optional<UserRow> user;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, user_by_id(tx, given.user));
    user = std::move(found);
  }
  if (!user) return fail(Code::unauthenticated, "there is no such account any more");
  CAIP_TRY(entry, impl_->prepare(std::move(permit), *user, device_token, "session:" + given.session.str(), given.org));
  {
    auto tx = impl_->database.begin_write();
    CAIP_TRY(role, Impl::unchanged(tx, *user, entry.member.org));
    entry.member.role = role;
    CAIP_TRY(by, live_session(tx, given.session, entry.now));
    if (by) {
      entry.stepped_up = by->stepped_up;
      return impl_->open(std::move(tx), std::move(entry), *user, [](storage::WriteTx&, Instant) -> Result<void> { return {}; }, {{"by", given.session.str()}});
    }
  }
  return impl_->refuse(action, who, Code::forbidden, "the session that said yes has ended", "the browser that let this program in is signed out; sign in there and begin again");
}

}  // namespace caip::auth
