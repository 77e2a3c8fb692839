#include "agent/env_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "base/log.h"
#include "fd.h"

namespace caip::agent {
namespace {

constexpr std::string_view kHead = "# Written by caip-helper; what is changed here is lost when env values are placed again.\n";
constexpr std::string_view kHalf = ".new";

std::unexpected<Error> failed(const std::string& what) { return fail(Code::internal, what + ": " + ::strerror(errno)); }

// Its folder, when nobody but root can put anything there.
Result<Fd> open_folder(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return failed(path + ": install the agent again, or make it");
  struct stat s {};
  if (::fstat(folder.get(), &s) != 0) return failed(path);
  if (s.st_uid != ::geteuid() || (s.st_mode & (S_IWGRP | S_IWOTH)) != 0) return fail(Code::forbidden, path + " is not root's alone to write");
  return folder;
}

Result<void> write_all(int fd, const SecretBytes& text) {
  bool written = true;
  text.expose(Use::named_use, [&](BytesView b) {
    while (!b.empty() && written) {
      const ssize_t n = ::write(fd, b.data(), b.size());
      if (n < 0 && errno == EINTR) continue;
      if (n > 0) b = b.subspan(static_cast<std::size_t>(n));
      else written = false;
    }
  });
  if (!written) return failed("writing env values");
  return {};
}

// Root's until it is whole: its owner gets a file that is finished.
Result<void> write_half(int folder, const std::string& name, const Owner& owner, const SecretBytes& text) {
  ::unlinkat(folder, name.c_str(), 0);  // of a crash
  const Fd file(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("making an env file");
  CAIP_CHECKED(write_all(file.get(), text));
  if (::fchmod(file.get(), 0600) != 0) return failed("an env file's mode");  // before it is another's: then we may not
  if (::fchown(file.get(), owner.uid, owner.gid) != 0) return failed("giving an env file to its user");
  if (::fsync(file.get()) != 0) return failed("syncing an env file");
  return {};
}

// What was done is done, whatever the disk says: an error would be taken for "as before".
void sync_folder(int folder) {
  if (::fsync(folder) != 0) log::error("what was done to an env file may not survive a power cut", {{"why", ::strerror(errno)}});
}

std::string name_of(const UnixUser& user) { return user.str() + ".env"; }

}  // namespace

Result<Owner> find_user(const UnixUser& user) {
  std::array<char, 16 * 1024> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(user.str().c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return fail(Code::not_found, "there is no user " + user.str() + " on this server");
  return lasting(user, Owner{entry.pw_uid, entry.pw_gid});
}

Result<Owner> lasting(const UnixUser& user, Owner owner) {
  constexpr uid_t kDynamic = 61184, kLastDynamic = 65519;  // systemd's DynamicUser=
  constexpr uid_t kNobody = 65534, kNone16 = 65535, kNone = static_cast<uid_t>(-1);
  if (owner.uid == 0) return fail(Code::forbidden, user.str() + " is root on this server");
  if (owner.uid == kNobody || owner.uid == kNone16 || owner.uid == kNone)
    return fail(Code::forbidden, user.str() + " stands for everybody who has no account on this server: others would read the file");
  if (owner.uid >= kDynamic && owner.uid <= kLastDynamic)
    return fail(Code::forbidden, user.str() + " is an account that ends with its service (DynamicUser=): the next service that has its number would read the file");
  return owner;
}

SecretBytes env_file(const channel::EnvValues& values) {
  Bytes out;  // as large as it can get from its beginning: growing would leave copies behind
  std::size_t most = kHead.size();
  for (const auto& v : values.all()) most += v.name.size() + 2 * v.value.size() + 4;
  out.reserve(most);
  const auto put = [&](std::string_view text) { out.insert(out.end(), text.begin(), text.end()); };
  put(kHead);
  for (const auto& v : values.all()) {
    put(v.name);
    put("=\"");
    v.value.expose(Use::named_use, [&](BytesView b) {
      for (const std::uint8_t c : b) {
        if (c == '"' || c == '\\' || c == '`' || c == '$') out.push_back('\\');
        out.push_back(c);
      }
    });
    put("\"\n");
  }
  return SecretBytes(std::move(out));
}

Result<void> EnvFiles::place(const UnixUser& user, const channel::EnvValues& values) const {
  CAIP_TRY(owner, find_(user));
  CAIP_TRY(folder, open_folder(folder_));
  const std::string name = name_of(user), half = "." + name + std::string(kHalf);
  if (auto written = write_half(folder.get(), half, owner, env_file(values)); !written) {
    ::unlinkat(folder.get(), half.c_str(), 0);
    return written;
  }
  if (::renameat(folder.get(), half.c_str(), folder.get(), name.c_str()) != 0) {
    auto error = failed("putting an env file in its place");
    ::unlinkat(folder.get(), half.c_str(), 0);
    return error;
  }
  sync_folder(folder.get());
  return {};
}

Result<void> EnvFiles::remove(const UnixUser& user) const {
  CAIP_TRY(folder, open_folder(folder_));
  if (::unlinkat(folder.get(), name_of(user).c_str(), 0) != 0 && errno != ENOENT) return failed("removing an env file");
  sync_folder(folder.get());
  return {};
}

void EnvFiles::sweep() const {
  auto folder = open_folder(folder_);
  if (!folder) return;  // an order says why
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(::dup(folder->get())), ::closedir);
  if (!list) return;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') && name.ends_with(kHalf)) ::unlinkat(folder->get(), entry->d_name, 0);
  }
}

}  // namespace caip::agent
