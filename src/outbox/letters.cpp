#include "base/text.h"
#include "crypto/random.h"
#include "model/notification.h"
#include "outbox/letter.h"

namespace caip::outbox {
namespace {

constexpr std::size_t kMostSubject = 500;

Result<std::int64_t> number(Result<std::optional<std::int64_t>> row) {
  if (!row) return std::unexpected<Error>(std::move(row).error());
  return row->value_or(0);
}

std::int64_t first(const storage::Row& r) { return r.integer(0); }

}  // namespace

Result<void> write(storage::WriteTx& tx, const Letter& l, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO letters (id, kind, org, user, address, subject, about, created, state, tries, next, outcome)"
                       " VALUES (?1, ?2, (SELECT ?3 WHERE NOT EXISTS (SELECT 1 FROM told_no_more WHERE org = ?3)), ?4, ?5, ?6, ?7, ?8, ?9, 0, ?8, '')",
                       crypto::random_id<DeliveryId>(), text(l.kind), l.org, l.user, l.address.str(), shown(cut(l.subject, kMostSubject)), l.about, now,
                       text(DeliveryState::queued)));
  return {};
}

Result<std::int64_t> written(storage::Reader& tx, MailKind kind, const UserId& user, Instant since) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE user = ?1 AND kind = ?2 AND created > ?3", user, text(kind), since, first));
}

Result<std::int64_t> written_to(storage::Reader& tx, MailKind kind, const Email& address, Instant since) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE address = ?1 AND kind = ?2 AND created > ?3", address.str(), text(kind), since, first));
}

Result<std::int64_t> written_to(storage::Reader& tx, MailKind kind, const Email& address, const OrgId& of, Instant since) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE address = ?1 AND kind = ?2 AND created > ?3 AND org = ?4", address.str(), text(kind), since, of, first));
}

Result<std::int64_t> written_for(storage::Reader& tx, MailKind kind, const OrgId& org, Instant since) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE org = ?1 AND kind = ?2 AND created > ?3", org, text(kind), since, first));
}

Result<Letter> read_letter(const storage::Row& r, int from) {
  CAIP_TRY(kind, parse_mail_kind(r.text_view(from)));
  CAIP_TRY(org, r.optional_id<OrgId>(from + 1));
  CAIP_TRY(user, r.optional_id<UserId>(from + 2));
  CAIP_TRY(address, Email::parse(r.text_view(from + 3)));
  return Letter{.kind = kind, .org = org, .user = user, .address = std::move(address), .subject = r.text(from + 4), .about = r.text(from + 5)};
}

}  // namespace caip::outbox
