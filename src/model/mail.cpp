#include "model/mail.h"

#include <array>

namespace caip {

std::string_view text(MailKind kind) noexcept {
  switch (kind) {
    case MailKind::verify_email: return "verify_email";
    case MailKind::reset_password: return "reset_password";
    case MailKind::new_sign_in: return "new_sign_in";
    case MailKind::account_changed: return "account_changed";
    case MailKind::invitation: return "invitation";
  }
  return "?";
}

Result<MailKind> parse_mail_kind(std::string_view name) {
  using enum MailKind;
  for (const MailKind kind : {verify_email, reset_password, new_sign_in, account_changed, invitation})
    if (text(kind) == name) return kind;
  return fail(Code::invalid, "no kind of letter");
}

}  // namespace caip
