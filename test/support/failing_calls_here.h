// failing_calls_here.h: open, write, fsync and their like, as failing_calls.h has them, for the program that includes this once.
#pragma once
#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "failing_calls.h"

extern "C" {

inline mode_t caip_mode_of(int flags, va_list more) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0; }

// Those that open something to read change nothing.
int open(const char* name, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = caip_mode_of(flags, more);
  va_end(more);
  if ((flags & O_ACCMODE) != O_RDONLY && caip::test::FailingCalls::fails("open")) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, name, flags, mode));
}

int openat(int folder, const char* name, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = caip_mode_of(flags, more);
  va_end(more);
  if ((flags & O_ACCMODE) != O_RDONLY && caip::test::FailingCalls::fails("open")) return -1;
  return static_cast<int>(::syscall(SYS_openat, folder, name, flags, mode));
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (fd > STDERR_FILENO && caip::test::FailingCalls::fails("write")) return -1;
  return ::syscall(SYS_write, fd, bytes, caip::test::FailingCalls::looking() ? std::min(size, caip::test::FailingCalls::kMostAtOnce) : size);
}

int fchmod(int fd, mode_t mode) noexcept { return caip::test::FailingCalls::fails("mode") ? -1 : static_cast<int>(::syscall(SYS_fchmod, fd, mode)); }

int fchown(int fd, uid_t user, gid_t group) noexcept {
  if (caip::test::FailingCalls::fails("owner")) return -1;
  if (auto* const look = caip::test::FailingCalls::looking()) look->given_away = caip::test::FailingCalls::stat_of(fd).st_size;
  return static_cast<int>(::syscall(SYS_fchown, fd, user, group));
}

int fsync(int fd) { return caip::test::FailingCalls::fails(caip::test::FailingCalls::sync_of(fd)) ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }

int rename(const char* from, const char* to) noexcept {
  return caip::test::FailingCalls::fails("rename") ? -1 : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int renameat(int from, const char* old_name, int to, const char* name) noexcept {
  return caip::test::FailingCalls::fails("rename") ? -1 : static_cast<int>(::syscall(SYS_renameat2, from, old_name, to, name, 0));
}

int link(const char* from, const char* to) noexcept {
  return caip::test::FailingCalls::fails("link") ? -1 : static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char* name) noexcept { return caip::test::FailingCalls::fails("unlink") ? -1 : static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, name, 0)); }

int unlinkat(int folder, const char* name, int flags) noexcept {
  return caip::test::FailingCalls::fails("unlink") ? -1 : static_cast<int>(::syscall(SYS_unlinkat, folder, name, flags));
}

}  // extern "C"
