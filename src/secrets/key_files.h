// Files of keys: made whole or not at all, readable by their owner alone. Private to the room.
#pragma once
#include <string>
#include <utility>

#include "base/result.h"
#include "crypto/secret.h"

namespace caip::secrets {

class FolderLock {  // of flock(2); released with the object or the process
 public:
  explicit FolderLock(int fd) : fd_(fd) {}
  FolderLock(FolderLock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  FolderLock& operator=(FolderLock&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

Result<void> open_folder(const std::string& folder);  // makes it 0700; refuses one that others may enter
Result<bool> present(const std::string& path);
Result<SecretBytes> read_secret(const std::string& path);  // refuses a file that others may read
Result<SecretBytes> read_credential(const std::string& path);  // as systemd gives it: its group may read, others not
Result<void> write_secret(const std::string& path, const SecretBytes&);  // never replaces
// The old content or the new, never half of either, also after a power cut.
Result<void> replace_file(const std::string& path, const std::string& content);
// Overwritten, then removed. What the disk keeps of it underneath (journal, wear levelling, snapshots) we cannot reach.
Result<void> destroy_file(const std::string& path);

}  // namespace caip::secrets
