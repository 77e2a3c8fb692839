// A token as it stands in the database, for who verifies one. Private.
#pragma once
#include <optional>
#include <vector>

#include "auth/api_tokens.h"
#include "rows.h"

namespace caip::auth {

struct LiveToken {  // neither ended nor expired, and its maker belongs to its organisation
  TokenId id;
  PermissionSet scopes;
  std::vector<std::string> networks;
  Instant expires;
  MemberRow member;
};
Result<std::optional<LiveToken>> live_token(storage::Reader&, std::string_view text, Instant now);
// Empty: from anywhere. What is no address is nowhere.
bool comes_from(const std::vector<std::string>& networks, std::string_view address);

std::string scopes_text(PermissionSet);        // names, a blank between
PermissionSet scopes_from(std::string_view);   // a name that is gone is no scope any more

}  // namespace caip::auth
