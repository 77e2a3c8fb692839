// servers/types.h: what is known about a server and about what it was told to do, as plain
// values. Text that came up from an agent (host name, kernel, unit descriptions, results) is
// Foreign. view() gives the JSON of the public API.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/page.h"
#include "base/text.h"
#include "base/time.h"
#include "model/actions.h"
#include "model/actor.h"
#include "model/ids.h"
#include "model/names.h"

namespace caip::servers {

struct Sample {
  double cpu_ratio = 0;  // 0..1
  std::int64_t mem_used = 0, mem_total = 0, disk_used = 0, disk_total = 0;  // bytes
  std::int64_t net_rx_bps = 0, net_tx_bps = 0;                              // bytes a second
  double load1 = 0;
  Instant at;
};

struct Unit {
  Foreign name, description, load, active, sub, file_state;
};

struct Facts {  // from an agent's Hello
  Foreign hostname, os, kernel;
};

enum class KeyState : std::uint8_t { good, revoked, quarantined };
std::string_view text(KeyState) noexcept;
Result<KeyState> parse_key_state(std::string_view);

// What a server's agent proves itself with. Keys are hex SHA-256 of the public key.
struct AgentKey {
  std::string key = {};   // empty: enrolled before there was this; goes by the certificate of the enrolment
  std::string next = {};  // the one that takes its place when it is used
  KeyState state = KeyState::good;
  bool rotate = false;    // somebody asked for a new one
  Instant since;          // of the key
  std::optional<Instant> from, until;  // of the newest certificate; none: not known
  std::string issuer = {};             // crypto::authority_id() of who signed the one it came with; stored with the next renewal, so what is stored is behind rather than ahead
  std::int64_t seen = 0;  // by the time that was spent listening (ServerService::listened)
  bool renews = false;    // the agent that is connected may be asked
  bool proves = false;    // and challenged
  bool checking = false;  // it is being challenged now
  std::optional<Instant> checked;  // when that ended last
  std::string check = {};          // and how: JSON, see view()
  std::string signature = {};  // what it signed its last handshake with, "mldsa65"
};

struct Server {
  ServerId id;
  OrgId org;
  ServerName name;
  Environment environment = Environment::unknown;
  std::string certificate;  // of its enrolment, whose name it is: hex SHA-256 of the DER. Those that renew it are others
  Facts facts;
  bool online = false;
  std::string group;  // of the channel, "X25519MLKEM768"
  std::optional<Instant> last_seen;
  std::optional<Sample> latest;
  std::optional<Instant> leaves;  // when it is forgotten; disconnected until then
  std::int64_t version = 1;       // of what people set: the environment
  AgentKey key = {};
};

// What hangs on a server, for whoever is about to let it go.
struct Hanging {
  std::int64_t orders = 0;      // on their way to it
  std::int64_t env_values = 0;  // of the product's secrets, in files on it
};

struct Enrolment {
  EnrolmentId id;
  OrgId org;
  ServerName name;
  Instant created_at, expires_at;
  std::optional<Instant> used_at;
  bool replaces = false;               // a server of that name: the machine takes its place
  std::optional<Principal> maker = {};  // as far as it is asked about later; none: the control plane itself
};
struct NewEnrolment {
  Enrolment enrolment;
  std::string token;  // shown once; only its SHA-256 is stored
};
struct Enrolled {
  ServerId server;
  std::string certificate_pem;
  std::string ca_pem, agent_ca_pem;
  Bytes order_key, log_key;  // Ed25519 public keys the helper checks orders against
  Bytes cosign_key;          // ML-DSA-44, of the log
};

enum class OperationStatus : std::uint8_t { pending, running, succeeded, failed, expired };
std::string_view text(OperationStatus) noexcept;

struct Operation {
  OperationId id;
  OrgId org;
  ServerAction action;
  std::optional<UserId> requester;
  std::optional<ApprovalId> approval;
  OperationStatus status = OperationStatus::pending;
  std::string result;  // what the server answered: JSON, text from outside; empty: nothing yet
  std::string error;  // ours, for people
  Instant created_at, expires_at;
  std::optional<Instant> finished_at;
  bool finished() const { return status != OperationStatus::pending && status != OperationStatus::running; }
};

// One env value in the file of a server's user: "sent" on its way, "placed", or "unknown" when its order had no answer.
struct Placement {
  OperationId operation;
  UnixUser user;
  SecretId secret;
  std::int64_t version = 1;
  std::string state;
  Instant at;
};

const ServerId& server_of(const ServerAction&);

json::object view(const AgentKey&, bool online, const std::string& group);
json::object view(const Sample&);
json::object view(const Unit&);
json::object view(const Server&);
json::object view(const Enrolment&);  // without install_command, which the web adds
json::object view(const Operation&);

}  // namespace caip::servers
