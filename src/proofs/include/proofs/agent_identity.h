// proofs/agent_identity.h: the peer of this channel proved with its certificate that it is
// this enrolled server. Minted by channel::Handshake alone.
#pragma once
#include <string>

#include "base/badge.h"
#include "model/ids.h"

namespace caip::channel { class Handshake; }

namespace caip {

class [[nodiscard]] AgentIdentity final {
 public:
  AgentIdentity(Badge<channel::Handshake>, ServerId server, std::string certificate_sha256, std::string group)
      : server_(server), certificate_(std::move(certificate_sha256)), group_(std::move(group)) {}
  AgentIdentity(AgentIdentity&&) noexcept = default;
  AgentIdentity(const AgentIdentity&) = delete;
  AgentIdentity& operator=(const AgentIdentity&) = delete;
  ~AgentIdentity() noexcept {}

  const ServerId& server() const { return server_; }
  const std::string& certificate() const { return certificate_; }  // hex SHA-256 of its DER
  const std::string& group() const { return group_; }              // "X25519MLKEM768"

 private:
  ServerId server_;
  std::string certificate_;
  std::string group_;
};

}  // namespace caip
