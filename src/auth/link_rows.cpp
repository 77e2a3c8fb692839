#include "link_rows.h"

#include "crypto/hash.h"
#include "crypto/random.h"

namespace caip::auth {
namespace {

Digest hash_of(std::string_view token) { return crypto::sha256(view(token)); }

}  // namespace

std::unexpected<Error> bad_link() { return fail(Code::expired, "this link was used, replaced by a newer one, or has expired; have another letter sent"); }

Result<std::string> put_link(storage::WriteTx& tx, MailKind purpose, const Link& l, Instant now, Duration lifetime) {
  std::string token = base64url(crypto::random_bytes(32));
  CAIP_CHECKED(tx.exec("DELETE FROM links WHERE expires <= ?1", now));
  CAIP_CHECKED(tx.exec("INSERT OR REPLACE INTO links (purpose, user, about, hash, address, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", text(purpose), l.user, l.about,
                       hash_of(token), l.address.str(), now + lifetime));
  return token;
}

Result<std::optional<Link>> find_link(storage::Reader& tx, MailKind purpose, std::string_view token, Instant now) {
  CAIP_TRY(row, tx.one<Result<Link>>("SELECT user, about, address FROM links WHERE hash = ?1 AND purpose = ?2 AND expires > ?3", hash_of(token), text(purpose), now,
                                     [](const storage::Row& r) -> Result<Link> {
    CAIP_TRY(user, r.id<UserId>(0));
    CAIP_TRY(address, Email::parse(r.text_view(2)));
    return Link{user, r.text(1), std::move(address)};
  }));
  if (!row) return std::optional<Link>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional(std::move(found));
}

Result<Link> take_link(storage::WriteTx& tx, MailKind purpose, std::string_view token, Instant now) {
  CAIP_TRY(found, find_link(tx, purpose, token, now));
  if (!found) return bad_link();
  CAIP_CHECKED(tx.exec("DELETE FROM links WHERE hash = ?1", hash_of(token)));
  return *std::move(found);
}

Result<void> forget_links(storage::WriteTx& tx, const UserId& user, MailKind purpose) {
  CAIP_CHECKED(tx.exec("DELETE FROM links WHERE user = ?1 AND purpose = ?2", user, text(purpose)));
  return {};
}

}  // namespace caip::auth
