#include "core.h"

#include <algorithm>

#include "authorities.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/ssh.h"
#include "crypto/succession.h"
#include "frame.h"
#include "keys_now.h"

namespace caip::secrets {
namespace {

constexpr int kServerDays = 397;
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kHead = 5;  // format, generation
constexpr std::size_t kMostField = 64;

std::optional<std::uint32_t> generation_in(BytesView sealed) {
  if (sealed.size() < kHead + crypto::kAeadOverhead || sealed[0] != kFormat) return std::nullopt;
  Reader r(sealed.subspan(1, 4));
  return r.u32();
}

// Everything that a value is bound to. A change of order or of a length is another context.
Bytes context(const OrgId& org, const Item& item, std::uint32_t generation) {
  return Writer().text("caip value v1").u32(generation).bytes(org.bytes()).text(text(item.kind)).bytes(item.id.bytes()).text(item.field).u32(item.version).take();
}

Bytes random_seed() { return crypto::random_bytes(32); }

void add(Keyring& ring, KeyClass key, const std::string& scope, Instant now) {
  const Key* before = ring.newest(key, scope);
  ring.keys.push_back({.key = key, .scope = scope, .generation = before ? before->generation + 1 : 1, .created = now, .ends = {},
                       .value = SecretBytes(random_seed())});
}

std::optional<crypto::SuccessionKey> hands_over(KeyClass key) {
  switch (key) {
    case KeyClass::checkpoint: return crypto::SuccessionKey::checkpoint;
    case KeyClass::cosign: return crypto::SuccessionKey::cosign;
    case KeyClass::order: return crypto::SuccessionKey::order;
    default: return std::nullopt;
  }
}

Result<void> add_signing_key(Keyring& ring, KeyClass key, Instant now) {
  if (!hands_over(key)) return fail(Code::invalid, "the key " + std::string(text(key)) + " hands over to no other");
  if (std::ranges::count(ring.keys, key, &Key::key) != 1) return fail(Code::conflict, "there are two of this key already");
  add(ring, key, {}, now);
  return {};
}

Result<void> destroy_signing_key(Keyring& ring, KeyClass key, std::uint32_t generation) {
  if (!hands_over(key)) return fail(Code::invalid, "the key " + std::string(text(key)) + " hands over to no other");
  if (std::ranges::count(ring.keys, key, &Key::key) < 2) return fail(Code::conflict, "the only key of its kind is not destroyed");
  std::erase_if(ring.keys, [&](const Key& k) { return k.key == key && k.generation == generation; });
  return {};
}

Result<void> rotate(Keyring& ring, KeyClass key, std::uint32_t generation, Instant now) {
  const Key* before = ring.newest(key);
  if (generation != (key == KeyClass::root ? ring.generation : before != nullptr ? before->generation : 0)) return fail(Code::conflict, "this key was replaced already");
  if (key == KeyClass::root) return ring.renew_root(now);
  if (is_authority(key)) return rotate_authority(ring, key, now);
  if (key != KeyClass::jwt) return fail(Code::invalid, "the key " + std::string(text(key)) + " is not rotated in one step");
  for (auto& k : ring.keys)
    if (k.key == key && !k.ends) k.ends = now + kJwtOverlap;
  add(ring, key, {}, now);
  return {};
}

}  // namespace

Result<std::uint32_t> sealed_under(BytesView sealed) {
  const auto generation = generation_in(sealed);
  if (!generation) return fail(Code::storage_failed, "not a sealed value");
  return *generation;
}

Result<void> change_keyring(Keyring& ring, const KeyChange& change, Instant now) {
  using What = KeyChange::What;
  switch (change.what) {
    case What::rotate: return rotate(ring, change.key, change.generation, now);
    case What::destroy_previous:
      std::erase_if(ring.keys, [&](const Key& k) { return k.key == change.key && k.ends && *k.ends <= now; });
      return {};
    case What::new_data_key: add(ring, KeyClass::data, change.org, now); return {};
    case What::destroy_data_keys:
      std::erase_if(ring.keys, [&](const Key& k) {
        return k.key == KeyClass::data && k.scope == change.org && (change.generation == 0 || k.generation < change.generation);
      });
      return {};
    case What::new_signing_key: return add_signing_key(ring, change.key, now);
    case What::destroy_signing_key: return destroy_signing_key(ring, change.key, change.generation);
  }
  return fail(Code::malformed, "unknown change of keys");
}

Result<KeyCore::Loaded> KeyCore::load(const Keyring& ring) {
  Loaded out;
  for (const KeyClass key : {KeyClass::jwt, KeyClass::checkpoint, KeyClass::order, KeyClass::cosign}) {
    if (ring.newest(key) == nullptr) return fail(Code::storage_failed, "the keyring lacks the key " + std::string(text(key)));
    for (const auto& k : ring.keys) {
      if (k.key != key) continue;
      CAIP_TRY(signing, load_signing(k));
      out.signing.push_back(std::move(signing));
    }
  }
  std::ranges::stable_sort(out.signing, std::greater{}, &Signing::generation);
  if (ring.newest(KeyClass::pepper) == nullptr) return fail(Code::storage_failed, "the keyring lacks a key");
  for (const KeyClass key : {KeyClass::ca, KeyClass::agent_ca}) {
    const Key* newest = ring.newest(key);
    if (newest == nullptr) return fail(Code::storage_failed, "the keyring lacks the key " + std::string(text(key)));
    CAIP_TRY(authority, read_authority(newest->value));
    out.authorities.emplace(key, std::move(authority));
  }
  for (const auto& k : ring.keys) {
    if (k.key != KeyClass::data) continue;
    Bytes copy;
    k.value.expose(Use::load_key, [&](BytesView b) { copy.assign(b.begin(), b.end()); });
    CAIP_TRY(key, crypto::AeadKey::from(SecretBytes(std::move(copy))));
    out.data.emplace(std::pair{k.scope, k.generation}, DataKey{std::move(key), 0});
  }
  return out;
}

Result<Core> KeyCore::make(Keyring ring, const Clock& clock) {
  CAIP_TRY(loaded, load(ring));
  return Core(new KeyCore(std::move(ring), std::move(loaded), clock));
}

void CoreDeleter::operator()(KeyCore* core) const noexcept { delete core; }
void memory_is_locked(KeyCore& core) { core.memory_is_locked(); }

Bytes KeyCore::Signing::sign(BytesView message) const {
  return std::visit([&](const auto& own) { return own.sign(message); }, value);
}

Result<KeyCore::Signing> KeyCore::load_signing(const Key& key) {
  if (key.key == KeyClass::cosign) {
    CAIP_TRY(made, crypto::CosigningKey::from_seed(key.value));
    Bytes public_key = made.public_key();
    return Signing{key.key, key.generation, std::move(made), std::move(public_key)};
  }
  CAIP_TRY(made, crypto::SigningKey::from_seed(key.value));
  Bytes public_key = made.public_key();
  return Signing{key.key, key.generation, std::move(made), std::move(public_key)};
}

std::vector<const KeyCore::Signing*> KeyCore::signing(KeyClass key) const {
  std::vector<const Signing*> out;
  for (const auto& s : loaded_.signing)
    if (s.key == key) out.push_back(&s);
  return out;
}

Result<Bytes> KeyCore::sign(SigningUse use, BytesView message) { return sign_with(use, {}, message); }

Result<Bytes> KeyCore::sign_with(SigningUse use, BytesView public_key, BytesView message) {
  if (text_of(message).starts_with(crypto::kSuccessionPrefix)) return fail(Code::forbidden, "a succession is not signed as anything else");
  const std::scoped_lock lock(mutex_);
  for (const Signing* key : signing(class_of(use)))
    if (public_key.empty() || std::ranges::equal(key->public_key, public_key)) return key->sign(message);
  return fail(Code::not_found, "there is no such signing key any more");
}

Result<std::string> KeyCore::succession(KeyClass key, std::uint64_t log_size) {
  const auto kind = hands_over(key);
  const std::scoped_lock lock(mutex_);
  const auto keys = signing(key);
  if (!kind || keys.size() != 2) return fail(Code::conflict, "there is no new key to hand over to");
  const crypto::Succession s{.key = *kind, .generation = keys[0]->generation, .old_key = keys[1]->public_key, .new_key = keys[0]->public_key,
                             .size = log_size, .at = clock_.now()};
  const Bytes message = crypto::succession_message(s);
  return crypto::succession_text(s, keys[1]->sign(message), keys[0]->sign(message));
}

Result<Bytes> KeyCore::pepper_hmac(BytesView password) {
  const std::scoped_lock lock(mutex_);
  return crypto::hmac_sha384(ring_.newest(KeyClass::pepper)->value, password);
}

Result<std::string> KeyCore::issue_agent_certificate(const std::string& csr_pem, const ServerId& server, Instant from, Duration life) {
  if (life <= Duration{} || life > kLongestCertificate) return fail(Code::invalid, "a certificate's life");
  const std::scoped_lock lock(mutex_);
  return crypto::issue_client_certificate(loaded_.authorities.at(KeyClass::agent_ca).pair, csr_pem, "caip:server:" + server.str(), from, life);
}

Result<TlsIdentity> KeyCore::issue_server_certificate(KeyClass key, const std::vector<std::string>& names) {
  if (!is_authority(key)) return fail(Code::invalid, "the key " + std::string(text(key)) + " is no authority's");
  const std::scoped_lock lock(mutex_);
  const AuthorityKey& authority = loaded_.authorities.at(key);
  CAIP_TRY(made, crypto::issue_server_certificate(authority.pair, names, clock_.now(), kServerDays));
  TlsIdentity identity{made.certificate_pem + authority.links + (key == KeyClass::ca ? authority.pair.certificate_pem : ""), {}};
  made.key_pem.expose(Use::hand_to_client, [&](BytesView b) { identity.key_pem = text_of(b); });
  return identity;
}

Authority KeyCore::authority(KeyClass key) {
  const std::scoped_lock lock(mutex_);
  const auto it = loaded_.authorities.find(key);
  if (it == loaded_.authorities.end()) return {};
  return {it->second.pair.certificate_pem, it->second.links, it->second.earlier};
}

KeyCore::DataKey* KeyCore::newest(const OrgId& org, std::uint32_t& generation) {
  auto after = loaded_.data.upper_bound({org.str(), UINT32_MAX});
  if (after == loaded_.data.begin()) return nullptr;
  --after;
  if (after->first.first != org.str()) return nullptr;
  generation = after->first.second;
  return &after->second;
}

void KeyCore::sealed_already_for_test(const OrgId& org, std::uint64_t times) {
  std::uint32_t generation = 0;
  newest(org, generation)->seals = times;
}

Result<SecretBytes> KeyCore::seal_one(const OrgId& org, const Item& item) {
  if (item.field.empty() || item.field.size() > kMostField) return fail(Code::invalid, "not the name of a field");
  std::uint32_t generation = 0;
  DataKey* key = newest(org, generation);
  if (key == nullptr) return fail(Code::not_found, "the organisation has no data key");
  if (++key->seals >= kMostSeals) return fail(Code::conflict, "this data key has sealed enough: rotate it");
  Bytes out = Writer().u8(kFormat).u32(generation).take();
  item.data.expose(Use::seal_value, [&](BytesView b) {
    const Bytes sealed = key->key.seal(b, context(org, item, generation));
    out.insert(out.end(), sealed.begin(), sealed.end());
  });
  return SecretBytes(std::move(out));
}

Result<SecretBytes> KeyCore::open_one(const OrgId& org, const Item& item) {
  Result<SecretBytes> opened = fail(Code::storage_failed, "not a sealed value");
  item.data.expose(Use::named_use, [&](BytesView sealed) {
    const auto generation = generation_in(sealed);
    if (!generation) return;
    const auto key = loaded_.data.find({org.str(), *generation});
    if (key == loaded_.data.end()) opened = fail(Code::storage_failed, "the key of a sealed value was destroyed");
    else opened = key->second.key.open(sealed.subspan(kHead), context(org, item, *generation));
  });
  return opened;
}

Result<Items> KeyCore::seal(const OrgId& org, Items items) {
  const std::scoped_lock lock(mutex_);
  for (auto& item : items) {
    CAIP_TRY(sealed, seal_one(org, item));
    item.data = std::move(sealed);
  }
  return items;
}

Result<Items> KeyCore::open(const OrgId& org, SecretUse use, Items items) {
  const std::scoped_lock lock(mutex_);
  for (auto& item : items) {
    if (item.kind == SecretKind::ssh_key || use_of(item.kind) != use)
      return fail(Code::forbidden, "a secret of kind " + std::string(text(item.kind)) + " does not open for " + std::string(text(use)));
    CAIP_TRY(opened, open_one(org, item));
    item.data = std::move(opened);
  }
  return items;
}

Result<Items> KeyCore::reseal(const OrgId& org, Items items) {
  const std::scoped_lock lock(mutex_);
  for (auto& item : items) {
    CAIP_TRY(opened, open_one(org, item));
    item.data = std::move(opened);
    CAIP_TRY(sealed, seal_one(org, item));
    item.data = std::move(sealed);
  }
  return items;
}

Result<SshKey> KeyCore::make_ssh_key(const OrgId& org, Item item) {
  if (item.kind != SecretKind::ssh_key) return fail(Code::invalid, "not an SSH key");
  SecretBytes seed(random_seed());
  if (!item.data.empty()) {
    CAIP_TRY(imported, crypto::ssh_private_key(item.data));
    seed = std::move(imported);
  }
  CAIP_TRY(key, crypto::SigningKey::from_seed(seed));
  item.data = std::move(seed);
  const std::scoped_lock lock(mutex_);
  CAIP_TRY(sealed, seal_one(org, item));
  return SshKey{key.public_key(), std::move(sealed)};
}

Result<Bytes> KeyCore::ssh_sign(const OrgId& org, Item item, BytesView message) {
  if (item.kind != SecretKind::ssh_key) return fail(Code::forbidden, "only SSH keys sign");
  const std::scoped_lock lock(mutex_);
  CAIP_TRY(seed, open_one(org, item));
  CAIP_TRY(key, crypto::SigningKey::from_seed(seed));
  return key.sign(message);
}

Inventory KeyCore::inventory() {
  const std::scoped_lock lock(mutex_);
  Inventory out{.keys = {}, .seals = {}, .memory_locked = locked_};
  out.keys.push_back({.key = KeyClass::root, .org = {}, .generation = ring_.generation, .created = ring_.root_created, .ends = {}, .public_key = {}});
  for (const auto& k : ring_.keys) {
    KeyInfo info{.key = k.key, .org = {}, .generation = k.generation, .created = k.created, .ends = k.ends, .public_key = {}};
    if (k.key == KeyClass::data) {
      if (const auto org = OrgId::parse(k.scope)) info.org = *org;
    }
    for (const Signing& s : loaded_.signing)
      if (s.key == k.key && s.generation == k.generation) info.public_key = s.public_key;
    out.keys.push_back(std::move(info));
  }
  std::ranges::stable_sort(out.keys, [](const KeyInfo& a, const KeyInfo& b) { return a.key != b.key ? a.key < b.key : a.generation > b.generation; });
  for (const auto& s : ring_.seals) out.seals.push_back({s.id, std::string(text(s.kind)), s.created});
  return out;
}

Result<std::string> KeyCore::prepare(const KeyChange& change) {
  const std::scoped_lock lock(mutex_);
  Keyring next = ring_.copy();
  CAIP_CHECKED(change_keyring(next, change, clock_.now()));
  CAIP_CHECKED(load(next));  // what could not be used must not become the file
  std::string file = write_keyring(next);
  next_ = std::move(next);
  return file;
}

Result<void> KeyCore::adopt() {
  const std::scoped_lock lock(mutex_);
  if (!next_) return {};
  CAIP_TRY(loaded, load(*next_));
  for (auto& [name, key] : loaded.data)
    if (const auto before = loaded_.data.find(name); before != loaded_.data.end()) key.seals = before->second.seals;
  ring_ = *std::move(next_);
  loaded_ = std::move(loaded);
  next_.reset();
  return {};
}

}  // namespace caip::secrets
