#include "model/secret.h"

namespace caip {

SecretUse use_of(SecretKind kind) noexcept {
  switch (kind) {
    case SecretKind::env_value: return SecretUse::server_env;
    case SecretKind::cloud_key: return SecretUse::cloud_call;
    case SecretKind::ssh_key: return SecretUse::ssh_sign;
    case SecretKind::notification: return SecretUse::notify;
    case SecretKind::ai_provider: break;
  }
  return SecretUse::pilot_turn;
}

std::string_view text(SecretKind kind) noexcept {
  switch (kind) {
    case SecretKind::env_value: return "env_value";
    case SecretKind::cloud_key: return "cloud_key";
    case SecretKind::ssh_key: return "ssh_key";
    case SecretKind::notification: return "notification";
    case SecretKind::ai_provider: return "ai_provider";
  }
  return "?";
}

std::string_view text(SecretUse use) noexcept {
  switch (use) {
    case SecretUse::server_env: return "server_env";
    case SecretUse::cloud_call: return "cloud_call";
    case SecretUse::ssh_sign: return "ssh_sign";
    case SecretUse::notify: return "notify";
    case SecretUse::pilot_turn: return "pilot_turn";
  }
  return "?";
}

std::string_view text(KeyClass key) noexcept {
  switch (key) {
    case KeyClass::root: return "root";
    case KeyClass::data: return "data";
    case KeyClass::jwt: return "jwt";
    case KeyClass::checkpoint: return "checkpoint";
    case KeyClass::order: return "order";
    case KeyClass::cosign: return "cosign";
    case KeyClass::ca: return "ca";
    case KeyClass::agent_ca: return "agent_ca";
    case KeyClass::pepper: return "pepper";
  }
  return "?";
}

Result<SecretKind> parse_secret_kind(std::string_view name) {
  for (const SecretKind kind : kSecretKinds)
    if (text(kind) == name) return kind;
  return fail(Code::invalid, "a kind is env_value, cloud_key, ssh_key, notification or ai_provider");
}

Result<KeyClass> parse_key_class(std::string_view name) {
  using enum KeyClass;
  for (const KeyClass key : {root, data, jwt, checkpoint, order, cosign, ca, agent_ca, pepper})
    if (text(key) == name) return key;
  return fail(Code::invalid, "a key is root, data, jwt, checkpoint, order, cosign, ca, agent_ca or pepper");
}

}  // namespace caip
