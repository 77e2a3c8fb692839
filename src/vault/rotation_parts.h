// What the two halves of Rotation (the product's keys, the organisations' data keys) share. Private.
#pragma once
#include <map>

#include "authorization/authorizer.h"
#include "secrets/keeper.h"

namespace caip::vault {

inline constexpr std::int64_t kBegun = 2;  // secret_keys.shred

inline std::unexpected<Error> refused(const Denied& d) { return fail(d.code, d.reason); }

struct Generations {
  std::uint32_t newest = 0, oldest = 0;
  Instant created;
};
using ByOrg = std::map<OrgId, Generations>;

inline ByOrg data_keys(const secrets::Inventory& inventory) {
  ByOrg out;
  for (const auto& k : inventory.keys) {
    if (k.key != KeyClass::data || !k.org) continue;
    auto [it, fresh] = out.try_emplace(*k.org, Generations{k.generation, k.generation, k.created});
    if (!fresh) it->second.oldest = std::min(it->second.oldest, k.generation);
    if (k.generation > it->second.newest) it->second = {k.generation, it->second.oldest, k.created};
  }
  return out;
}

}  // namespace caip::vault
