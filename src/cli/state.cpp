#include "state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/json.h"

namespace caip::cli {
namespace fs = std::filesystem;
namespace {

std::optional<fs::path> absolute_from_env(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || value[0] != '/') return std::nullopt;  // XDG: relative paths are ignored
  return fs::path(value);
}

Result<void> make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Code::storage_failed, "cannot make " + folder.string() + ": " + std::strerror(errno));
  return {};
}

Result<void> write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Code::storage_failed, std::string("cannot write: ") + std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<Paths> xdg_paths() {
  const auto home = absolute_from_env("HOME");
  auto config = absolute_from_env("XDG_CONFIG_HOME");
  auto state = absolute_from_env("XDG_STATE_HOME");
  if ((!config || !state) && !home) return fail(Code::invalid, "neither HOME nor the XDG folders are set");
  if (!config) config = *home / ".config";
  if (!state) state = *home / ".local" / "state";
  return Paths{*config / "caip", *state / "caip"};
}

Result<std::string> read_file(const fs::path& path, std::size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::not_found, "cannot read " + path.string());
  std::string text;
  for (std::array<char, 65536> piece{}; text.size() <= max_bytes && (in.read(piece.data(), piece.size()), in.gcount() > 0);)
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
  if (text.size() > max_bytes) return fail(Code::too_large, path.string() + " is too large");
  return text;
}

Result<std::string> first_line_of_file(const std::filesystem::path& path) {
  CAIP_TRY(text, read_file(path, 4096));
  return text.substr(0, text.find_first_of("\r\n"));
}

Result<std::string> second_line_of_file(const std::filesystem::path& path) {
  CAIP_TRY(text, read_file(path, 4096));
  const auto first = text.find('\n');
  const std::string rest = first == text.npos ? "" : text.substr(first + 1);
  if (rest.empty()) return fail(Code::invalid, "this asks for a code of your authenticator app, or a recovery code, too: in the second line of " + path.string());
  return rest.substr(0, rest.find_first_of("\r\n"));
}

Result<void> write_private(const fs::path& path, std::string_view text) {
  CAIP_CHECKED(make_private_folder(path.parent_path()));
  return replace_file(path, text);
}

Result<void> replace_file(const fs::path& path, std::string_view text) {
  std::string temporary = path.string() + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return fail(Code::storage_failed, "cannot write " + path.string() + ": " + std::strerror(errno));
  auto written = write_whole(fd, text);
  if (written && ::fsync(fd) != 0) written = fail(Code::storage_failed, "cannot write " + path.string());
  ::close(fd);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = fail(Code::storage_failed, "cannot replace " + path.string());
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<Config> load_config(const Paths& paths) {
  auto text = read_file(paths.config / "config.json", 65536);
  if (!text) return fail(Code::unauthenticated, "not signed in anywhere: run caip login --url https://…");
  CAIP_TRY(object, parse_object(*text));
  Members m(object);
  CAIP_TRY(url, m.string("url", 2048));
  CAIP_TRY(ca, m.string("ca", 128));
  if (ca.contains('/')) return fail(Code::malformed, "config.json names no file of its folder");
  return Config{url, ca};
}

Result<void> save_config(const Paths& paths, const Config& config) {
  return write_private(paths.config / "config.json", json::serialize(json::object{{"url", config.url}, {"ca", config.ca}}) + "\n");
}

Result<Tokens> load_tokens(const Paths& paths, const std::string& server) {
  auto text = read_file(paths.session(), 65536);
  if (!text) return fail(Code::unauthenticated, "not signed in: run caip login");
  CAIP_TRY(object, parse_object(*text));
  Members m(object);
  CAIP_TRY(access, m.string("access_token", 16384));
  CAIP_TRY(refresh, m.string("refresh_token", 16384));
  CAIP_TRY(kept, m.optional_string("server", 2048));
  const std::string whose = kept ? *kept : load_config(paths).value_or(Config{}).url;  // from before they had a name
  if (whose != server) return fail(Code::unauthenticated, "you are signed in at " + whose + ", not at " + server + ": run caip login --url " + server);
  return Tokens{whose, access, refresh};
}

Result<void> save_tokens(const Paths& paths, const Tokens& tokens) {
  return write_private(paths.session(), json::serialize(json::object{{"server", tokens.server}, {"access_token", tokens.access}, {"refresh_token", tokens.refresh}}) + "\n");
}

void forget_tokens(const Paths& paths) { ::unlink(paths.session().c_str()); }

std::string load_device(const Paths& paths) { return first_line_of_file(paths.state / "device").value_or(""); }

Result<void> save_device(const Paths& paths, const std::string& token) { return write_private(paths.state / "device", token + "\n"); }

SessionLock::SessionLock(const Paths& paths) : fd_(-1) {
  if (!make_private_folder(paths.state)) return;
  fd_ = ::open((paths.state / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ >= 0) static_cast<void>(::flock(fd_, LOCK_EX));
}

SessionLock::~SessionLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace caip::cli
