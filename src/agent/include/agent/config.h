// agent/config.h: what enrolment leaves behind. Everything is root's; the network half reads it
// before it drops its privileges and can change none of it.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "channel/order.h"
#include "crypto/ed25519.h"
#include "crypto/secret.h"

namespace caip::agent {

inline constexpr const char* kConfigDir = "/etc/caip";
inline constexpr const char* kHelperState = "/var/lib/caip-helper";
inline constexpr const char* kUser = "caip-agent";

struct Endpoint {  // HOST:PORT, [v6]:PORT
  std::string host;
  std::string port;
  static Result<Endpoint> parse(std::string_view text);
  std::string str() const;
};

inline constexpr const char* kAuthorityFile = "/agent-ca.pem";  // below kConfigDir: whom the agent trusts on its channel at first

struct AgentConfig {
  Endpoint server;
  std::string authority_pem;  // whom to trust on the channel
  std::string certificate_pem;
  SecretBytes key_pem;
};

struct Enrolled {
  Endpoint server;
  channel::OrderTrust trust;
  std::string ca_pem;        // who signed what browsers are shown; for the enrolment alone
  std::string agent_ca_pem;
  std::string certificate_pem;
};

// agent.json last. witness_seed: 32 bytes, what this server cosigns the log with.
Result<void> store(const std::string& dir, const Enrolled&, const SecretBytes& key_pem, const SecretBytes& witness_seed);
Result<AgentConfig> load_agent(const std::string& dir, const std::string& state = kHelperState);
Result<channel::OrderTrust> load_trust(const std::string& dir);
Result<crypto::SigningKey> load_witness_key(const std::string& dir);

// Files, whole: written beside, synced, renamed, the folder synced.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes = 1024 * 1024);
Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode);

}  // namespace caip::agent
