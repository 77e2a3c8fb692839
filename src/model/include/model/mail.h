// model/mail.h: letters to one person's own address, which are no notifications of an organisation.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class MailKind : std::uint8_t { verify_email, reset_password, new_sign_in, account_changed, invitation };
std::string_view text(MailKind) noexcept;  // "verify_email"
Result<MailKind> parse_mail_kind(std::string_view);

}  // namespace caip
