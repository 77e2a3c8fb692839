#include "notifications/inbox.h"

#include "audit/ledger.h"
#include "rows.h"
#include "storage/database.h"

namespace caip::notifications {
namespace {

// ",approval.waiting,server.offline,": what this role is told about. Personal notices are chosen by
// their user, whatever the role.
std::string kinds_for(Role role) {
  std::string out = ",";
  for (const auto& e : all_events())
    if (e.reach != Reach::one_channel && granted(role, e.audience)) (out += e.name) += ",";
  return out;
}

}  // namespace

Result<Page<Notice>> Inbox::list(const Session& session, const PageAsk& ask) const {
  std::vector<Notice> found;
  std::optional<Error> damage;
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT n.seq, n.id, n.org, n.kind, n.user, n.subject, n.link, n.created, r.notice FROM notices n"
                        " LEFT JOIN notices_read r ON r.user = ?2 AND r.notice = n.seq"
                        " WHERE n.org = ?1 AND n.in_app = 1 AND n.seq < ?4 AND (n.user = ?2 OR n.user IS NULL) AND instr(?3, ',' || n.kind || ',') > 0"
                        " ORDER BY n.seq DESC LIMIT ?5",
                        session.org(), session.user(), kinds_for(session.principal().role), ask.after ? ask.after->number : INT64_MAX,
                        static_cast<std::int64_t>(ask.limit) + 1, [&](const storage::Row& r) {
                          auto notice = read_notice(r);
                          if (!notice) return void(damage = notice.error());
                          notice->read = !r.null(8);
                          found.push_back(*std::move(notice));
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(found), ask);
}

Result<std::int64_t> Inbox::unread(const Session& session) const {
  auto tx = db_.begin_read();
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM notices n WHERE n.org = ?1 AND n.in_app = 1 AND (n.user = ?2 OR n.user IS NULL)"
                                       " AND instr(?3, ',' || n.kind || ',') > 0"
                                       " AND NOT EXISTS (SELECT 1 FROM notices_read r WHERE r.user = ?2 AND r.notice = n.seq)",
                                       session.org(), session.user(), kinds_for(session.principal().role), [](const storage::Row& r) { return r.integer(0); }));
  return count.value_or(0);
}

Result<void> Inbox::mark_read(const Session& session, Authorized<ReadNotices>&& permit) {
  const NoticeId id = permit.action().notice;
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  auto tx = db_.begin_write();
  CAIP_TRY(seq, tx.one<std::int64_t>("SELECT seq FROM notices WHERE id = ?1 AND org = ?2 AND (user = ?3 OR user IS NULL)", id, session.org(), session.user(),
                                     [](const storage::Row& r) { return r.integer(0); }));
  if (!seq) return fail(Code::not_found, "no such notice");
  CAIP_TRY(count, tx.exec("INSERT OR IGNORE INTO notices_read (user, notice) SELECT ?2, n.seq FROM notices n"
                          " WHERE n.org = ?1 AND n.in_app = 1 AND n.seq <= ?4 AND (n.user = ?2 OR n.user IS NULL) AND instr(?3, ',' || n.kind || ',') > 0",
                          session.org(), session.user(), kinds_for(session.principal().role), *seq));
  if (count == 0) return {};
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"marked", count}}}));
  static_cast<void>(receipt);
  return {};
}

}  // namespace caip::notifications
