// state.h: what the client remembers. XDG_CONFIG_HOME/caip/{config.json,ca-*.pem}: which server,
// and the one authority it is trusted by, in a file named by its fingerprint. XDG_STATE_HOME/caip/session.json (0600): tokens.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::cli {

struct Paths {
  std::filesystem::path config;
  std::filesystem::path state;
  std::filesystem::path session() const { return state / "session.json"; }
};
Result<Paths> xdg_paths();

struct Config {
  std::string url;
  std::string ca;  // name of the file with the one authority to trust; empty: those of the system
};
Result<Config> load_config(const Paths&);
Result<void> save_config(const Paths&, const Config&);

struct Tokens {
  std::string server;  // whose they are, as Config::url: nobody else is shown them
  std::string access;
  std::string refresh;
};
Result<Tokens> load_tokens(const Paths&, const std::string& server);  // unauthenticated: there are none, or another server's
Result<void> save_tokens(const Paths&, const Tokens&);
void forget_tokens(const Paths&);
// This device's name for the server, from its last sign-in: outlives the session, and opens nothing.
std::string load_device(const Paths&);
Result<void> save_device(const Paths&, const std::string&);

// Refresh tokens rotate and a reused one ends the session: one process at a time.
class SessionLock {
 public:
  explicit SessionLock(const Paths&);
  SessionLock(const SessionLock&) = delete;
  SessionLock& operator=(const SessionLock&) = delete;
  ~SessionLock();

 private:
  int fd_;
};

Result<std::string> read_file(const std::filesystem::path&, std::size_t max_bytes);
Result<std::string> first_line_of_file(const std::filesystem::path&);  // a password
Result<std::string> second_line_of_file(const std::filesystem::path&);  // and a code, where one is needed
// Whole or not at all, mode 0600, in folders of mode 0700.
Result<void> write_private(const std::filesystem::path&, std::string_view);
Result<void> replace_file(const std::filesystem::path&, std::string_view);  // likewise, in a folder that is left as it is

}  // namespace caip::cli
