#include "site_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace caip::agent {
namespace {

constexpr std::size_t kMostCounted = 100'000;  // files of one site
constexpr std::size_t kMostAtOnce = 10'000;    // names of one folder that are held in memory
constexpr int kMostRounds = 100'000;           // of emptying: somebody may go on writing
constexpr std::string_view kFirstPage =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Nothing here yet</title></head>\n"
    "<body><h1>Nothing here yet</h1><p>This site is new. Its files go where this page is.</p></body></html>\n";

std::unexpected<Error> failed(const std::string& what) { return fail(Code::internal, what + ": " + ::strerror(errno)); }

// Beneath `folder` and on its file system, and no part of the way is a link.
Fd open_beneath(int folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return Fd(static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how)));
}
Fd open_folder(int folder, const std::string& path) { return open_beneath(folder, path, O_RDONLY | O_DIRECTORY); }

struct Entry {
  std::string name;
  struct stat s;
};

// What is in it, up to a number; names that vanish meanwhile are left out.
Result<std::vector<Entry>> entries(const Fd& folder, std::size_t most = kMostAtOnce) {
  const Fd own(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // a place of its own in the list
  const std::unique_ptr<DIR, int (*)(DIR*)> list(own ? ::fdopendir(::dup(own.get())) : nullptr, [](DIR* d) { return d ? ::closedir(d) : 0; });
  if (!list) return failed("a site's folder");
  std::vector<Entry> out;
  while (out.size() < most) {
    const dirent* one = ::readdir(list.get());
    if (!one) break;
    Entry e{one->d_name, {}};
    if (e.name == "." || e.name == ".." || ::fstatat(folder.get(), one->d_name, &e.s, AT_SYMLINK_NOFOLLOW) != 0) continue;
    out.push_back(std::move(e));
  }
  return out;
}

// false: a folder that is not empty.
Result<bool> drop(const Fd& in, const Entry& e) {
  const bool folder = S_ISDIR(e.s.st_mode);
  if (::unlinkat(in.get(), e.name.c_str(), folder ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT) return true;
  if (folder && (errno == ENOTEMPTY || errno == EEXIST)) return false;
  return failed("removing a site's file");
}

// What is in the folder `name` of `top` goes, or moves up into `top`.
Result<void> lift(const Fd& top, const std::string& name, std::uint64_t& moved) {
  const Fd inner = open_folder(top.get(), name);
  if (!inner) return failed("opening a site's folder");
  CAIP_TRY(within, entries(inner));
  for (const Entry& e : within) {
    CAIP_TRY(gone, drop(inner, e));
    if (gone) continue;
    std::string up = ".caip-" + std::to_string(moved++);
    while (::faccessat(top.get(), up.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) up = ".caip-" + std::to_string(moved++);
    if (::renameat(inner.get(), e.name.c_str(), top.get(), up.c_str()) != 0 && errno != ENOENT) return failed("moving a site's folder");
  }
  return {};
}

// One name after the other, and no deeper than two: what is in a folder moves up before the folder goes, so that no depth of
// somebody's making is a depth of ours.
Result<void> empty(const Fd& top) {
  std::uint64_t moved = 0;
  for (int rounds = 0; rounds < kMostRounds; ++rounds) {
    CAIP_TRY(all, entries(top));
    if (all.empty()) return {};
    for (const Entry& e : all) {
      CAIP_TRY(gone, drop(top, e));
      if (!gone) CAIP_CHECKED(lift(top, e.name, moved));
    }
  }
  return fail(Code::conflict, "a site's folder does not get empty: somebody goes on writing there");
}

Result<void> set_mode(const Fd& site, mode_t mode) {
  struct stat s {};
  if (::fstat(site.get(), &s) == 0 && (s.st_mode & 07777) == mode) return {};
  if (::fchmod(site.get(), mode) != 0 || ::fsync(site.get()) != 0) return failed("a site's folder");
  return {};
}

Result<void> write_first_page(const Fd& in, Owner owner, gid_t web) {
  const Fd page(::openat(in.get(), "index.html", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!page) return errno == EEXIST ? Result<void>() : Result<void>(failed("a site's first page"));
  if (::write(page.get(), kFirstPage.data(), kFirstPage.size()) != static_cast<ssize_t>(kFirstPage.size())) return failed("a site's first page");
  if (::fchmod(page.get(), 0640) != 0 || ::fchown(page.get(), owner.uid, web) != 0 || ::fsync(page.get()) != 0) return failed("a site's first page");
  return {};
}

// Waits for it; nothing of ours is handed on but the arguments.
Result<int> run(const char* program, std::vector<std::string> args) {
  std::vector<char*> argv;
  for (std::string& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  std::array<char*, 1> nothing{};
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  for (const int fd : {0, 1, 2}) ::posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program, &files, nullptr, argv.data(), nothing.data());
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) return fail(Code::internal, std::string(program) + ": " + ::strerror(error));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return failed(program);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

class SystemUsers final : public SiteUsers {
 public:
  explicit SystemUsers(std::string home) : home_(std::move(home)) {}

  Result<Owner> make(const SiteId& id) override {
    CAIP_TRY(user, UnixUser::parse(id.str()));
    if (auto there = find_user(user); there || there.error().code != Code::not_found) return there;
    CAIP_TRY(ended, run("/usr/sbin/useradd", {"useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home_ + "/" + id.str(),
                                              "--shell", "/usr/sbin/nologin", "--comment", "site of CloudAIPilot", user.str()}));
    if (ended != 0) return fail(Code::internal, "useradd ended with " + std::to_string(ended));
    return find_user(user);
  }

  Result<void> remove(const SiteId& id) override {
    CAIP_TRY(user, UnixUser::parse(id.str()));
    if (auto there = find_user(user); !there && there.error().code == Code::not_found) return {};
    CAIP_TRY(ended, run("/usr/sbin/userdel", {"userdel", user.str()}));
    if (ended != 0) return fail(Code::internal, "userdel ended with " + std::to_string(ended) + "; programs of this user may be running");
    return {};
  }

  Result<gid_t> web_group() override {
    CAIP_TRY(user, UnixUser::parse("www-data"));
    CAIP_TRY(owner, find_user(user));
    return owner.gid;
  }

 private:
  std::string home_;
};

}  // namespace

std::unique_ptr<SiteUsers> make_site_users(std::string home_folder) { return std::make_unique<SystemUsers>(std::move(home_folder)); }

// Root's alone to write: else a name in it could be anything.
Result<Fd> SiteFiles::base() const {
  if (::mkdir(folder_.c_str(), 0711) != 0 && errno != EEXIST) return failed(folder_);
  Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return failed(folder_);
  struct stat s {};
  if (::fstat(folder.get(), &s) != 0) return failed(folder_);
  if (s.st_uid != ::geteuid() || (s.st_mode & (S_IWGRP | S_IWOTH)) != 0) return fail(Code::forbidden, folder_ + " is not root's alone to write");
  if (::fchmod(folder.get(), 0711) != 0) return failed(folder_);
  return folder;
}

Result<void> SiteFiles::make(const SiteId& id, Owner owner, gid_t web, bool first) const {
  CAIP_TRY(all, base());
  if (::mkdirat(all.get(), id.str().c_str(), 0700) != 0 && errno != EEXIST) return failed("a site's folder");
  const Fd site = open_folder(all.get(), id.str());
  if (!site) return failed("a site's folder");
  if (::mkdirat(site.get(), "public", 0700) != 0 && errno != EEXIST) return failed("a site's folder");
  const Fd in = open_folder(site.get(), "public");
  if (!in) return failed("a site's folder");
  if (first) CAIP_CHECKED(write_first_page(in, owner, web));
  if (::fchmod(in.get(), 0750) != 0 || ::fchown(in.get(), owner.uid, web) != 0 || ::fsync(in.get()) != 0) return failed("a site's folder");
  CAIP_CHECKED(set_mode(site, 0755));
  if (::fsync(all.get()) != 0) return failed(folder_);
  return {};
}

bool SiteFiles::there(const SiteId& id) const {
  const auto all = base();
  return all && ::faccessat(all->get(), id.str().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<void> SiteFiles::open_up(const SiteId& id) const {
  CAIP_TRY(all, base());
  const Fd site = open_folder(all.get(), id.str());
  if (!site) return failed("a site's folder");
  return set_mode(site, 0755);
}

Result<void> SiteFiles::shut(const SiteId& id) const {
  CAIP_TRY(all, base());
  const Fd site = open_folder(all.get(), id.str());
  if (!site) return failed("a site's folder");
  return set_mode(site, 0700);
}

Result<void> SiteFiles::remove(const SiteId& id) const {
  CAIP_TRY(all, base());
  const Fd site = open_folder(all.get(), id.str());
  if (!site) return errno == ENOENT ? Result<void>() : Result<void>(failed("a site's folder"));
  CAIP_CHECKED(set_mode(site, 0700));  // nobody comes in any more
  CAIP_CHECKED(empty(site));
  if (::unlinkat(all.get(), id.str().c_str(), AT_REMOVEDIR) != 0) return failed("a site's folder");
  if (::fsync(all.get()) != 0) return failed(folder_);
  return {};
}

Result<Used> SiteFiles::used(const SiteId& id) const {
  CAIP_TRY(all, base());
  const Fd site = open_folder(all.get(), id.str());
  if (!site) return failed("a site's folder");
  Used out;
  std::size_t seen = 0;
  for (std::deque<std::string> left{"public"}; !left.empty(); left.pop_front()) {
    const Fd folder = open_folder(site.get(), left.front());
    if (!folder) {  // gone meanwhile, another file system, or deeper than a path can be
      out.whole = false;
      continue;
    }
    CAIP_TRY(within, entries(folder, kMostCounted + 1));
    for (const Entry& e : within) {
      if (++seen > kMostCounted) return Used{out.bytes, false};
      out.bytes += static_cast<std::uint64_t>(e.s.st_blocks) * 512;
      if (S_ISDIR(e.s.st_mode)) left.push_back(left.front() + "/" + e.name);
    }
  }
  return out;
}

}  // namespace caip::agent
