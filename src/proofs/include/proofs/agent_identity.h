// proofs/agent_identity.h: the peer of this channel proved with its certificate that it is
// this enrolled server. Minted by channel::Handshake alone.
#pragma once
#include <string>

#include "base/badge.h"
#include "base/bytes.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::channel { class Handshake; }

namespace caip {

// What the peer showed, and what was negotiated.
struct Credential {
  std::string certificate;  // hex SHA-256 of its DER
  Digest key{};             // SHA-256 of its public key (SubjectPublicKeyInfo)
  Instant from, until;      // of the certificate
  bool lapsed = false;      // it had expired, by this side's clock: its holder may renew it, and nothing else
  std::string group;        // "X25519MLKEM768"
  std::string issuer;       // authority_id() of who signed the certificate
  std::string signature;    // what the peer signed the handshake with, "ecdsa_secp256r1_sha256"
};

class [[nodiscard]] AgentIdentity final {
 public:
  AgentIdentity(Badge<channel::Handshake>, ServerId server, Credential shown) : server_(server), shown_(std::move(shown)) {}
  AgentIdentity(AgentIdentity&&) noexcept = default;
  AgentIdentity(const AgentIdentity&) = delete;
  AgentIdentity& operator=(const AgentIdentity&) = delete;
  ~AgentIdentity() noexcept {}

  const ServerId& server() const { return server_; }
  const Credential& shown() const { return shown_; }
  const std::string& certificate() const { return shown_.certificate; }
  const std::string& group() const { return shown_.group; }

 private:
  ServerId server_;
  Credential shown_;
};

}  // namespace caip
