// channel/handshake.h: from a finished TLS handshake to an AgentIdentity. Checks all of it
// again: TLS 1.3, ALPN caip-agent/1, X25519MLKEM768, a verified client certificate with exactly
// one server name in it.
#pragma once
#include "base/result.h"
#include "base/time.h"
#include "proofs/agent_identity.h"

struct ssl_st;

namespace caip::channel {

class Handshake {
 public:
  static Result<AgentIdentity> identify(ssl_st*, Instant now);
};

}  // namespace caip::channel
