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

// The last that this person has read here; 0: none.
Result<std::int64_t> read_up_to(storage::Reader& tx, const Session& session) {
  CAIP_TRY(seq, tx.one<std::int64_t>("SELECT notice FROM notices_read_up_to WHERE user = ?1 AND org = ?2", session.user(), session.org(),
                                     [](const storage::Row& r) { return r.integer(0); }));
  return seq.value_or(0);
}

}  // namespace

Result<Page<Notice>> Inbox::list(const Session& session, const PageAsk& ask) const {
  std::vector<Notice> found;
  std::optional<Error> damage;
  auto tx = db_.begin_read();
  CAIP_TRY(mark, read_up_to(tx, session));
  CAIP_CHECKED(tx.query("SELECT n.seq, n.id, n.org, n.kind, n.user, n.subject, n.link, n.created FROM notices n"
                        " WHERE n.org = ?1 AND n.in_app = 1 AND n.seq < ?4 AND (n.user = ?2 OR n.user IS NULL) AND instr(?3, ',' || n.kind || ',') > 0"
                        " ORDER BY n.seq DESC LIMIT ?5",
                        session.org(), session.user(), kinds_for(session.principal().role), ask.after ? ask.after->number : INT64_MAX,
                        static_cast<std::int64_t>(ask.limit) + 1, [&](const storage::Row& r) {
                          auto notice = read_notice(r);
                          if (!notice) return void(damage = notice.error());
                          notice->read = notice->seq <= mark;
                          found.push_back(*std::move(notice));
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(found), ask);
}

Result<std::int64_t> Inbox::unread(const Session& session) const {
  auto tx = db_.begin_read();
  CAIP_TRY(mark, read_up_to(tx, session));
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM notices n WHERE n.org = ?1 AND n.in_app = 1 AND n.seq > ?4 AND (n.user = ?2 OR n.user IS NULL)"
                                       " AND instr(?3, ',' || n.kind || ',') > 0",
                                       session.org(), session.user(), kinds_for(session.principal().role), mark, [](const storage::Row& r) { return r.integer(0); }));
  return count.value_or(0);
}

// The writer's lane is everybody's: who has read it all before does not enter it.
Result<void> Inbox::mark_read(const Session& session, Authorized<ReadNotices>&& permit) {
  const NoticeId id = permit.action().notice;
  std::int64_t up_to = 0;
  {
    auto tx = db_.begin_read();
    CAIP_TRY(seq, tx.one<std::int64_t>("SELECT seq FROM notices WHERE id = ?1 AND org = ?2 AND in_app = 1 AND (user = ?3 OR user IS NULL) AND instr(?4, ',' || kind || ',') > 0",
                                       id, session.org(), session.user(), kinds_for(session.principal().role), [](const storage::Row& r) { return r.integer(0); }));
    if (!seq) return fail(Code::not_found, "no such notice");
    CAIP_TRY(mark, read_up_to(tx, session));
    if (*seq <= mark) return {};
    up_to = *seq;
  }
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  auto tx = db_.begin_write();
  CAIP_CHECKED(tx.exec("INSERT INTO notices_read_up_to (user, org, notice) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (user, org) DO UPDATE SET notice = max(notice, excluded.notice)",
                       session.user(), session.org(), up_to));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  return {};
}

}  // namespace caip::notifications
