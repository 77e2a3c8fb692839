#include "federation/attempts.h"

#include <algorithm>

#include "base/make_room.h"
#include "base/network.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace caip::federation {
namespace {

std::string unguessable() { return base64url(crypto::random_bytes(32)); }

}  // namespace

std::string pkce_challenge(std::string_view verifier) { return base64url(crypto::sha256(view(verifier))); }

bool local_path(std::string_view path) {
  if (path.empty() || path.size() > 512 || path.front() != '/') return false;
  if (path.size() > 1 && (path[1] == '/' || path[1] == '\\')) return false;  // "//host" is another site, and so is "/\host"
  return path.find('\\') == path.npos && !has_hidden(path);
}

Begun Attempts::begin(Attempt attempt, std::string_view address) {
  const Instant now = clock_.now();
  attempt.begun = now;
  attempt.nonce = unguessable();
  attempt.verifier = unguessable();  // 43 characters
  Begun begun{unguessable(), unguessable(), std::move(attempt)};
  Waiting fresh{crypto::sha256(view(begun.state)), crypto::sha256(view(begun.browser)), network_of(address), now + kAttemptLifetime, begun.attempt};
  waiting_.with([&](std::list<Waiting>& all) {
    all.remove_if([&](const Waiting& w) { return w.until <= now; });
    make_room(all, [&](const Waiting& w) { return w.network == fresh.network; }, kMostOfOne, kMost);
    all.push_back(std::move(fresh));
  });
  return begun;
}

Result<Attempt> Attempts::take(std::string_view state, std::string_view browser, const Attempt& expected) {
  const Instant now = clock_.now();
  const Digest wanted = crypto::sha256(view(state)), here = crypto::sha256(view(browser));
  std::optional<Waiting> found;
  waiting_.with([&](std::list<Waiting>& all) {
    const auto it = std::ranges::find_if(all, [&](const Waiting& w) { return w.state == wanted; });
    // Somebody else's browser neither uses an attempt nor uses it up.
    if (it == all.end() || !crypto::equal_ct(it->browser, here)) return;
    found = std::move(*it);
    all.erase(it);
  });
  if (!found) return fail(Code::bad_credentials, "no sign-in was begun in this browser that this belongs to");
  const Attempt& a = found->attempt;
  if (found->until <= now) return fail(Code::expired, "the sign-in took more than ten minutes");
  if (a.provider != expected.provider) return fail(Code::bad_credentials, "the answer is another provider's");
  if (a.purpose != expected.purpose || a.session != expected.session) return fail(Code::bad_credentials, "the sign-in was begun for something else");
  return std::move(found->attempt);
}

}  // namespace caip::federation
