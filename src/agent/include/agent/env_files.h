// agent/env_files.h: the env values of a server's users: one file each, FOLDER/USER.env, as systemd's
// EnvironmentFile= and a shell read it, mode 0600 and the user's own. Whole or as before: written beside, synced and
// renamed, so that a crash at any moment leaves one of the two. The folder is root's and nobody else's to write; what
// is in the way of a file there, a symbolic link too, is replaced and never followed.
#pragma once
#include <sys/types.h>

#include <functional>
#include <string>

#include "base/result.h"
#include "channel/env.h"
#include "model/names.h"

namespace caip::agent {

inline constexpr const char* kEnvDir = "/etc/caip-env";

struct Owner {
  uid_t uid;
  gid_t gid;
};
// An account of this server: not_found when there is none, and what lasting() says.
Result<Owner> find_user(const UnixUser&);
// forbidden: root by another name, or an account whose number is anybody's, or the next service's.
Result<Owner> lasting(const UnixUser&, Owner);

class EnvFiles {
 public:
  explicit EnvFiles(std::string folder, std::function<Result<Owner>(const UnixUser&)> find = find_user)
      : folder_(std::move(folder)), find_(std::move(find)) {}
  Result<void> place(const UnixUser&, const channel::EnvValues&) const;
  Result<void> remove(const UnixUser&) const;  // no file: nothing to do
  void sweep() const;                          // what a crash left half written

 private:
  std::string folder_;
  std::function<Result<Owner>(const UnixUser&)> find_;
};

// NAME="value" a line, sorted; in the values '"', '\\', '`' and '$' behind a backslash.
SecretBytes env_file(const channel::EnvValues&);

}  // namespace caip::agent
