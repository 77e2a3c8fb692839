#include "first_proof.h"

#include "link_rows.h"
#include "outbox/letter.h"

namespace caip::auth {

Result<bool> planted(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(found, tx.one<bool>("SELECT 1 FROM users WHERE id = ?1 AND verified IS NULL AND made_by IS NOT NULL", user, [](const storage::Row&) { return true; }));
  return found.has_value();
}

Result<std::int64_t> begin_anew(storage::WriteTx& tx, const UserId& user, std::string_view password, const std::optional<IdentityId>& kept, Instant now) {
  CAIP_TRY(ended, drop_factors(tx, user, now));
  CAIP_CHECKED(tx.exec("DELETE FROM identities WHERE user = ?1 AND id <> ?2", user, kept ? kept->str() : std::string()));
  CAIP_CHECKED(tx.exec("DELETE FROM seen_places WHERE user = ?1", user));
  CAIP_CHECKED(tx.exec("DELETE FROM known_devices WHERE user = ?1", user));
  CAIP_CHECKED(tx.exec("UPDATE users SET password = ?2, wanted_email = NULL, made_by = NULL WHERE id = ?1", user, password));
  CAIP_CHECKED(tx.exec("DELETE FROM links WHERE user = ?1", user));
  CAIP_CHECKED(tx.exec("DELETE FROM additions WHERE user = ?1", user));  // undone, an address would be the maker's again
  return ended;
}

Result<void> hand_over(storage::WriteTx& tx, const Notices& notices, const UserId& id, const std::optional<IdentityId>& kept, Instant now) {
  CAIP_CHECKED(begin_anew(tx, id, "", kept, now));
  CAIP_TRY(user, user_by_id(tx, id));
  if (!user) return fail(Code::internal, "a proof of nobody's account");
  CAIP_CHECKED(notices.changed(tx, id, "the address was confirmed for the first time; somebody else made this account, so its first password and what had been set up in it were removed; all sessions ended", now));
  CAIP_TRY(org, last_org(tx, id));
  return notices.letter(tx, {.kind = MailKind::reset_password, .org = org, .user = id, .address = user->email, .subject = user->email.str()}, now);
}

}  // namespace caip::auth
