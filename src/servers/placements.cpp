#include "placements.h"

namespace caip::servers::placements {
namespace {

Result<Placement> read(const storage::Row& r) {
  CAIP_TRY(operation, r.id<OperationId>(0));
  CAIP_TRY(user, UnixUser::parse(r.text_view(1)));
  CAIP_TRY(secret, r.id<SecretId>(2));
  return Placement{.operation = operation, .user = std::move(user), .secret = secret, .version = r.integer(3), .state = r.text(4), .at = r.time(5)};
}

struct File {
  ServerId server;
  UnixUser user;
};

std::optional<File> file_of(const ServerAction& action) {
  if (const auto* place = std::get_if<PlaceEnv>(&action)) return File{place->server, place->user};
  if (const auto* remove = std::get_if<RemoveEnv>(&action)) return File{remove->server, remove->user};
  return std::nullopt;
}

// No other order about the file until this one has ended.
Result<void> hold(storage::WriteTx& tx, const File& file, const OperationId& by) {
  CAIP_TRY(other, tx.one<std::string>("SELECT operation FROM env_orders WHERE server = ?1 AND user = ?2", file.server, file.user.str(),
                                      [](const storage::Row& r) { return r.text(0); }));
  if (other)
    return fail(Code::conflict, "another order about the env values of " + file.user.str() + " on this server has not ended yet (" + *other + "); try again when it has, after two minutes at most");
  CAIP_CHECKED(tx.exec("INSERT INTO env_orders (server, user, operation) VALUES (?1, ?2, ?3)", file.server, file.user.str(), by));
  return {};
}

// What the file held before. Only orders from before there was one at a time may be under way beside this one.
Result<void> forget_others(storage::WriteTx& tx, const File& file, const OperationId& but) {
  CAIP_CHECKED(tx.exec("DELETE FROM env_placements WHERE server = ?1 AND user = ?2 AND operation <> ?3 AND state <> 'sent'", file.server, file.user.str(), but));
  return {};
}

Result<void> state(storage::WriteTx& tx, const Operation& o, std::string_view to) {
  CAIP_CHECKED(tx.exec("UPDATE env_placements SET state = ?2, at = ?3 WHERE operation = ?1", o.id, to, *o.finished_at));
  return {};
}

Result<void> doubt_file(storage::WriteTx& tx, const File& file) {
  CAIP_CHECKED(tx.exec("UPDATE env_placements SET state = 'unknown' WHERE server = ?1 AND user = ?2 AND state = 'placed'", file.server, file.user.str()));
  return {};
}

}  // namespace

Result<void> begun(storage::WriteTx& tx, const Operation& o) {
  if (const auto file = file_of(o.action)) CAIP_CHECKED(hold(tx, *file, o.id));
  const auto* place = std::get_if<PlaceEnv>(&o.action);
  if (!place) return {};
  for (const auto& [secret, version] : place->secrets)
    CAIP_CHECKED(tx.exec("INSERT INTO env_placements (operation, org, server, user, secret, version, state, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'sent', ?7)",
                         o.id, o.org, place->server, place->user.str(), secret, version, o.created_at));
  return {};
}

// A removal has no rows of its own: what is said of `o` is then said of none.
Result<void> ended(storage::WriteTx& tx, const Operation& o, Certainty certainty) {
  const auto file = file_of(o.action);
  if (!file) return {};
  CAIP_CHECKED(tx.exec("DELETE FROM env_orders WHERE server = ?1 AND user = ?2 AND operation = ?3", file->server, file->user.str(), o.id));
  if (o.status == OperationStatus::succeeded) {
    CAIP_CHECKED(forget_others(tx, *file, o.id));
    return state(tx, o, "placed");
  }
  if (certainty == Certainty::doubtful) {
    CAIP_CHECKED(doubt_file(tx, *file));
    return state(tx, o, "unknown");
  }
  CAIP_CHECKED(tx.exec("DELETE FROM env_placements WHERE operation = ?1", o.id));
  return {};
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
