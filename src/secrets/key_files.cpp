#include "key_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace caip::secrets {
namespace {

constexpr std::size_t kMaxFile = 16 * 1024 * 1024;

std::unexpected<Error> os_failed(const char* what, const std::string& path) {
  return fail(Code::storage_failed, std::string(what) + " " + path + ": " + std::strerror(errno));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Result<void> private_to_us(const struct stat& st, const std::string& path) {
  if (st.st_uid != ::geteuid()) return fail(Code::storage_failed, path + " belongs to another user");
  if ((st.st_mode & 077) != 0) return fail(Code::storage_failed, path + " may be read by others; chmod go= it");
  return {};
}

enum class Check : std::uint8_t { ours, credential };

Result<SecretBytes> read_whole(const std::string& path, Check check) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat st {};
  if (file.fd() < 0 || ::fstat(file.fd(), &st) != 0) return os_failed("cannot read", path);
  if (check == Check::ours) CAIP_CHECKED(private_to_us(st, path));
  if ((st.st_mode & 007) != 0) return fail(Code::storage_failed, path + " may be read by others");
  if (!S_ISREG(st.st_mode) || st.st_size < 0 || static_cast<std::size_t>(st.st_size) > kMaxFile)
    return fail(Code::storage_failed, path + " is not a key file");
  Bytes bytes(static_cast<std::size_t>(st.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.fd(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return os_failed("cannot read", path);
    done += static_cast<std::size_t>(n);
  }
  return SecretBytes(std::move(bytes));
}

bool write_all(int fd, BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

Result<void> flush_folder_of(const std::string& path) {
  auto parent = std::filesystem::path(path).parent_path();
  const File folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() < 0 || ::fsync(folder.fd()) != 0) return os_failed("cannot flush the folder of", path);
  return {};
}

}  // namespace

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> open_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return os_failed("cannot make", folder);
  struct stat st {};
  if (::lstat(folder.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return fail(Code::storage_failed, folder + " is not a folder");
  return private_to_us(st, folder);
}

Result<bool> present(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0) return true;
  if (errno == ENOENT) return false;
  return os_failed("cannot look at", path);
}

Result<SecretBytes> read_secret(const std::string& path) { return read_whole(path, Check::ours); }

Result<SecretBytes> read_credential(const std::string& path) { return read_whole(path, Check::credential); }

Result<void> write_secret(const std::string& path, const SecretBytes& secret) {
  const std::string part = path + ".part";  // left behind by a crash at worst; never read
  ::unlink(part.c_str());
  {
    const File file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.fd() < 0) return os_failed("cannot make", part);
    bool written = false;
    secret.expose(Use::store_key, [&](BytesView b) { written = write_all(file.fd(), b); });
    if (!written || ::fsync(file.fd()) != 0) return os_failed("cannot write", part);
  }
  // link() refuses an existing name, rename() would replace it.
  if (::link(part.c_str(), path.c_str()) != 0) return os_failed("cannot make", path);
  ::unlink(part.c_str());
  return flush_folder_of(path);
}

Result<void> replace_file(const std::string& path, const std::string& content) {
  const std::string part = path + ".part";
  ::unlink(part.c_str());
  {
    const File file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.fd() < 0) return os_failed("cannot make", part);
    if (!write_all(file.fd(), view(content)) || ::fsync(file.fd()) != 0) return os_failed("cannot write", part);
  }
  if (::rename(part.c_str(), path.c_str()) != 0) return os_failed("cannot replace", path);
  return flush_folder_of(path);
}

Result<void> destroy_file(const std::string& path) {
  {
    const File file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat st {};
    if (file.fd() < 0 || ::fstat(file.fd(), &st) != 0) return os_failed("cannot open", path);
    const Bytes zeros(static_cast<std::size_t>(st.st_size));
    if (!write_all(file.fd(), zeros) || ::fsync(file.fd()) != 0) return os_failed("cannot overwrite", path);
  }
  if (::unlink(path.c_str()) != 0) return os_failed("cannot remove", path);
  return flush_folder_of(path);
}

}  // namespace caip::secrets
