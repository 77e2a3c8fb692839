#include "seal.h"

#include "crypto/kem.h"
#include "frame.h"

namespace caip::secrets {
namespace {

constexpr std::size_t kLeastPassphrase = 12, kLeastMaterial = 32, kMostMaterial = 4096;

Bytes context(std::string_view what, const Seal& s, std::uint32_t generation) {
  return Writer().text("caip seal v1").text(what).text(s.id).text(text(s.kind)).bytes(s.public_key).u32(generation).take();
}

Result<crypto::AeadKey> key_of(const Seal& s, const SecretBytes& material) {
  if (s.kind == SealKind::passphrase) {
    CAIP_TRY(key, crypto::argon2id(material, s.salt, s.cost));
    return crypto::AeadKey::from(std::move(key));
  }
  return crypto::AeadKey::from(crypto::hkdf_sha256(material, s.salt, view("caip seal v1 material")));
}

// What was encapsulated is bound to the ciphertext and to whom it was meant for.
Result<crypto::AeadKey> shared_key(const Seal& s, const SecretBytes& shared) {
  return crypto::AeadKey::from(crypto::hkdf_sha256(shared, s.salt, Writer().text("caip seal v1 root").bytes(s.ciphertext).bytes(s.public_key).take()));
}

Result<void> check_material(SealKind kind, const SecretBytes& material) {
  if (material.size() > kMostMaterial) return fail(Code::invalid, "a seal's secret has at most 4096 bytes");
  if (kind == SealKind::passphrase && material.size() < kLeastPassphrase) return fail(Code::invalid, "a passphrase has at least 12 characters");
  if (kind != SealKind::passphrase && material.size() < kLeastMaterial) return fail(Code::invalid, "a key file or credential has at least 32 bytes");
  return {};
}

Result<Bytes> bytes_member(Members& m, std::string_view name) {
  CAIP_TRY(coded, m.string(name, 16 * 1024));
  auto bytes = from_base64(coded);
  if (!bytes) return fail(Code::malformed, "not base64");
  return *std::move(bytes);
}

}  // namespace

std::string_view text(SealKind kind) noexcept {
  switch (kind) {
    case SealKind::key_file: return "key-file";
    case SealKind::passphrase: return "passphrase";
    case SealKind::credential: return "credential";
  }
  return "?";
}

Result<SealKind> parse_seal_kind(std::string_view name) {
  for (const SealKind k : {SealKind::key_file, SealKind::passphrase, SealKind::credential})
    if (text(k) == name) return k;
  return fail(Code::invalid, "a seal is key-file, passphrase or credential");
}

Result<Seal> make_seal(SealKind kind, const SecretBytes& material, Instant now) {
  CAIP_CHECKED(check_material(kind, material));
  CAIP_TRY(pair, crypto::kem_generate());
  Seal s;
  s.id = "seal-" + hex(crypto::random_bytes(6));
  s.kind = kind;
  s.created = now;
  s.salt = crypto::random_bytes(32);
  s.public_key = std::move(pair.public_key);
  CAIP_TRY(key, key_of(s, material));
  pair.private_key.expose(Use::seal_value, [&](BytesView b) { s.private_wrapped = key.seal(b, context("private", s, 0)); });
  return s;
}

Result<void> seal_root(Seal& s, const crypto::AeadKey& root, std::uint32_t generation) {
  CAIP_TRY(made, crypto::kem_encapsulate(s.public_key));
  s.ciphertext = std::move(made.ciphertext);
  CAIP_TRY(key, shared_key(s, made.shared));
  root.material().expose(Use::seal_value, [&](BytesView b) { s.root_wrapped = key.seal(b, context("root", s, generation)); });
  return {};
}

Result<crypto::AeadKey> open_root(const Seal& s, const SecretBytes& material, std::uint32_t generation) {
  CAIP_CHECKED(check_material(s.kind, material));
  CAIP_TRY(key, key_of(s, material));
  CAIP_TRY(secret, key.open(s.private_wrapped, context("private", s, 0)));
  CAIP_TRY(shared, crypto::kem_decapsulate(secret, s.ciphertext));
  CAIP_TRY(shared_under, shared_key(s, shared));
  CAIP_TRY(root, shared_under.open(s.root_wrapped, context("root", s, generation)));
  return crypto::AeadKey::from(std::move(root));
}

json::object seal_json(const Seal& s) {
  json::object out{{"id", s.id}, {"kind", text(s.kind)}, {"created", s.created.str()}, {"salt", base64(s.salt)},
                   {"public_key", base64(s.public_key)}, {"private_wrapped", base64(s.private_wrapped)},
                   {"ciphertext", base64(s.ciphertext)}, {"root_wrapped", base64(s.root_wrapped)}};
  if (s.kind == SealKind::passphrase)
    out["argon2id"] = json::object{{"memory_kib", s.cost.memory_kib}, {"passes", s.cost.passes}, {"lanes", s.cost.lanes}};
  return out;
}

Result<Seal> parse_seal(const json::value& value) {
  if (!value.is_object()) return fail(Code::malformed, "a seal is an object");
  Members m(value.get_object());
  Seal s;
  CAIP_TRY(id, m.string("id", 64));
  CAIP_TRY(kind, m.string("kind", 16));
  CAIP_TRY(created, m.string("created", 32));
  CAIP_TRY(parsed_kind, parse_seal_kind(kind));
  CAIP_TRY(at, Instant::parse(created));
  s.id = std::move(id);
  s.kind = parsed_kind;
  s.created = at;
  for (auto [name, to] : {std::pair{"salt", &s.salt}, {"public_key", &s.public_key}, {"private_wrapped", &s.private_wrapped},
                          {"ciphertext", &s.ciphertext}, {"root_wrapped", &s.root_wrapped}}) {
    CAIP_TRY(bytes, bytes_member(m, name));
    *to = std::move(bytes);
  }
  if (s.kind == SealKind::passphrase) {
    CAIP_TRY(cost, m.object("argon2id"));
    Members c(cost);
    CAIP_TRY(memory, c.integer("memory_kib", 1, 1 << 30));
    CAIP_TRY(passes, c.integer("passes", 1, 1 << 30));
    CAIP_TRY(lanes, c.integer("lanes", 1, 1 << 30));
    CAIP_CHECKED(c.finish());
    s.cost = {static_cast<std::uint32_t>(memory), static_cast<std::uint32_t>(passes), static_cast<std::uint32_t>(lanes)};
  }
  CAIP_CHECKED(m.finish());
  return s;
}

}  // namespace caip::secrets
