#include "keyring.h"

#include "frame.h"

namespace caip::secrets {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMostWrapped = 256 * 1024;  // an authority of the agents' channel, with four links and four of before: 100 KiB
constexpr std::int64_t kMostGenerations = (std::int64_t{1} << 32) - 1;

Bytes context(const Key& k) {
  return Writer().text("caip key v1").text(text(k.key)).text(k.scope).u32(k.generation).take();
}

Bytes file_context(const json::object& without_tag) { return Writer().text("caip keyring v1").text(canonical(without_tag)).take(); }

json::object key_json(const Key& k, const crypto::AeadKey& root) {
  Bytes wrapped;
  k.value.expose(Use::seal_value, [&](BytesView b) { wrapped = root.seal(b, context(k)); });
  return {{"key", text(k.key)}, {"scope", k.scope}, {"generation", k.generation}, {"created", k.created.str()},
          {"ends", k.ends ? json::value(k.ends->str()) : json::value("")}, {"wrapped", base64(wrapped)}};
}

Result<Key> parse_key(const json::value& value, const crypto::AeadKey& root) {
  if (!value.is_object()) return fail(Code::malformed, "a key is an object");
  Members m(value.get_object());
  CAIP_TRY(name, m.string("key", 16));
  CAIP_TRY(scope, m.string("scope", 64));
  CAIP_TRY(generation, m.integer("generation", 1, kMostGenerations));
  CAIP_TRY(created, m.string("created", 32));
  CAIP_TRY(ends, m.string("ends", 32));
  CAIP_TRY(coded, m.string("wrapped", kMostWrapped));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(key, parse_key_class(name));
  CAIP_TRY(at, Instant::parse(created));
  Key out{.key = key, .scope = std::move(scope), .generation = static_cast<std::uint32_t>(generation), .created = at, .ends = {}, .value = {}};
  if (!ends.empty()) {
    CAIP_TRY(end, Instant::parse(ends));
    out.ends = end;
  }
  const auto wrapped = from_base64(coded);
  if (!wrapped) return fail(Code::malformed, "not base64");
  CAIP_TRY(opened, root.open(*wrapped, context(out)));
  out.value = std::move(opened);
  return out;
}

Result<json::object> parse_file(std::string_view file) {
  CAIP_TRY(value, parse_canonical(file.substr(0, file.size() - (file.ends_with('\n') ? 1 : 0))));
  if (!value.is_object()) return fail(Code::malformed, "not a keyring");
  return value.get_object();
}

const json::array* list(const json::object& file, std::string_view name) {
  const json::value* v = file.if_contains(name);
  return v != nullptr ? v->if_array() : nullptr;
}

Result<std::vector<Seal>> seals_in(const json::object& file) {
  const json::array* all = list(file, "seals");
  if (all == nullptr) return fail(Code::malformed, "no seals");
  std::vector<Seal> out;
  for (const auto& one : *all) {
    CAIP_TRY(seal, parse_seal(one));
    out.push_back(std::move(seal));
  }
  return out;
}

// The first seal that opens. Cheap ones first: a passphrase costs a second.
Result<crypto::AeadKey> root_of(const std::vector<Seal>& seals, const Material& material, std::uint32_t generation) {
  bool tried = false;
  for (const SealKind kind : {SealKind::key_file, SealKind::credential, SealKind::passphrase}) {
    const auto& secret = material.of(kind);
    if (!secret) continue;
    for (const auto& seal : seals) {
      if (seal.kind != kind) continue;
      tried = true;
      if (auto root = open_root(seal, *secret, generation)) return root;
    }
  }
  if (tried) return fail(Code::unavailable, "no seal of DATA/keys/keyring opens with what was given");
  return fail(Code::unavailable, "no key file, passphrase or credential for any seal of DATA/keys/keyring; see `caip-keeper seal list`");
}

}  // namespace

const std::optional<SecretBytes>& Material::of(SealKind kind) const {
  switch (kind) {
    case SealKind::key_file: return key_file;
    case SealKind::passphrase: return passphrase;
    case SealKind::credential: break;
  }
  return credential;
}

const Key* Keyring::newest(KeyClass key, std::string_view scope) const {
  const Key* found = nullptr;
  for (const auto& k : keys)
    if (k.key == key && k.scope == scope && (found == nullptr || k.generation > found->generation)) found = &k;
  return found;
}

Keyring Keyring::copy() const {
  Keyring out{.generation = generation, .root_created = root_created, .root = root.clone(), .seals = seals, .keys = {}};
  for (const auto& k : keys) {
    Bytes value;
    k.value.expose(Use::seal_value, [&](BytesView b) { value.assign(b.begin(), b.end()); });
    out.keys.push_back({k.key, k.scope, k.generation, k.created, k.ends, SecretBytes(std::move(value))});
  }
  return out;
}

Result<void> Keyring::renew_root(Instant now) {
  root = crypto::AeadKey::generate();
  ++generation;
  root_created = now;
  for (auto& seal : seals) CAIP_CHECKED(seal_root(seal, root, generation));
  return {};
}

std::string write_keyring(const Keyring& ring) {
  json::array seals, keys;
  for (const auto& s : ring.seals) seals.emplace_back(seal_json(s));
  for (const auto& k : ring.keys) keys.emplace_back(key_json(k, ring.root));
  json::object file{{"v", kVersion}, {"generation", ring.generation}, {"root_created", ring.root_created.str()}, {"seals", seals}, {"keys", keys}};
  const Bytes tag = ring.root.seal({}, file_context(file));
  file["tag"] = base64(tag);
  return canonical(file) + "\n";
}

Result<Keyring> open_keyring(std::string_view text, const Material& material) {
  CAIP_TRY(file, parse_file(text));
  CAIP_TRY(seals, seals_in(file));
  Members m(file);
  CAIP_CHECKED(m.integer("v", kVersion, kVersion));
  CAIP_TRY(generation, m.integer("generation", 1, kMostGenerations));
  CAIP_TRY(created, m.string("root_created", 32));
  CAIP_TRY(coded, m.string("tag", 256));
  CAIP_TRY(at, Instant::parse(created));
  CAIP_TRY(root, root_of(seals, material, static_cast<std::uint32_t>(generation)));
  const auto tag = from_base64(coded);
  json::object covered = file;
  covered.erase("tag");
  if (!tag || !root.open(*tag, file_context(covered))) return fail(Code::storage_failed, "DATA/keys/keyring was changed by somebody without its seals");
  Keyring ring{.generation = static_cast<std::uint32_t>(generation), .root_created = at, .root = std::move(root), .seals = std::move(seals), .keys = {}};
  const json::array* keys = list(file, "keys");
  if (keys == nullptr) return fail(Code::malformed, "no keys");
  for (const auto& one : *keys) {
    CAIP_TRY(key, parse_key(one, ring.root));
    ring.keys.push_back(std::move(key));
  }
  return ring;
}

Result<std::vector<Seal>> seals_of(std::string_view file) {
  CAIP_TRY(parsed, parse_file(file));
  return seals_in(parsed);
}

}  // namespace caip::secrets
