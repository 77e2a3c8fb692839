#include "letters.h"

#include "base/product.h"

namespace caip::notifications {
namespace {

std::string about(const outbox::Letter& l) { return "\r\n\r\n    " + l.subject + "\r\n\r\n"; }
std::string linked(std::string_view what, const std::string& link) { return std::string(what) + " open this link and press the button on its page:\r\n\r\n" + link + "\r\n\r\n"; }

std::string text_of(const outbox::Letter& l, const std::string& link, const std::string& public_url) {
  switch (l.kind) {
    case MailKind::verify_email:
      if (link.empty()) return "This address was given for another account here, but it has an account already." + about(l) + "Nothing was changed, and there is nothing to do.\r\n";
      return "This address was given for an account here." + about(l) + linked("To confirm that it is yours,", link) +
             "The link works once, for a day. If it was not you, do nothing: without the link nothing changes.\r\n";
    case MailKind::reset_password:
      return "Somebody, hopefully you, has forgotten the password of your account." + about(l) + linked("To choose a new one,", link) +
             "The link works once, for half an hour, and a newer letter ends it. A second factor is asked for as before. If it was not you, do nothing: your password stays.\r\n";
    case MailKind::new_sign_in:
      return "Your account was signed in to from a device or place that it was not used from before." + about(l) +
             "If this was you, there is nothing to do.\r\n\r\n" + linked("If it was NOT you,", link) +
             "All your sessions end then, the old password works no more, what was added to your account in that session goes, and you get a letter to choose a new password.\r\n";
    case MailKind::account_changed:
      if (!link.empty())
        return "This is about how your account is signed in to." + about(l) + "If this was you, there is nothing to do.\r\n\r\n" + linked("If it was NOT you,", link) +
               "All your sessions end then, the old password works no more, what was added to your account in that session goes, and you get a letter to choose a new password.\r\n";
      return "This is about how your account is signed in to." + about(l) + "If this was you, there is nothing to do. If it was not, ask for a new password at\r\n\r\n" + public_url +
             "/forgot\r\n\r\nwhich ends all sessions, and tell an Owner of your organisation.\r\n";
    case MailKind::invitation:
      return "You are invited." + about(l) + linked("To accept,", link) + "The link is for this address alone and works once. If you do not know who this is, do nothing.\r\n";
  }
  return {};
}

}  // namespace

std::string_view title_of(MailKind kind) noexcept {
  switch (kind) {
    case MailKind::verify_email: return "Confirm your e-mail address";
    case MailKind::reset_password: return "Choose a new password";
    case MailKind::new_sign_in: return "New sign-in to your account";
    case MailKind::account_changed: return "Your account was changed";
    case MailKind::invitation: return "You are invited";
  }
  return "";
}

std::string body_of(const outbox::Letter& l, const std::string& link, const std::string& public_url) {
  return text_of(l, link, public_url) + "\r\n-- \r\n" + std::string(kProductName) + ", " + public_url + "\r\n";
}

}  // namespace caip::notifications
