// What a session added to its person's account, so that it can be undone when they say that its sign-in was not them:
// that, and nothing that somebody else's session added. Private.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "rows.h"

namespace caip::auth {

// "passkey", "totp", "identity", "token" with its id; "codes"; "email" with the address before.
Result<void> note_addition(storage::WriteTx&, const UserId&, const std::optional<SessionId>& by, std::string_view what, std::string_view id, Instant now);

struct Addition {
  std::string what, id;
  Instant at;
};
// By that session, by later ones on its device where that was new then, and by those that came in by what these added. The
// newest first.
Result<std::vector<Addition>> additions_of(storage::Reader&, const UserId&, const SessionId&);

}  // namespace caip::auth
