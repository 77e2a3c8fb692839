// model/actor.h: who does something, and through what. Recorded with every log entry.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/text.h"
#include "model/ids.h"
#include "model/permission.h"

namespace caip {

enum class Source : std::uint8_t { user, api_token, pilot, agent, system, anonymous };
std::string_view text(Source) noexcept;

// A request that must not be carried out twice: digests of its Idempotency-Key with method and path,
// and of its body.
struct Command {
  Digest key;
  Digest payload;
};

struct Origin {  // where the request came from; text from outside
  std::string address;
  Foreign user_agent;
  std::string request;  // req_… id, ours
  std::optional<Command> command = {};
};

// A person (or nobody) in one organisation. The pilot has no principal of its own: it carries
// its human's with source = pilot, and the authorizer takes away what an AI must not do.
struct Principal {
  Source source = Source::anonymous;
  std::optional<OrgId> org;
  std::optional<UserId> user;
  std::optional<SessionId> session;
  std::optional<ServerId> server;  // source == agent
  Role role = Role::viewer;        // counts only with a user
  Origin origin;
  std::optional<TokenId> token = {};                        // source == api_token; there is no session then
  PermissionSet narrowed = PermissionSet::everything();     // what of the role's permissions a token carries
};

// May this principal, by role and by what its token was narrowed to? The role alone is not the answer.
bool holds(const Principal&, Permission) noexcept;
PermissionSet held(const Principal&) noexcept;

}  // namespace caip
