#include "pilot/confine.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace caip::pilot {
namespace {

// The sanitizers' run-time wants more memory and more calls than the product.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

Error failed(const char* what) { return {Code::internal, std::string("the pilot cannot be confined: ") + what + ": " + std::strerror(errno)}; }

Result<void> limit() {
  const rlimit memory{512UL << 20U, 512UL << 20U}, none{0, 0};
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(failed("process flags"));
  if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 || (!kSanitized && setrlimit(RLIMIT_AS, &memory) != 0))
    return std::unexpected(failed("limits"));
  return {};
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { if (fd_ >= 0) ::close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
// Of the first version of Landlock (Linux 5.13): what is handled and not granted is refused.
constexpr std::uint64_t kHandled = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;

Result<void> allow(int ruleset, const char* path, std::uint64_t access) {
  const Fd there(::open(path, O_PATH | O_CLOEXEC));
  if (there.get() < 0) return {};  // what is not there needs no permission
  const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = there.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) return std::unexpected(failed(path));
  return {};
}

Result<void> see_only_what_is_needed(const std::string& key_file) {
  const landlock_ruleset_attr attributes{.handled_access_fs = kHandled, .handled_access_net = 0, .scoped = 0};
  const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0)));
  if (ruleset.get() < 0) return std::unexpected(failed("Landlock (Linux 5.13 or newer, with landlock among its security modules)"));
  for (const char* folder : {"/usr/lib", "/lib", "/lib64", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/ssl", "/run/systemd/resolve"})
    CAIP_CHECKED(allow(ruleset.get(), folder, kRead));
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services", "/etc/ld.so.cache",
                           "/dev/null", "/dev/urandom"})
    CAIP_CHECKED(allow(ruleset.get(), file, kReadFile));
  for (const char* variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    if (const char* path = std::getenv(variable)) CAIP_CHECKED(allow(ruleset.get(), path, kReadFile));
  if (!key_file.empty()) CAIP_CHECKED(allow(ruleset.get(), key_file.c_str(), kReadFile));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return std::unexpected(failed("Landlock"));
  return {};
}

// Resolving names (curl does that in a thread), TLS, waiting, memory and time.
constexpr auto kAllowed = std::to_array<int>({
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(pread64), SCMP_SYS(lseek),
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
    SCMP_SYS(getcwd), SCMP_SYS(uname), SCMP_SYS(fcntl), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
    SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(sysinfo),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(prlimit64), SCMP_SYS(exit), SCMP_SYS(exit_group),
});

struct FreeFilter {
  void operator()(void* f) const noexcept { seccomp_release(f); }
};

bool fill(scmp_filter_ctx filter) {
  // -EDOM: a call that this architecture does not have is no loss.
  const auto good = [](int r) { return r == 0 || r == -EDOM; };
  for (const int call : kAllowed)
    if (!good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0))) return false;
  // The Internet and the routes to it; no local service, whose sockets Landlock does not guard. curl
  // wakes its resolver through a pair of its own.
  for (const auto family : {AF_INET, AF_INET6, AF_NETLINK})
    if (!good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))))) return false;
  if (!good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX)))) return false;
  // Not what types into a terminal (TIOCSTI) or steers a device.
  for (const auto request : {scmp_datum_t{FIONBIO}, scmp_datum_t{FIONREAD}})
    if (!good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, request)))) return false;
  // Libraries of name resolution are loaded late, so code may be mapped; memory that can be written may not become code.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    if (!good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) ||
        !good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC)))) return false;
  // Threads, not processes. A filter cannot look into clone3's argument; glibc falls back to clone.
  return good(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) &&
         good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD))) &&
         good(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)));
}

Result<void> filter_calls() {
  const std::unique_ptr<void, FreeFilter> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter || !fill(filter.get()) || seccomp_load(filter.get()) < 0) return std::unexpected(failed("seccomp"));
  return {};
}

}  // namespace

Result<void> confine(const std::string& key_file) {
  CAIP_CHECKED(limit());
  CAIP_CHECKED(see_only_what_is_needed(key_file));
  if (kSanitized) return {};
  return filter_calls();
}

}  // namespace caip::pilot
