#include "auth/identities.h"

#include "additions.h"

#include "audit/ledger.h"
#include "identity_rows.h"
#include "storage/database.h"

namespace caip::auth {
namespace {

Result<bool> has_password(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(found, tx.one<bool>("SELECT password <> '' FROM users WHERE id = ?1", user, [](const storage::Row& r) { return r.integer(0) != 0; }));
  return found.value_or(false);
}

Result<std::vector<Identity>> of(storage::Reader& tx, const UserId& user) {
  std::vector<Identity> out;
  Result<void> bad;
  CAIP_CHECKED(tx.query("SELECT id, provider, shown, created, used FROM identities WHERE user = ?1 ORDER BY created, id", user, [&](const storage::Row& r) {
    auto id = r.id<IdentityId>(0);
    if (!id) bad = std::unexpected<Error>(std::move(id).error());
    else out.push_back({*id, r.text(1), r.text(2), r.time(3), r.optional_time(4)});
  }));
  CAIP_CHECKED(std::move(bad));
  return out;
}

Result<Methods> methods_of(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(password, has_password(tx, user));
  CAIP_TRY(identities, of(tx, user));
  return Methods{password, std::move(identities)};
}

}  // namespace

Result<Methods> Identities::methods(const UserId& user) const {
  auto tx = database_.begin_read();
  return methods_of(tx, user);
}

Result<Receipt<LinkIdentity>> Identities::link(Authorized<LinkIdentity>&& permit, const ExternalIdentity& who) {
  const LinkIdentity action = permit.action();
  const UserId user = *permit.principal().user;
  const auto session = permit.principal().session;
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database_.begin_write();
  CAIP_TRY(taken, link_of(tx, who));
  if (taken) return fail(Code::conflict, "this account is linked already");
  CAIP_TRY(before, of(tx, user));
  if (before.size() >= kMostOfOne) return fail(Code::conflict, "too many linked accounts; unlink one first");
  CAIP_CHECKED(insert_identity(tx, {action.identity, user}, who, now));
  CAIP_CHECKED(note_addition(tx, user, session, "identity", action.identity.str(), now));
  CAIP_CHECKED(notices_.changed(tx, user, "an account at " + who.provider() + " was linked", now, session));
  return ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"issuer", who.issuer()}, {"subject", who.subject()}}});
}

Result<Receipt<UnlinkIdentity>> Identities::unlink(Authorized<UnlinkIdentity>&& permit) {
  const UnlinkIdentity action = permit.action();
  const UserId user = *permit.principal().user;
  const auto session = permit.principal().session;
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database_.begin_write();
  CAIP_TRY(gone, tx.exec("DELETE FROM identities WHERE id = ?1 AND user = ?2", action.identity, user));
  if (gone == 0) return fail(Code::not_found, "no such linked account");
  CAIP_TRY(left, methods_of(tx, user));
  if (!left.password && left.identities.empty()) return fail(Code::conflict, "this is the only way to sign in; set a password or link another account first");
  CAIP_CHECKED(notices_.changed(tx, user, "an account at another service was unlinked", now, session));
  return ledger_.commit(std::move(tx), std::move(spent));
}

}  // namespace caip::auth
