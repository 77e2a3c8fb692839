// DATA/keys: first start, the take-over of version 0's plain files, and the offline commands.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "authorities.h"
#include "core.h"
#include "crypto/random.h"
#include "key_files.h"

namespace caip::secrets {
namespace {

constexpr std::string_view kKeyringFile = "/keyring", kPlainAuthority = "/authority.pem";

struct Plain {  // where version 0 kept a key in the clear
  KeyClass key;
  std::string_view file;
};
constexpr std::array kPlain{Plain{KeyClass::jwt, "/jwt.key"}, Plain{KeyClass::checkpoint, "/checkpoint.key"}, Plain{KeyClass::order, "/order.key"}, Plain{KeyClass::cosign, "/cosign.key"},
                            Plain{KeyClass::pepper, "/pepper.key"}, Plain{KeyClass::ca, kPlainAuthority}};

// Two that change the keyring at once would lose one's change.
Result<FolderLock> lock_folder(const std::string& folder) {
  FolderLock lock(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.fd() < 0) return fail(Code::storage_failed, "cannot make " + folder + "/lock");
  if (::flock(lock.fd(), LOCK_EX | LOCK_NB) != 0) return fail(Code::conflict, folder + " is in use; stop caipd first");
  return lock;
}

// A passphrase is a line that somebody typed or wrote with an editor.
SecretBytes first_line(const SecretBytes& all) {
  Bytes line;
  all.expose(Use::derive_key, [&](BytesView b) {
    const auto end = std::ranges::find_if(b, [](std::uint8_t c) { return c == '\n' || c == '\r'; });
    line.assign(b.begin(), end);
  });
  return SecretBytes(std::move(line));
}

Result<SecretBytes> read_material(SealKind kind, const std::string& path) {
  CAIP_TRY(all, kind == SealKind::credential ? read_credential(path) : read_secret(path));
  if (kind == SealKind::passphrase) return first_line(all);
  return all;
}

std::string key_file_of(const std::string& folder, const SealFiles& files) { return files.key_file.empty() ? folder + "/root.key" : files.key_file; }

Result<Material> material_of(const std::string& folder, const SealFiles& files) {
  Material m;
  CAIP_TRY(there, present(key_file_of(folder, files)));
  if (there) {
    CAIP_TRY(secret, read_material(SealKind::key_file, key_file_of(folder, files)));
    m.key_file = std::move(secret);
  }
  if (!files.passphrase_file.empty()) {
    CAIP_TRY(secret, read_material(SealKind::passphrase, files.passphrase_file));
    m.passphrase = std::move(secret);
  }
  if (!files.credential_file.empty()) {
    CAIP_TRY(secret, read_material(SealKind::credential, files.credential_file));
    m.credential = std::move(secret);
  }
  return m;
}

Result<SecretBytes> fresh_value(KeyClass key, Instant now) {
  if (is_authority(key)) return make_authority(key, now, nullptr);
  return SecretBytes(crypto::random_bytes(32));
}

Result<SecretBytes> plain_or_fresh(const std::string& folder, const Plain& plain, Instant now) {
  const std::string path = folder + std::string(plain.file);
  CAIP_TRY(there, present(path));
  if (!there) return fresh_value(plain.key, now);
  CAIP_TRY(value, read_secret(path));
  if (plain.key != KeyClass::ca && value.size() != 32) return fail(Code::storage_failed, path + " does not hold 32 bytes");
  return value;
}

Result<Keyring> first_keyring(const std::string& folder, const SealFiles& files, Instant now) {
  CAIP_TRY(m, material_of(folder, files));
  if (!m.key_file && !m.passphrase && !m.credential) {
    CAIP_CHECKED(write_secret(key_file_of(folder, files), SecretBytes(crypto::random_bytes(32))));
    CAIP_TRY(made, material_of(folder, files));
    m = std::move(made);
  }
  Keyring ring;
  ring.root_created = now;
  for (const SealKind kind : {SealKind::key_file, SealKind::passphrase, SealKind::credential}) {
    if (!m.of(kind)) continue;
    CAIP_TRY(seal, make_seal(kind, *m.of(kind), now));
    CAIP_CHECKED(seal_root(seal, ring.root, ring.generation));
    ring.seals.push_back(std::move(seal));
  }
  for (const auto& plain : kPlain) {
    CAIP_TRY(value, plain_or_fresh(folder, plain, now));
    ring.keys.push_back({.key = plain.key, .scope = {}, .generation = 1, .created = now, .ends = {}, .value = std::move(value)});
  }
  return ring;
}

Result<Keyring> read_keyring(const std::string& folder, const SealFiles& files) {
  CAIP_TRY(text, read_secret(folder + std::string(kKeyringFile)));
  CAIP_TRY(material, material_of(folder, files));
  Result<Keyring> ring = fail(Code::internal);
  text.expose(Use::load_key, [&](BytesView b) { ring = open_keyring(text_of(b), material); });
  return ring;
}

// After the keyring is durable and opens again, the plain files go. One that is not what the
// keyring holds was put there by somebody: then nothing is removed and nothing starts.
Result<void> remove_plain(const std::string& folder, const Keyring& ring) {
  for (const bool really : {false, true})
    for (const auto& plain : kPlain) {
      const std::string path = folder + std::string(plain.file);
      CAIP_TRY(there, present(path));
      if (!there) continue;
      if (really) {
        CAIP_CHECKED(destroy_file(path));
        continue;
      }
      CAIP_TRY(value, read_secret(path));
      const bool known = std::ranges::any_of(ring.keys, [&](const Key& k) { return k.key == plain.key && k.value == value; });
      if (!known) return fail(Code::conflict, path + " is not the key that the keyring holds; move it away");
    }
  return {};
}

Result<Keyring> open_or_make(const std::string& folder, const Clock& clock, const SealFiles& files) {
  CAIP_TRY(there, present(folder + std::string(kKeyringFile)));
  if (!there) {
    CAIP_TRY(before, present(folder + std::string(kPlainAuthority)));
    CAIP_TRY(ring, first_keyring(folder, files, clock.now()));
    CAIP_CHECKED(add_agent_authority(ring, clock.now(), before));
    CAIP_CHECKED(replace_file(folder + std::string(kKeyringFile), write_keyring(ring)));
  }
  CAIP_TRY(ring, read_keyring(folder, files));
  if (ring.newest(KeyClass::agent_ca) == nullptr) {
    CAIP_CHECKED(add_agent_authority(ring, clock.now(), true));
    CAIP_CHECKED(replace_file(folder + std::string(kKeyringFile), write_keyring(ring)));
  }
  CAIP_CHECKED(remove_plain(folder, ring));
  return ring;
}

Result<FolderLock> enter(const std::string& folder) {
  CAIP_CHECKED(open_folder(folder));
  return lock_folder(folder);
}

Result<Seal> new_seal(SealKind kind, const std::string& path, const Keyring& ring, Instant now) {
  if (kind == SealKind::key_file) {
    CAIP_TRY(there, present(path));
    if (!there) CAIP_CHECKED(write_secret(path, SecretBytes(crypto::random_bytes(32))));
  }
  CAIP_TRY(material, read_material(kind, path));
  CAIP_TRY(seal, make_seal(kind, material, now));
  CAIP_CHECKED(seal_root(seal, ring.root, ring.generation));
  CAIP_TRY(root, open_root(seal, material, ring.generation));  // it does open
  return seal;
}

Result<void> store(const std::string& folder, const Keyring& ring) { return replace_file(folder + std::string(kKeyringFile), write_keyring(ring)); }
SealInfo info_of(const Seal& s) { return {s.id, std::string(text(s.kind)), s.created}; }

}  // namespace

Result<Core> open_core(const std::string& folder, const Clock& clock, const SealFiles& files) {
  CAIP_TRY(lock, enter(folder));
  CAIP_TRY(ring, open_or_make(folder, clock, files));
  CAIP_TRY(core, KeyCore::make(std::move(ring), clock));
  core->hold(std::move(lock));
  return core;
}

Result<std::vector<SealInfo>> list_seals(const std::string& folder) {
  CAIP_TRY(text, read_secret(folder + std::string(kKeyringFile)));
  Result<std::vector<Seal>> seals = fail(Code::internal);
  text.expose(Use::load_key, [&](BytesView b) { seals = seals_of(text_of(b)); });
  if (!seals) return std::unexpected(seals.error());
  std::vector<SealInfo> out;
  for (const auto& s : *seals) out.push_back(info_of(s));
  return out;
}

Result<SealInfo> add_seal(const std::string& folder, const Clock& clock, const SealFiles& files, const std::string& kind, const std::string& material) {
  CAIP_TRY(parsed, parse_seal_kind(kind));
  CAIP_TRY(lock, enter(folder));
  CAIP_TRY(ring, read_keyring(folder, files));
  CAIP_TRY(seal, new_seal(parsed, material, ring, clock.now()));
  ring.seals.push_back(seal);
  CAIP_CHECKED(store(folder, ring));
  return info_of(seal);
}

Result<void> remove_seal(const std::string& folder, const Clock& clock, const SealFiles& files, const std::string& id) {
  CAIP_TRY(lock, enter(folder));
  CAIP_TRY(ring, read_keyring(folder, files));
  if (std::erase_if(ring.seals, [&](const Seal& s) { return s.id == id; }) == 0) return fail(Code::not_found, "no such seal");
  if (ring.seals.empty()) return fail(Code::conflict, "this is the last seal: without one every key is lost; add another first");
  CAIP_CHECKED(ring.renew_root(clock.now()));
  return store(folder, ring);
}

Result<SealInfo> replace_seal(const std::string& folder, const Clock& clock, const SealFiles& files, const std::string& id, const std::string& material) {
  CAIP_TRY(lock, enter(folder));
  CAIP_TRY(ring, read_keyring(folder, files));
  const auto old = std::ranges::find(ring.seals, id, &Seal::id);
  if (old == ring.seals.end()) return fail(Code::not_found, "no such seal");
  const SealKind kind = old->kind;
  ring.seals.erase(old);
  CAIP_TRY(seal, new_seal(kind, material, ring, clock.now()));
  ring.seals.push_back(seal);
  CAIP_CHECKED(ring.renew_root(clock.now()));
  CAIP_CHECKED(store(folder, ring));
  return info_of(seal);
}

}  // namespace caip::secrets
