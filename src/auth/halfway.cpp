#include "halfway.h"

#include "base/make_room.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace caip::auth {
namespace {

Digest name_of(std::string_view token) { return crypto::sha256(view(token)); }

}  // namespace

Halfway::Token Halfway::admit(Person person, std::string network, Instant now) {
  Token token{base64url(crypto::random_bytes(32)), now + kLifetime};
  Waiting fresh{name_of(token.text), std::move(person), std::move(network), token.until};
  waiting_.with([&](std::list<Waiting>& all) {
    all.remove_if([&](const Waiting& w) { return w.until <= now; });
    const auto own = [&](const Waiting& w) { return w.person.user.id == fresh.person.user.id; };
    make_room(all, [&](const Waiting& w) { return own(w) && w.network == fresh.network; }, kMostFromOneNetwork, kMost);
    make_room(all, own, kMostOfOne, kMost);
    all.push_back(std::move(fresh));
  });
  return token;
}

std::optional<Halfway::Person> Halfway::find(std::string_view token, Instant now) const {
  return waiting_.with([&, name = name_of(token)](const std::list<Waiting>& all) -> std::optional<Person> {
    const auto it = std::ranges::find(all, name, &Waiting::token);
    return it == all.end() || it->until <= now || it->tries >= kTries ? std::nullopt : std::optional(it->person);
  });
}

std::optional<Halfway::Person> Halfway::take_try(std::string_view token, Instant now) {
  return waiting_.with([&, name = name_of(token)](std::list<Waiting>& all) -> std::optional<Person> {
    const auto it = std::ranges::find(all, name, &Waiting::token);
    if (it == all.end() || it->until <= now || it->tries >= kTries) return std::nullopt;
    ++it->tries;
    return it->person;
  });
}

bool Halfway::leave(std::string_view token) {
  return waiting_.with([name = name_of(token)](std::list<Waiting>& all) {
    return all.remove_if([&](const Waiting& w) { return w.token == name; }) == 1;
  });
}

void Halfway::forget(const UserId& user) {
  waiting_.with([&](std::list<Waiting>& all) { all.remove_if([&](const Waiting& w) { return w.person.user.id == user; }); });
}

}  // namespace caip::auth
