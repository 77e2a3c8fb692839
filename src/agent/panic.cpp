#include "agent/panic.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "base/text.h"
#include "fd.h"

namespace caip::agent {
namespace {

constexpr std::size_t kMostWhy = 500;

Error failed(const std::filesystem::path& path) { return {Code::storage_failed, path.string() + ": " + ::strerror(errno)}; }

Result<void> settle(const std::filesystem::path& folder) {  // names are on the disk with the folder
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return std::unexpected(failed(folder));
  return {};
}

}  // namespace

Result<void> begin_panic(const std::filesystem::path& folder, std::string_view why, Instant now) {
  const auto path = folder / kPanicFile;
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd && errno != EEXIST) return std::unexpected(failed(path));
  const std::string note = "since " + now.str() + (why.empty() ? "" : ": " + cut(shown(why), kMostWhy)) + "\n";
  if (fd && ::write(fd.get(), note.data(), note.size()) == static_cast<ssize_t>(note.size())) ::fsync(fd.get());
  return settle(folder);
}

Result<void> end_panic(const std::filesystem::path& folder) {
  const auto path = folder / kPanicFile;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return std::unexpected(failed(path));
  return settle(folder);
}

std::optional<Error> panic(const std::filesystem::path& folder) {
  struct stat s {};
  if (::lstat((folder / kPanicFile).c_str(), &s) != 0 && errno == ENOENT) return std::nullopt;
  return Error{Code::forbidden, "root stopped all orders on this server (" + (folder / kPanicFile).string() + "); there, caip-agent panic --end lets them run again"};
}

}  // namespace caip::agent
