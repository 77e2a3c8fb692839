#include "vault/check_sealing.h"

#include <algorithm>

#include "crypto/random.h"
#include "secrets/keeper.h"
#include "storage/database.h"

namespace caip::vault {
namespace {

std::unexpected<Error> open_to_all(const std::string& what) { return fail(Code::storage_failed, what + ": secrets would be kept in the clear"); }

Bytes bytes_of(const SecretBytes& from) {
  Bytes out;
  from.expose(Use::store_key, [&](BytesView b) { out.assign(b.begin(), b.end()); });
  return out;
}

// A value that was never anybody's.
Result<secrets::Item> through(secrets::Keeper& keeper, const OrgId& org, secrets::Item one, bool open) {
  secrets::Items items;
  items.push_back(std::move(one));
  auto out = open ? keeper.open(org, SecretUse::server_env, std::move(items)) : keeper.seal(org, std::move(items));
  if (!out) return std::unexpected(std::move(out).error());
  return std::move(out->front());
}

Result<void> check_keeper(secrets::Keeper& keeper, const OrgId& org) {
  const Bytes probe = crypto::random_bytes(32);
  const auto item = [id = crypto::random_id<SecretId>()](Bytes data) {
    return secrets::Item{.id = id, .kind = SecretKind::env_value, .version = 1, .field = "self-test", .data = SecretBytes(std::move(data))};
  };
  CAIP_TRY(sealed, through(keeper, org, item(probe), false));
  Bytes bytes = bytes_of(sealed.data);
  if (!secrets::sealed_under(bytes) || !std::ranges::search(bytes, probe).empty()) return open_to_all("the keeper does not seal");
  CAIP_TRY(back, through(keeper, org, item(bytes), true));
  if (bytes_of(back.data) != probe) return open_to_all("the keeper opens another value than it sealed");
  bytes.back() ^= 1;
  if (through(keeper, org, item(std::move(bytes)), true)) return open_to_all("the keeper opens what was changed");
  return {};
}

}  // namespace

Result<void> check_sealing(storage::Database& db, secrets::Keeper& keeper) {
  std::optional<std::string> clear;
  {
    auto tx = db.begin_read();
    CAIP_TRY(found, tx.one<std::string>("SELECT id FROM (SELECT id, sealed FROM secrets ORDER BY rowid DESC LIMIT 1000) WHERE substr(sealed, 1, 1) <> x'01'",
                                        [](const storage::Row& r) { return r.text(0); }));
    clear = std::move(found);
  }
  if (clear) return open_to_all("the value of " + *clear + " is not sealed");
  for (const auto& key : keeper.inventory().keys)
    if (key.key == KeyClass::data && key.org) return check_keeper(keeper, *key.org);
  return {};
}

}  // namespace caip::vault
