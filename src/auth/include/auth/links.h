// auth/links.h: what is done by letter: a forgotten password, an address that is shown to be one's own, another address.
// A link works once, for a time, is stored as SHA-256 alone, and does what it is for on a POST: looking at it changes
// nothing. The postman has each made when its letter is sent (mint). Thread-safe; reset() hashes a password.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/accounts.h"
#include "base/guarded.h"
#include "base/token_bucket.h"

namespace caip::outbox { struct Letter; }

namespace caip::auth {

inline constexpr Duration kResetLifetime = std::chrono::minutes(30);
inline constexpr Duration kConfirmLifetime = std::chrono::hours(24);
inline constexpr Duration kDisownLifetime = std::chrono::hours(24 * 7);
inline constexpr std::int64_t kMostLetters = 3;  // of a kind, to one person an hour
inline constexpr Duration kResetEvery = kResetLifetime / 3;  // letters to one account
inline constexpr Pace kResets{.burst = 600, .per_second = 5};  // of the whole installation: what strangers can have written

struct ResetOffer {  // what the holder of a reset link is shown
  UserId user;
  std::optional<OrgId> org;  // whose log has the entry
  Email email;
  bool second_factor;
};
struct Confirmation {
  UserId user;
  std::optional<OrgId> org;
  Email address;
  bool change;  // of the account's address; else its own is confirmed
  bool anew;    // somebody else made the account: what they know of it and put into it goes, and a letter leads to a password
};
struct Disownable {  // a sign-in, as its person is shown it
  UserId user;
  std::optional<OrgId> org;
  SessionId session;
  std::string device, address;
  Instant at;
};
struct Address {  // of one's account
  Email email;
  std::optional<Instant> verified;
  std::optional<Email> wanted;
  bool mail;  // whether this installation sends any
};

struct Link;  // a row; private

class Links {
 public:
  explicit Links(Accounts& accounts);

  // For the postman: the path and fragment of a letter's link, "" for a letter without one, nothing when nobody needs it.
  Result<std::optional<std::string>> mint(storage::WriteTx&, const outbox::Letter&, Instant written, Instant now) const;

  // All say Code::unavailable where no mail is sent.
  // Same answer and work whether there is such an account. Too many letters for one account: none is written, and that is not said.
  Result<Receipt<RequestPasswordReset>> request_reset(Authorized<RequestPasswordReset>&&);
  Result<ResetOffer> look_reset(std::string_view token) const;
  // Ends all sessions; a second factor is owed at the next sign-in as before, unless somebody else made the account and its
  // mailbox shows itself for the first time: then what is in it goes (first_proof.h), here and in confirm().
  Result<Receipt<ResetPassword>> reset(Authorized<ResetPassword>&&, std::string_view token, const SecretBytes& password);

  Result<Address> address(const Session&) const;
  Result<Receipt<RequestVerification>> request_verification(Authorized<RequestVerification>&&);
  // A link to the new address, word of it to the old one. Whether somebody has the new address is not said. The account's own
  // address takes a wish back.
  Result<Receipt<ChangeEmail>> change_email(Authorized<ChangeEmail>&&);
  Result<Confirmation> look_confirmation(std::string_view token) const;
  // That the account's address is its person's. Code::unauthenticated where the link is for another address: that takes confirm_new.
  Result<Receipt<ConfirmEmail>> confirm(Authorized<ConfirmEmail>&&, std::string_view token);
  // Makes the address that the link was sent to the account's. Code::conflict when it was taken meanwhile.
  Result<Receipt<ConfirmNewEmail>> confirm_new(Authorized<ConfirmNewEmail>&&, std::string_view token);

  Result<Disownable> look_sign_in(std::string_view token) const;
  // "This was not me": all sessions end, the password lets nobody in until it is reset by the letter that this sends, and
  // what was added to the account in that session is undone, with the way in that it took (auth/disown.cpp).
  Result<Receipt<DisownSignIn>> disown(Authorized<DisownSignIn>&&, std::string_view token);

 private:
  Result<void> write_to(storage::WriteTx&, const Link&, const std::optional<OrgId>&, Instant now) const;
  Result<void> not_too_many(storage::Reader&, MailKind, const UserId&, Instant now) const;
  Accounts& accounts_;
  Guarded<std::optional<TokenBucket>> asked_;
};

}  // namespace caip::auth
