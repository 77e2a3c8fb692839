// The devices on which a person is known: seen, and forgotten.
#include <algorithm>
#include <limits>

#include "accounts_impl.h"
#include "auth/accounts.h"
#include "base/bytes.h"

namespace caip::auth {
namespace {

// A device's token names it in base64url; outside it is called by the same bytes, as everything else is.
std::string in_token(const DeviceId& id) { return base64url(id.bytes()); }

Result<DeviceId> device_id(std::string_view in_token) {
  const auto bytes = from_base64url(in_token);
  IdBytes id;
  if (!bytes || bytes->size() != id.size()) return fail(Code::internal, "a device without an id");
  std::ranges::copy(*bytes, id.begin());
  return DeviceId{id};
}

Result<KnownDevice> read_device(const storage::Row& r) {
  CAIP_TRY(id, device_id(r.text(0)));
  return KnownDevice{id, r.text(1), r.text(2), {}, {}, r.time(3), r.time(4), r.integer(5), r.integer(6) != 0};
}

}  // namespace

Result<Page<KnownDevice>> Accounts::devices(const Session& session, const PageAsk& ask) const {
  std::vector<KnownDevice> found;
  Result<void> bad;
  const Instant now = impl_->clock.now();
  Place last{.number = std::numeric_limits<std::int64_t>::max(), .id = {}};
  if (ask.after) {
    CAIP_TRY(id, DeviceId::parse(ask.after->id));
    last = {.number = ask.after->number, .id = in_token(id)};
  }
  auto tx = impl_->database.begin_read();
  CAIP_CHECKED(tx.query("SELECT d.id, d.family, d.address, d.since, d.last,"
                        " (SELECT count(*) FROM sessions JOIN orgs ON orgs.id = sessions.org WHERE sessions.user = ?1 AND sessions.device_id = d.id AND " CAIP_SESSION_LIVES "),"
                        " EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = ?3 AND s.device_id = d.id)"
                        " FROM known_devices AS d WHERE d.user = ?1 AND d.last > ?4 AND (d.last, d.id) < (?5, ?6)"
                        " ORDER BY d.last DESC, d.id DESC LIMIT ?7",
                        session.user(), now, session.id(), now + -kDeviceKept, last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    if (auto one = read_device(r)) found.push_back(*std::move(one));
    else bad = std::unexpected<Error>(std::move(one).error());
  }));
  CAIP_CHECKED(std::move(bad));
  for (auto& d : found) {
    auto place = impl_->place_of(d.address);
    d.country = std::move(place.country);
    d.network = std::move(place.network);
  }
  return page_of(std::move(found), ask);
}

Result<std::int64_t> Accounts::forget_device(Authorized<ForgetDevice>&& permit) {
  const ForgetDevice action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  {
    auto tx = impl_->database.begin_write();
    const std::string id = in_token(action.device);
    CAIP_TRY(gone, tx.exec("DELETE FROM known_devices WHERE user = ?1 AND id = ?2", *who.user, id));
    if (gone != 0) {
      CAIP_TRY(ended, end_sessions_on(tx, *who.user, id, *who.session, now));
      CAIP_CHECKED(impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}}}));
      return ended;
    }
  }
  return impl_->refuse(action, who, Code::not_found, "not a device of theirs", "there is no such device");
}

}  // namespace caip::auth
