// federation/github.h: GitHub's OAuth has no ID token: the person is asked from its API. Its token endpoint
// answers failures with HTTP 200. What is read here is never shown and never in an error.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::federation {

struct GithubUser {
  std::string id;     // the number: login names change hands
  std::string login;  // for the person's eyes
};

// The access token, if `user:email` was granted with it. Code::bad_credentials for what GitHub refused.
Result<std::string> parse_github_token(std::string_view text);
Result<GithubUser> parse_github_user(std::string_view text);
// The address that is primary and verified.
Result<std::optional<std::string>> parse_github_emails(std::string_view text);

}  // namespace caip::federation
