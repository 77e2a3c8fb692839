#include "authorities.h"

#include <algorithm>
#include <vector>

namespace caip::secrets {
namespace {

constexpr int kAuthorityDays = 3650;
constexpr std::size_t kMostBefore = 4;  // of links, and of authorities of before: they are sent and searched with every handshake
constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
constexpr std::string_view kName = "CloudAIPilot authority";  // of all: a link is between two of one name

// One certificate each; nothing else is left over.
std::optional<std::vector<std::string>> certificates_in(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto at = text.find(kEnd);
    if (at == text.npos) return std::nullopt;
    out.emplace_back(text.substr(0, at + kEnd.size()));
    text.remove_prefix(at + kEnd.size());
  }
  return out;
}

std::string newest_of(const std::string& first, const std::string& rest) {
  std::string out = first;
  const auto all = certificates_in(rest);
  for (std::size_t n = 0; all && n < std::min(all->size(), kMostBefore - 1); ++n) out += (*all)[n];
  return out;
}

}  // namespace

bool is_full(const Authority& a) noexcept {
  std::size_t n = 0;
  for (auto at = a.earlier.find(kEnd); at != std::string::npos; at = a.earlier.find(kEnd, at + kEnd.size())) ++n;
  return n >= kMostBefore;
}

Result<AuthorityKey> read_authority(const SecretBytes& value) {
  std::string text;
  SecretBytes key;
  value.expose(Use::load_key, [&](BytesView b) {
    const std::string_view all = text_of(b);
    const auto at = all.rfind(kEnd);
    if (at == all.npos) return;
    text = all.substr(0, at + kEnd.size());
    key = SecretBytes(all.substr(at + kEnd.size()));
  });
  const auto certificates = certificates_in(text);
  if (!certificates || certificates->empty() || key.empty()) return fail(Code::storage_failed, "the keyring holds no authority");
  AuthorityKey out{.pair = {certificates->front(), std::move(key)}, .links = {}, .earlier = {}};
  for (std::size_t n = 1; n < certificates->size(); ++n) {
    const std::string& one = (*certificates)[n];
    (crypto::signed_by(one, one) ? out.earlier : out.links) += one;
  }
  return out;
}

Result<SecretBytes> make_authority(KeyClass key, Instant now, const AuthorityKey* before) {
  CAIP_TRY(made, crypto::make_authority(kName, now, kAuthorityDays, key == KeyClass::agent_ca ? crypto::Signature::mldsa65 : crypto::Signature::ecdsa_p256,
                                         before != nullptr ? before->pair.certificate_pem : ""));
  std::string text = made.certificate_pem;
  if (before != nullptr) {
    CAIP_TRY(link, crypto::link_authority(before->pair, made.certificate_pem));
    text += newest_of(link, before->links) + newest_of(before->pair.certificate_pem, before->earlier);
  }
  Bytes all(text.begin(), text.end());
  made.key_pem.expose(Use::store_key, [&](BytesView b) {
    all.reserve(all.size() + b.size());  // it is not copied once more, to lie about
    all.insert(all.end(), b.begin(), b.end());
  });
  return SecretBytes(std::move(all));
}

Result<void> add_agent_authority(Keyring& ring, Instant now, bool known_to_agents) {
  const Key* ca = ring.newest(KeyClass::ca);
  if (ca == nullptr) return fail(Code::storage_failed, "the keyring lacks a key");
  CAIP_TRY(before, read_authority(ca->value));
  CAIP_TRY(value, make_authority(KeyClass::agent_ca, now, known_to_agents ? &before : nullptr));
  ring.keys.push_back({.key = KeyClass::agent_ca, .scope = {}, .generation = 1, .created = now, .ends = {}, .value = std::move(value)});
  return {};
}

Result<void> rotate_authority(Keyring& ring, KeyClass key, Instant now) {
  const Key* old = ring.newest(key);
  if (old == nullptr) return fail(Code::storage_failed, "the keyring lacks a key");
  CAIP_TRY(before, read_authority(old->value));
  CAIP_TRY(value, make_authority(key, std::max(now, old->created), &before));  // a clock that is behind would make one that has ended
  const std::uint32_t generation = old->generation + 1;
  std::erase_if(ring.keys, [&](const Key& k) { return k.key == key; });
  ring.keys.push_back({.key = key, .scope = {}, .generation = generation, .created = now, .ends = {}, .value = std::move(value)});
  return {};
}

}  // namespace caip::secrets
