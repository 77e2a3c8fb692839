#include "halfway.h"

#include "crypto/hash.h"
#include "crypto/random.h"

namespace caip::auth {
namespace {

Digest name_of(std::string_view token) { return crypto::sha256(view(token)); }

}  // namespace

Result<Halfway::Token> Halfway::admit(Person person, Instant now) {
  Token token{base64url(crypto::random_bytes(32)), now + kLifetime};
  const bool room = waiting_.with([&](auto& all) {
    std::erase_if(all, [&](const auto& w) { return w.second.until <= now; });
    if (all.size() >= kMost) return false;
    all.emplace(name_of(token.text), Waiting{std::move(person), token.until});
    return true;
  });
  if (!room) return fail(Code::too_many, "too many sign-ins at once; try again in a few minutes");
  return token;
}

std::optional<Halfway::Person> Halfway::find(std::string_view token, Instant now) const {
  return waiting_.with([&](const auto& all) -> std::optional<Person> {
    const auto it = all.find(name_of(token));
    return it == all.end() || it->second.until <= now ? std::nullopt : std::optional(it->second.person);
  });
}

void Halfway::failed(std::string_view token) {
  waiting_.with([&](auto& all) {
    const auto it = all.find(name_of(token));
    if (it != all.end() && ++it->second.tries >= kTries) all.erase(it);
  });
}

bool Halfway::leave(std::string_view token) {
  return waiting_.with([&](auto& all) { return all.erase(name_of(token)) == 1; });
}

}  // namespace caip::auth
