#include "auth/notices.h"

#include "outbox/letter.h"
#include "outbox/outbox.h"
#include "rows.h"

namespace caip::auth {

std::string harmless(std::string_view name) {
  std::string out;
  for (const char c : name) out += std::string_view(".:/\\@").contains(c) ? ' ' : c;
  return out;
}

Result<void> Notices::needs_mail() const {
  if (mail_) return {};
  return fail(Code::unavailable, "this installation sends no mail yet; whoever runs it sets a mail server under [mail] in the configuration file");
}

Result<void> Notices::letter(storage::WriteTx& tx, const outbox::Letter& letter, Instant now) const { return mail_ ? outbox::write(tx, letter, now) : Result<void>(); }

Result<void> Notices::changed(storage::WriteTx& tx, const UserId& id, const std::string& what, Instant now, const std::optional<SessionId>& by) const {
  CAIP_TRY(user, user_by_id(tx, id));
  if (!user) return fail(Code::internal, "a change of nobody's account");
  const std::string subject = user->email.str() + ": " + what;
  CAIP_TRY(belongs, memberships_of(tx, id));
  for (const auto& m : belongs) CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::credential_changed, .org = m.org, .user = id, .subject = subject}, now));
  return letter(tx, {.kind = MailKind::account_changed, .org = belongs.empty() ? std::nullopt : std::optional(belongs.front().org), .user = id, .address = user->email, .subject = subject, .about = by ? by->str() : std::string()}, now);
}

}  // namespace caip::auth
