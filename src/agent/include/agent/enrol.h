// agent/enrol.h: turns a single-use token into this server's certificate.
#pragma once
#include <string>

#include "agent/config.h"

namespace caip::agent {

// Makes a key and a request, calls POST /api/v1/agent/enrol over TLS pinned to ca_pem, stores the
// result in dir. The CA that comes back must be the pinned one.
Result<void> enrol(const Endpoint&, const std::string& ca_pem, const SecretBytes& token, const std::string& dir);

// Parsing of the answer, for the tests: status line, headers, body; then the members.
Result<std::string> http_body(std::string_view response);
Result<Enrolled> read_enrolled(std::string_view body, const Endpoint&, const std::string& ca_pem);

}  // namespace caip::agent
