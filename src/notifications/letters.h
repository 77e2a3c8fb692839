// What a personal letter says. Private. Plain text of ours around a subject that is from outside: it stands on a
// line of its own, escaped, and no link is made of it by us.
#pragma once
#include <string>

#include "outbox/letter.h"

namespace caip::notifications {

std::string_view title_of(MailKind) noexcept;  // ASCII
// `link`: whole, with the token in its fragment, or empty. `public_url`: where people find this installation.
std::string body_of(const outbox::Letter&, const std::string& link, const std::string& public_url);

}  // namespace caip::notifications
