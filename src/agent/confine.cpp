#include "agent/confine.h"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace caip::agent {
namespace {

Error failed(const std::string& what) { return {Code::internal, what + ": " + ::strerror(errno)}; }

struct FreeFilter {
  void operator()(void* f) const noexcept { seccomp_release(f); }
};

// Resolving names, TLS, poll, reading /proc, logging, memory and time.
constexpr auto kAllowed = std::to_array<int>({
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(pread64), SCMP_SYS(lseek),
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(uname), SCMP_SYS(fcntl), SCMP_SYS(ioctl),
    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
    SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(sysinfo),
    SCMP_SYS(getdents64), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(tgkill),
});

}  // namespace

void harden_process() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::umask(0077);
  ::prctl(PR_SET_DUMPABLE, 0);
}

Result<void> drop_privileges(const std::string& user) {
  errno = 0;
  const passwd* entry = ::getpwnam(user.c_str());
  if (!entry || entry->pw_uid == 0) return fail(Code::not_found, "there is no unprivileged user " + user);
  const uid_t uid = entry->pw_uid;
  const gid_t gid = entry->pw_gid;
  capng_clear(CAPNG_SELECT_BOTH);
  if (capng_change_id(static_cast<int>(uid), static_cast<int>(gid), static_cast<capng_flags_t>(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING)) != 0)
    return std::unexpected(failed("dropping privileges"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(failed("no new privileges"));
  ::prctl(PR_SET_DUMPABLE, 0);
  uid_t r = 0, e = 0, s = 0;
  if (::getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid || ::setuid(0) == 0 ||
      capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
    return fail(Code::internal, "privileges are still there after they were dropped");
  return {};
}

Result<void> drop_capabilities() {
  const bool chown = capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, CAP_CHOWN) != 0;
  capng_clear(CAPNG_SELECT_BOTH);
  if (chown) capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_CHOWN);
  if (capng_apply(CAPNG_SELECT_BOTH) != 0) return std::unexpected(failed("dropping capabilities"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(failed("no new privileges"));
  // Read again from the kernel: what counts is what it says now.
  if (capng_get_caps_process() != 0) return std::unexpected(failed("reading capabilities"));
  if (chown) capng_update(CAPNG_DROP, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_CHOWN);  // of what was read, for the look at the rest
  if (capng_have_capabilities(CAPNG_SELECT_BOTH) != CAPNG_NONE) return fail(Code::internal, "capabilities are still there after they were dropped");
  return {};
}

Result<void> confine_syscalls() {
  std::unique_ptr<void, FreeFilter> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return fail(Code::internal, "seccomp");
  for (int call : kAllowed) {
    if (call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect)) continue;
    // A call this architecture does not have is no loss.
    if (int r = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0); r < 0 && r != -EDOM)
      return fail(Code::internal, std::string("seccomp: ") + ::strerror(-r));
  }
  // No memory becomes executable any more.
  for (int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    if (seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
      return fail(Code::internal, "seccomp: memory");
  // The usual ends of an attack are ends of the process.
  for (int call : {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(bpf)})
    if (int r = seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0); r < 0 && r != -EDOM)
      return fail(Code::internal, "seccomp: kill");
  if (int r = seccomp_load(filter.get()); r < 0) return fail(Code::internal, std::string("seccomp: ") + ::strerror(-r));
  return {};
}

}  // namespace caip::agent
