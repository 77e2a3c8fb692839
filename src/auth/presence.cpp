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

Result<void> remember(storage::WriteTx& tx, const UserId& user, const Presence& p, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO seen_places (user, country, network, since, last) VALUES (?1, ?2, ?3, ?4, ?4)"
                       " ON CONFLICT (user, country, network) DO UPDATE SET last = ?4", user, p.place.country, p.place.network, now));
  return {};
}

}  // namespace caip::auth
