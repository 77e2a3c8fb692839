#include "federation/providers.h"

#include <algorithm>

#include "provider.h"

namespace caip::federation {
namespace {

std::unique_ptr<Provider> make(ProviderConfig c, const Clock& clock) {
  if (c.kind == Kind::github) return std::make_unique<GithubProvider>(std::move(c));
  return std::make_unique<OpenIdProvider>(std::move(c), clock);
}

// Counts who waits for a provider.
class Turn {
 public:
  explicit Turn(std::atomic<int>& count, int most) : count_(count), held_(count.fetch_add(1) < most) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { count_.fetch_sub(1); }
  Result<void> check() const {
    if (!held_) return fail(Code::too_many, "many people sign in at this moment; try again in some seconds");
    return {};
  }

 private:
  std::atomic<int>& count_;
  bool held_;
};

}  // namespace

Providers::Providers(std::vector<ProviderConfig> configs, std::string base, Fetch fetch, const Clock& clock)
    : fetch_(std::move(fetch)), base_(std::move(base)), clock_(clock), attempts_(clock) {
  for (auto& c : configs) providers_.push_back(make(std::move(c), clock));
}
Providers::~Providers() = default;

std::vector<ProviderInfo> Providers::list() const {
  std::vector<ProviderInfo> out;
  for (const auto& p : providers_) out.push_back({p->config().id, p->config().label, p->config().kind});
  return out;
}

const Provider* Providers::find(std::string_view id) const {
  const auto it = std::ranges::find_if(providers_, [&](const auto& p) { return p->config().id == id; });
  return it == providers_.end() ? nullptr : it->get();
}

std::string Providers::redirect_uri(std::string_view id) const { return base_ + "/sign-in/callback/" + std::string(id); }

Result<Started> Providers::begin(const Ask& ask) {
  const Provider* provider = find(ask.provider);
  if (!provider) return fail(Code::not_found, "there is no such way to sign in");
  if (!local_path(ask.next)) return fail(Code::invalid, "next is a path of this site");
  const Turn turn(provider->asking(), kMostOfOne), all(asking_, kMostAtOnce);
  CAIP_CHECKED(turn.check());
  CAIP_CHECKED(all.check());
  Begun begun = attempts_.begin({.provider = ask.provider, .purpose = ask.purpose, .session = ask.session, .next = ask.next, .invitation = ask.invitation},
                                ask.address);
  CAIP_TRY(location, provider->location(Questions(fetch_, clock_), begun, redirect_uri(ask.provider)));
  return Started{std::move(location), std::move(begun.browser)};
}

Result<Proven> Providers::finish(const Returned& back) {
  const Provider* provider = find(back.provider);
  if (!provider) return fail(Code::not_found, "there is no such way to sign in");
  const Turn turn(provider->asking(), kMostOfOne), all(asking_, kMostAtOnce);
  CAIP_CHECKED(turn.check());
  CAIP_CHECKED(all.check());
  CAIP_TRY(attempt, attempts_.take(back.state, back.browser,
                                   {.provider = back.provider, .purpose = back.purpose, .session = back.session}));
  if (back.error == "access_denied") return fail(Code::bad_credentials, "it was cancelled at the provider");
  if (!back.error.empty()) return fail(Code::bad_credentials, "the provider answered with an error");
  if (back.code.empty() || attempt.verifier.empty()) return fail(Code::bad_credentials, "the provider sent no code");
  CAIP_TRY(who, provider->identify(Questions(fetch_, clock_), attempt, back, redirect_uri(back.provider)));
  std::optional<Email> email;
  if (who.email) {
    if (auto parsed = Email::parse(*who.email)) email = *std::move(parsed);
  }
  // Spelled out, not make_unique'd or forwarded: the badge is made here and nowhere else.
  return Proven{ExternalIdentity(Badge<Providers>{}, {.provider = back.provider, .issuer = std::move(who.issuer), .subject = std::move(who.subject),
                                                      .email = std::move(email), .shown = std::move(who.shown)}),
                std::move(attempt.next), who.anew, std::move(attempt.invitation)};
}

}  // namespace caip::federation
