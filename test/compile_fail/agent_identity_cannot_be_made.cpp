// Which server speaks is what its certificate proved in channel::Handshake.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <utility>
#include "proofs/agent_identity.h"

void forge(caip::ServerId server, caip::AgentIdentity given) {
#ifdef MUST_FAIL
  caip::AgentIdentity identity(caip::Badge<caip::channel::Handshake>{}, server, "", "X25519MLKEM768");
#else
  caip::AgentIdentity identity = std::move(given);
  (void)server;
#endif
  (void)identity;
}
