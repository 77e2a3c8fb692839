#include "placements.h"

namespace caip::servers::placements {
namespace {

Result<Placement> read(const storage::Row& r) {
  CAIP_TRY(operation, r.id<OperationId>(0));
  CAIP_TRY(user, UnixUser::parse(r.text_view(1)));
  CAIP_TRY(secret, r.id<SecretId>(2));
  return Placement{.operation = operation, .user = std::move(user), .secret = secret, .version = r.integer(3), .state = r.text(4), .at = r.time(5)};
}

// What its file held before: of orders that are still under way nothing is known yet.
Result<void> forget_file(storage::WriteTx& tx, const ServerId& server, const UnixUser& user, const OperationId& but) {
  CAIP_CHECKED(tx.exec("DELETE FROM env_placements WHERE server = ?1 AND user = ?2 AND operation <> ?3 AND state <> 'sent'", server, user.str(), but));
  return {};
}

Result<void> state(storage::WriteTx& tx, const Operation& o, std::string_view to) {
  CAIP_CHECKED(tx.exec("UPDATE env_placements SET state = ?2, at = ?3 WHERE operation = ?1", o.id, to, *o.finished_at));
  return {};
}

}  // namespace

Result<void> begun(storage::WriteTx& tx, const Operation& o) {
  const auto* place = std::get_if<PlaceEnv>(&o.action);
  if (!place) return {};
  for (const auto& [secret, version] : place->secrets)
    CAIP_CHECKED(tx.exec("INSERT INTO env_placements (operation, org, server, user, secret, version, state, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'sent', ?7)",
                         o.id, o.org, place->server, place->user.str(), secret, version, o.created_at));
  return {};
}

Result<void> ended(storage::WriteTx& tx, const Operation& o, Certainty certainty) {
  const bool good = o.status == OperationStatus::succeeded;
  if (const auto* removed = std::get_if<RemoveEnv>(&o.action)) return good ? forget_file(tx, removed->server, removed->user, o.id) : Result<void>{};
  const auto* place = std::get_if<PlaceEnv>(&o.action);
  if (!place) return {};
  if (!good && certainty == Certainty::doubtful) return state(tx, o, "unknown");
  if (!good) {
    CAIP_CHECKED(tx.exec("DELETE FROM env_placements WHERE operation = ?1", o.id));
    return {};
  }
  CAIP_CHECKED(forget_file(tx, place->server, place->user, o.id));
  return state(tx, o, "placed");
}

Result<void> doubt(storage::WriteTx& tx, const ServerId& server) {
  CAIP_CHECKED(tx.exec("UPDATE env_placements SET state = 'unknown' WHERE server = ?1", server));
  return {};
}

Result<std::vector<Placement>> on(storage::Reader& tx, const ServerId& server) {
  std::vector<Placement> out;
  std::optional<Error> damage;
  CAIP_CHECKED(tx.query("SELECT operation, user, secret, version, state, at FROM env_placements WHERE server = ?1 ORDER BY user, at, operation, secret", server,
                        [&](const storage::Row& r) {
                          auto one = read(r);
                          if (one) out.push_back(*std::move(one));
                          else damage = one.error();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return out;
}

}  // namespace caip::servers::placements
