#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "federation/id_token.h"
#include "members.h"
#include "provider.h"

namespace caip::federation {
namespace {

constexpr Duration kFresh = std::chrono::hours(1);  // where the provider does not say
constexpr Duration kLeastFresh = std::chrono::minutes(1), kMostFresh = std::chrono::hours(24);
constexpr Duration kMostFreshKeys = kFresh;  // so that one which the provider takes back does not count for long
constexpr Duration kAgain = std::chrono::minutes(1);  // a forced look for newer keys
constexpr Duration kPause = std::chrono::seconds(10);  // after a failure

std::string well_known(std::string issuer) {
  if (issuer.ends_with('/')) issuer.pop_back();
  return issuer + "/.well-known/openid-configuration";
}

}  // namespace

// As long as the provider says (RFC 9111, max-age), within bounds: not asked at each sign-in, and nothing kept for days.
Duration fresh_for(const outbound::Response& r) {
  const std::string* said = r.header("cache-control");
  if (said == nullptr) return kFresh;
  if (said->contains("no-store") || said->contains("no-cache")) return kLeastFresh;
  const auto at = said->find("max-age=");
  if (at == said->npos) return kFresh;
  std::int64_t seconds = 0;
  const char* begin = said->data() + at + 8;
  if (std::from_chars(begin, said->data() + said->size(), seconds).ec != std::errc()) return kFresh;
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, kLeastFresh / std::chrono::seconds(1), kMostFresh / std::chrono::seconds(1)));
}

// Only what was fetched whole and read without fault is kept. Two who come at the same moment both ask.
template <class T, class Parse>
Result<std::shared_ptr<const T>> OpenIdProvider::cached(const Questions& questions, Guarded<Cached<T>>& cache, const std::string& url, bool newer, const Parse& parse) const {
  const Instant now = clock_.now();
  const Cached<T> before = cache.with([](const auto& c) { return c; });
  const bool may_force = newer && (before.forced == Instant{} || now - before.forced >= kAgain);
  if (before.value && now < before.until && !may_force) return before.value;
  if (before.failed != Instant{} && now - before.failed < kPause) return fail(Code::unavailable, "the provider did not answer; try again in some seconds");
  Duration fresh = kFresh;
  auto got = [&]() -> Result<std::shared_ptr<const T>> {
    auto answer = questions.ask(question(url));
    if (answer) fresh = fresh_for(*answer);
    CAIP_TRY(text, json_of(std::move(answer), "its description or keys"));
    CAIP_TRY(parsed, parse(text));
    return std::make_shared<const T>(std::move(parsed));
  }();
  cache.with([&](auto& c) {
    if (newer) c.forced = now;
    if (got) c.value = *got, c.until = now + std::min<Duration>(fresh, std::is_same_v<T, KeySet> ? kMostFreshKeys : kMostFresh), c.failed = Instant{};
    else c.failed = now;
  });
  return got;
}

Result<std::shared_ptr<const Discovery>> OpenIdProvider::discovery(const Questions& questions) const {
  return cached(questions, discovery_, well_known(config_.issuer), false, [&](const std::string& text) { return parse_discovery(text, config_.issuer); });
}

Result<std::shared_ptr<const KeySet>> OpenIdProvider::keys(const Questions& questions, const Discovery& d, bool newer) const {
  return cached(questions, keys_, d.keys, newer, [](const std::string& text) { return KeySet::parse(text); });
}

Result<std::string> OpenIdProvider::location(const Questions& questions, const Begun& begun, const std::string& redirect_uri) const {
  CAIP_TRY(d, discovery(questions));
  outbound::Pairs query{{"response_type", "code"}, {"client_id", config_.client_id}, {"redirect_uri", redirect_uri}, {"scope", "openid email profile"},
             {"state", begun.state}, {"nonce", begun.attempt.nonce}, {"code_challenge", pkce_challenge(begun.attempt.verifier)},
             {"code_challenge_method", "S256"}};
  // Prompt, and say when: a session there that has been open since the morning proves nothing of now.
  if (begun.attempt.purpose == Purpose::step_up) query.insert(query.end(), {{"prompt", "login"}, {"max_age", "0"}});
  if (!config_.hosted_domain.empty()) query.emplace_back("hd", config_.hosted_domain);  // a hint: the claim is checked
  return d->authorize + (d->authorize.find('?') == std::string::npos ? '?' : '&') + outbound::form_encoded(query);
}

Result<OpenIdProvider::Tokens> OpenIdProvider::exchange(const Questions& questions, const Discovery& d, const Attempt& attempt, const std::string& code,
                                                        const std::string& redirect_uri) const {
  outbound::Pairs form{{"grant_type", "authorization_code"}, {"code", code}, {"redirect_uri", redirect_uri}, {"code_verifier", attempt.verifier}};
  if (!d.basic) form.insert(form.end(), {{"client_id", config_.client_id}, {"client_secret", secret_of(config_)}});
  outbound::Request q = form_question(d.token, form);
  if (d.basic) q.headers.emplace_back("Authorization", basic_authorization(config_));
  auto answer = questions.ask(std::move(q));
  if (answer && answer->status >= 400 && answer->status < 500) return fail(Code::bad_credentials, "the provider refused the code");
  CAIP_TRY(text, json_of(std::move(answer), "who this is"));
  CAIP_TRY(o, parse_object(text));
  const auto id = text_in(o, "id_token", kMostIdToken);
  if (!id) return fail(Code::bad_credentials, "the provider sent no ID token");
  return Tokens{*id, text_in(o, "access_token", 16 * 1024).value_or("")};
}

Result<void> OpenIdProvider::ask_more(const Questions& questions, const Discovery& d, const std::string& access_token, Claimed& who) const {
  outbound::Request q = question(d.userinfo);
  q.headers.emplace_back("Authorization", "Bearer " + access_token);
  CAIP_TRY(text, json_of(questions.ask(std::move(q)), "who this is"));
  return add_userinfo(text, who);
}

Result<Who> OpenIdProvider::identify(const Questions& questions, const Attempt& attempt, const Returned& back, const std::string& redirect_uri) const {
  CAIP_TRY(d, discovery(questions));
  if (back.issuer ? *back.issuer != config_.issuer : d->says_issuer) return fail(Code::bad_credentials, "the answer is another issuer's");
  CAIP_TRY(tokens, exchange(questions, *d, attempt, back.code, redirect_uri));
  const Expected expected{.issuer = config_.issuer, .client_id = config_.client_id, .nonce = attempt.nonce, .access_token = tokens.access,
                          .hosted_domain = config_.hosted_domain,
                          .proven_since = attempt.purpose == Purpose::step_up ? std::optional(attempt.begun) : std::nullopt, .now = clock_.now()};
  CAIP_TRY(known, keys(questions, *d, false));
  auto claimed = verify_id_token(tokens.id, *known, expected);
  if (!claimed && claimed.error().code == Code::not_found) {
    CAIP_TRY(newer, keys(questions, *d, true));
    claimed = verify_id_token(tokens.id, *newer, expected);
  }
  if (!claimed) return fail(Code::bad_credentials, claimed.error().detail);
  // It could say when, and does not: the address was changed on its way.
  if (expected.proven_since && d->says_when && !claimed->anew) return fail(Code::bad_credentials, "the provider does not say that they signed in anew");
  if (!claimed->email && !d->userinfo.empty()) {
    // Who it is stands in the token; an address is good to have, and no reason to fail when nobody answers.
    auto more = ask_more(questions, *d, tokens.access, *claimed);
    if (!more && more.error().code != Code::unavailable) return std::unexpected(more.error());
  }
  return Who{config_.issuer, std::move(claimed->subject), std::move(claimed->email), std::move(claimed->name), claimed->anew};
}

}  // namespace caip::federation
