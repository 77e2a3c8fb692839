// Reading an inventory. Private.
#pragma once
#include <algorithm>
#include <vector>

#include "secrets/keeper.h"

namespace caip::secrets {

constexpr KeyClass class_of(SigningUse use) {
  switch (use) {
    case SigningUse::jwt: return KeyClass::jwt;
    case SigningUse::checkpoint: return KeyClass::checkpoint;
    case SigningUse::order: return KeyClass::order;
    case SigningUse::cosign: break;
  }
  return KeyClass::cosign;
}

inline std::vector<Bytes> accepted(const Inventory& inventory, SigningUse use, Instant now) {
  std::vector<Bytes> out;  // newest first, as the inventory is
  for (const auto& k : inventory.keys)
    if (k.key == class_of(use) && (!k.ends || now < *k.ends)) out.push_back(k.public_key);
  return out;
}

inline Bytes newest_of(const Inventory& inventory, SigningUse use) {
  for (const auto& k : inventory.keys)
    if (k.key == class_of(use)) return k.public_key;
  return {};
}

inline Result<std::uint32_t> newest_data_key(const Inventory& inventory, const OrgId& org) {
  for (const auto& k : inventory.keys)
    if (k.key == KeyClass::data && k.org == org) return k.generation;
  return fail(Code::not_found, "the organisation has no data key");
}

inline std::uint32_t newest_generation(const Inventory& inventory, KeyClass key) {
  std::uint32_t out = 0;
  for (const auto& k : inventory.keys)
    if (k.key == key) out = std::max(out, k.generation);
  return out;
}

}  // namespace caip::secrets
