#include "presence.h"

namespace caip::auth {
namespace {

Result<bool> any(Result<std::optional<bool>> row) {
  if (!row) return std::unexpected<Error>(std::move(row).error());
  return row->has_value();
}

bool yes(const storage::Row&) { return true; }

}  // namespace

Result<Novelty> novelty(storage::Reader& tx, const UserId& user, const Presence& p) {
  Novelty n;
  CAIP_TRY(watched, any(tx.one<bool>("SELECT 1 FROM users WHERE id = ?1 AND (made_by IS NOT NULL OR EXISTS (SELECT 1 FROM sessions WHERE user = ?1))", user, yes)));
  n.first = !watched;
  n.device = !p.device_known;
  CAIP_TRY(there, any(tx.one<bool>("SELECT 1 FROM seen_places WHERE user = ?1 AND network = ?2 AND (country = ?3 OR country = '' OR ?3 = '') LIMIT 1", user, p.place.network,
                                   p.place.country, yes)));
  // Of accounts from before places were kept, the first place is as good as known.
  CAIP_TRY(somewhere, any(tx.one<bool>("SELECT 1 FROM seen_places WHERE user = ?1 LIMIT 1", user, yes)));
  n.place = somewhere && !there;
  return n;
}

Result<bool> still_known(storage::Reader& tx, const UserId& user, const Presence& p) {
  if (!p.device_known) return true;
  return any(tx.one<bool>("SELECT 1 FROM known_devices WHERE user = ?1 AND id = ?2", user, p.device_id, yes));
}

Result<void> remember(storage::WriteTx& tx, const UserId& user, const Presence& p, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO seen_places (user, country, network, since, last) VALUES (?1, ?2, ?3, ?4, ?4)"
                       " ON CONFLICT (user, country, network) DO UPDATE SET last = ?4", user, p.place.country, p.place.network, now));
  return {};
}

Result<void> remember_device(storage::WriteTx& tx, const UserId& user, const Presence& p, std::string_view family, std::string_view address, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO known_devices (user, id, family, address, since, last) VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
                       " ON CONFLICT (user, id) DO UPDATE SET address = ?4, last = ?5", user, p.device_id, family, address, now));
  // First those that were seen once: a program that throws its token away does not push out a browser that comes again.
  CAIP_CHECKED(tx.exec("DELETE FROM known_devices WHERE user = ?1 AND id <> ?4 AND (last <= ?2 OR id NOT IN"
                       " (SELECT id FROM known_devices WHERE user = ?1 AND id <> ?4 ORDER BY last > since DESC, last DESC, id DESC LIMIT ?3))",
                       user, now + -kDeviceKept, kMostDevices - 1, p.device_id));
  return {};
}

}  // namespace caip::auth
