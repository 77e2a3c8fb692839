// The first time that the mailbox of an account which somebody else made shows itself. Whoever made it knows its first
// password and may have put factors, linked accounts and tokens into it: until then, what is in it is not its person's.
// Private.
#pragma once
#include <optional>

#include "auth/notices.h"
#include "rows.h"

namespace caip::auth {

// Made by somebody else, and no mailbox has shown itself yet.
Result<bool> planted(storage::Reader&, const UserId&);

// Whatever was set up in the account goes, but for one linked account: factors, tokens, sessions, what letters' links would
// do, and the password, which `password` replaces ("": none lets anybody in until it is reset). How many sessions ended.
Result<std::int64_t> begin_anew(storage::WriteTx&, const UserId&, std::string_view password, const std::optional<IdentityId>& kept, Instant now);

// The same where its person has no password to give: a letter to the account's address leads to one.
Result<void> hand_over(storage::WriteTx&, const Notices&, const UserId&, const std::optional<IdentityId>& kept, Instant now);

}  // namespace caip::auth
