#include "additions.h"

namespace caip::auth {
namespace {

constexpr Duration kKept = std::chrono::hours(24 * 30);  // longer than any link that undoes

}  // namespace

Result<void> note_addition(storage::WriteTx& tx, const UserId& user, const std::optional<SessionId>& by, std::string_view what, std::string_view id, Instant now) {
  CAIP_CHECKED(tx.exec("DELETE FROM additions WHERE at < ?1", now + -kKept));
  if (by) CAIP_CHECKED(tx.exec("INSERT INTO additions (user, session, what, id, at) VALUES (?1, ?2, ?3, ?4, ?5)", user, *by, what, id, now));
  return {};
}

Result<std::vector<Addition>> additions_of(storage::Reader& tx, const UserId& user, const SessionId& session) {
  std::vector<Addition> out;
  CAIP_CHECKED(tx.query(
      "WITH RECURSIVE theirs(id) AS ("
      " SELECT ?2 UNION"
      " SELECT s.id FROM sessions AS b JOIN sessions AS s ON s.user = ?1 AND s.device_id = b.device_id AND s.created >= b.created"
      "  WHERE b.id = ?2 AND b.device_id <> ''"
      "  AND NOT EXISTS (SELECT 1 FROM sessions AS e WHERE e.user = ?1 AND e.device_id = b.device_id AND e.created < b.created)"
      " UNION"
      " SELECT s.id FROM theirs JOIN additions AS a ON a.session = theirs.id AND a.user = ?1"
      "  JOIN sessions AS s ON s.user = ?1 AND s.method = a.what || ':' || a.id"
      " UNION"
      " SELECT s.id FROM theirs JOIN sessions AS s ON s.user = ?1 AND s.method = 'session:' || theirs.id)"
      " SELECT what, id, at FROM additions WHERE user = ?1 AND session IN (SELECT id FROM theirs) ORDER BY at DESC, rowid DESC",
      user, session, [&](const storage::Row& r) { out.push_back({r.text(0), r.text(1), r.time(2)}); }));
  return out;
}

}  // namespace caip::auth
