#include "federation/github.h"
#include "provider.h"

namespace caip::federation {

Result<std::string> GithubProvider::location(const Questions&, const Begun& begun, const std::string& redirect_uri) const {
  outbound::Pairs query{{"client_id", config_.client_id}, {"redirect_uri", redirect_uri}, {"scope", "read:user user:email"}, {"state", begun.state},
                        {"code_challenge", pkce_challenge(begun.attempt.verifier)}, {"code_challenge_method", "S256"}};
  // GitHub cannot be made to ask for a password; this at least asks which account, and so for a click.
  if (begun.attempt.purpose == Purpose::step_up) query.emplace_back("prompt", "select_account");
  return config_.web + "/login/oauth/authorize?" + outbound::form_encoded(query);
}

Result<std::string> GithubProvider::exchange(const Questions& questions, const Attempt& attempt, const std::string& code, const std::string& redirect_uri) const {
  auto q = form_question(config_.web + "/login/oauth/access_token",
                               {{"client_id", config_.client_id}, {"client_secret", secret_of(config_)}, {"code", code}, {"redirect_uri", redirect_uri},
                                {"code_verifier", attempt.verifier}});
  CAIP_TRY(text, json_of(questions.ask(std::move(q)), "a token"));
  return parse_github_token(text);
}

Result<std::string> GithubProvider::ask(const Questions& questions, const std::string& path, const std::string& token) const {
  outbound::Request q = question(config_.api + path);
  q.headers = {{"Authorization", "Bearer " + token}, {"Accept", "application/vnd.github+json"}, {"X-GitHub-Api-Version", "2022-11-28"}, {"User-Agent", "CloudAIPilot"}};
  return json_of(questions.ask(std::move(q)), "who this is");
}

// The token is gone when this returns: who somebody is, is asked anew at each sign-in.
Result<Who> GithubProvider::identify(const Questions& questions, const Attempt& attempt, const Returned& back, const std::string& redirect_uri) const {
  CAIP_TRY(token, exchange(questions, attempt, back.code, redirect_uri));
  CAIP_TRY(user_text, ask(questions, "/user", token));
  CAIP_TRY(user, parse_github_user(user_text));
  // An address is good to have, and no reason to fail when nobody answers.
  std::optional<std::string> email;
  if (auto emails = ask(questions, "/user/emails", token)) {
    CAIP_TRY(found, parse_github_emails(*emails));
    email = std::move(found);
  }
  return Who{config_.web, std::move(user.id), std::move(email), std::move(user.login)};
}

}  // namespace caip::federation
