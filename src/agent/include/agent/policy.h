// agent/policy.h: what root of this server lets nobody order here. A file of root's, read anew for each order:
//
//   /etc/caip/policy.json   {"ai": false, "forbid": ["env"], "forbid_ai": ["unit.stop"]}
//
// "ai": false: no write that an AI asked for. "forbid", "forbid_ai": no write of these kinds ("unit.stop") or categories ("unit"), by anybody, or by an AI.
// "forbid" holds whatever the control plane says; that an AI asked is what the entry in its log says. Each may be left out. Without a file everything is allowed; with one that cannot be read, or is not root's alone to write, no write is.
#pragma once
#include <optional>
#include <string>

#include "model/actions.h"

namespace caip::agent {

inline constexpr const char* kPolicyFile = "/etc/caip/policy.json";

class PolicyFile {
 public:
  explicit PolicyFile(std::string path) : path_(std::move(path)) {}
  // Why not (Code::forbidden, names the file and its rule). Reads are never forbidden here, but by the brake beside the file (agent/panic.h).
  std::optional<Error> forbids(const ServerAction&, bool by_ai) const;

 private:
  std::string path_;
};

}  // namespace caip::agent
