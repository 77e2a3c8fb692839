// agent/enrol.h: turns a single-use token into this server's certificate.
#pragma once
#include <string>

#include "agent/config.h"

namespace caip::agent {

// What the install command says whom to trust: the authority of the connection over which the server enrols, and the one of
// the agents' channel (post-quantum, so that nobody who forges the first later is believed on the second).
struct Pinned {
  std::string ca_pem;
  std::string agent_ca_pem;     // one certificate
  std::string agent_ca_sha256;  // its DER's, in the install command
};

// Makes a key and a request, calls POST /api/v1/agent/enrol over TLS pinned to the first, stores the
// result in dir. The authorities that come back must be the pinned ones.
Result<void> enrol(const Endpoint&, const Pinned&, const SecretBytes& token, const std::string& dir);

// Parsing of the answer, for the tests: status line, headers, body; then the members.
Result<std::string> http_body(std::string_view response);
Result<Enrolled> read_enrolled(std::string_view body, const Endpoint&, const Pinned&);

}  // namespace caip::agent
