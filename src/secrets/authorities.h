// The authorities in the keyring. One key is one value: its own certificate, then links and the certificates of those before
// it, then the private key. So neither is ever without the other, and a rotation is one value in place of another. Private.
#pragma once
#include "crypto/certificates.h"
#include "keyring.h"
#include "secrets/keeper.h"

namespace caip::secrets {

struct AuthorityKey {
  crypto::KeyAndCertificate pair;
  std::string links, earlier;
};

constexpr bool is_authority(KeyClass key) { return key == KeyClass::ca || key == KeyClass::agent_ca; }
Result<AuthorityKey> read_authority(const SecretBytes& value);
// The value of a new one. `before`: in whose place it comes, or whom agents knew until there was one of their own.
Result<SecretBytes> make_authority(KeyClass, Instant now, const AuthorityKey* before);
// A keyring that knew one authority for everything gets the agents'. Those who came to know it as the only one follow a link.
Result<void> add_agent_authority(Keyring&, Instant now, bool known_to_agents);
Result<void> rotate_authority(Keyring&, KeyClass, Instant now);

}  // namespace caip::secrets
