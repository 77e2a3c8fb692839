// The counts of failed attempts, as they outlive the process.
#include "accounts_impl.h"
#include "auth/accounts.h"

namespace caip::auth {

Result<void> Accounts::start() {
  std::vector<Failures> rows;
  Result<void> bad;
  auto tx = impl_->database.begin_read();
  CAIP_CHECKED(tx.query("SELECT key, failures, last, until FROM failed_attempts", [&](const storage::Row& r) {
    auto key = r.digest(0);
    if (key) rows.push_back({*key, r.integer(1), r.time(2), r.time(3)});
    else bad = std::unexpected<Error>(std::move(key).error());
  }));
  CAIP_CHECKED(std::move(bad));
  impl_->throttle.load(rows);
  return {};
}

Result<void> Accounts::Impl::store_failures(storage::WriteTx& tx, const std::vector<Failures>& rows) const {
  CAIP_CHECKED(tx.exec("DELETE FROM failed_attempts WHERE last < ?1", clock.now() + -kLongestMemory));
  for (const auto& f : rows)
    CAIP_CHECKED(tx.exec("INSERT INTO failed_attempts (key, failures, last, until) VALUES (?1, ?2, ?3, ?4)"
                         " ON CONFLICT (key) DO UPDATE SET failures = ?2, last = ?3, until = ?4", f.key, f.failures, f.last, f.until));
  return {};
}

Result<void> Accounts::Impl::forgive(storage::WriteTx& tx, const Counters& of) {
  throttle.succeeded(of);
  CAIP_CHECKED(tx.exec("DELETE FROM failed_attempts WHERE key = ?1", of.front().key));
  return {};
}

Result<void> Accounts::Impl::forgive_all(storage::WriteTx& tx, const Counters& of) {
  throttle.forget(of);
  for (const Counter& c : of) CAIP_CHECKED(tx.exec("DELETE FROM failed_attempts WHERE key = ?1", c.key));
  return {};
}

}  // namespace caip::auth
