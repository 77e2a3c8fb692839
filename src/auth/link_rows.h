// Links that letters carry: single-use, for a time, stored as SHA-256. One for each person, purpose and subject: a
// newer one takes the older one's place. Private.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/mail.h"
#include "model/names.h"
#include "rows.h"

namespace caip::auth {

struct Link {
  UserId user;
  std::string about;
  Email address;  // where it was sent
};

// The token, which only the letter has.
Result<std::string> put_link(storage::WriteTx&, MailKind purpose, const Link&, Instant now, Duration lifetime);
Result<std::optional<Link>> find_link(storage::Reader&, MailKind purpose, std::string_view token, Instant now);
// Once: of two at the same time, one. Code::expired for the other.
Result<Link> take_link(storage::WriteTx&, MailKind purpose, std::string_view token, Instant now);
Result<void> forget_links(storage::WriteTx&, const UserId&, MailKind purpose);
std::unexpected<Error> bad_link();

}  // namespace caip::auth
