// model/secret.h: what kinds of secrets there are, what each may be opened for, and which keys the
// product has. Closed lists: a new way to read a secret is a line here, and the keeper refuses a
// use that is not its kind's.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class SecretKind : std::uint8_t { env_value, cloud_key, ssh_key, notification, ai_provider };
inline constexpr std::array kSecretKinds{SecretKind::env_value, SecretKind::cloud_key, SecretKind::ssh_key, SecretKind::notification,
                                         SecretKind::ai_provider};

// The only reasons for which a value leaves the keeper. An SSH private key has none: the keeper
// signs with it (ssh_sign) and gives the signature.
enum class SecretUse : std::uint8_t {
  server_env,  // an env value, on its way to the server that runs the site
  cloud_call,  // a cloud key, for a call to that cloud
  ssh_sign,    // an SSH key: a signature, never the key
  notify,      // a notification credential, to deliver a message
  pilot_turn,  // an AI provider key, for one turn of the pilot
};
SecretUse use_of(SecretKind) noexcept;  // each kind has exactly one

// Every key of the product, for inventory and rotation. `data` is an organisation's. `ca` signs what browsers and the
// command line are shown, `agent_ca` both sides of the agents' channel.
enum class KeyClass : std::uint8_t { root, data, jwt, checkpoint, order, cosign, ca, agent_ca, pepper };

std::string_view text(SecretKind) noexcept;  // "env_value"
std::string_view text(SecretUse) noexcept;   // "server_env"
std::string_view text(KeyClass) noexcept;    // "root"
Result<SecretKind> parse_secret_kind(std::string_view);
Result<KeyClass> parse_key_class(std::string_view);

}  // namespace caip
