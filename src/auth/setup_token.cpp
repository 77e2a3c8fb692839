#include "setup_token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "crypto/random.h"

namespace caip::auth {
namespace {

constexpr std::size_t kLength = 43;  // base64url of 32 bytes

// Empty when the file is not ours alone or not whole.
std::string read_token(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  struct stat st {};
  std::string text(kLength + 2, '\0');
  const bool ours = ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == ::geteuid() && (st.st_mode & 077) == 0;
  const ssize_t size = ours ? ::read(fd, text.data(), text.size()) : -1;
  ::close(fd);
  if (size != static_cast<ssize_t>(kLength) + 1 || text[kLength] != '\n') return {};
  text.resize(kLength);
  const auto bytes = from_base64url(text);
  return bytes && bytes->size() == 32 ? text : std::string();
}

}  // namespace

Result<std::string> open_setup_token(const std::string& path) {
  if (auto token = read_token(path); !token.empty()) return token;
  ::unlink(path.c_str());
  const std::string token = base64url(crypto::random_bytes(32));
  const std::string line = token + "\n";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(Code::storage_failed, "cannot make " + path + ": " + std::strerror(errno));
  const bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  ::close(fd);
  if (!written) return fail(Code::storage_failed, "cannot write " + path);
  return token;
}

void remove_setup_token(const std::string& path) noexcept { ::unlink(path.c_str()); }

}  // namespace caip::auth
