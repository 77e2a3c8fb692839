// caip-keeper: holds the keys. Started by caipd with one end of a socketpair at descriptor 3;
// reads its key files, gives up everything else, and answers requests until caipd is gone.
// `caip-keeper seal …` works on the seals of the root key while caipd is stopped.
#include <malloc.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/time.h"
#include "caip_keeper_seals.h"
#include "secrets/serve.h"

namespace {

// Step 1: nobody may look into this process, it leaves no core file, and what it gives back to the
// allocator is overwritten (keys are wiped by their owners; this is for the copies libraries make).
bool hide() {
  const rlimit none{0, 0};
  return mallopt(M_PERTURB, 0x5a) == 1 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

// Step 3: no page goes to swap. Wants CAP_IPC_LOCK or LimitMEMLOCK=128M or more: with less, a later
// allocation would fail for want of lockable memory, so then nothing is locked and the inventory says so.
bool lock_memory() {
  constexpr rlim_t kEnough = rlim_t{128} << 20U;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_MEMLOCK, &limit);
  if (geteuid() != 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < kEnough) return false;
  return mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
}

// What is left after start: talk over what is open, memory, time, randomness, end. Everything else
// fails with EPERM; that includes open, socket, connect, clone, execve and ptrace.
bool filter_calls() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = true;
  // To and from caipd, and what a dying process has to say.
  for (const int call : {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvfrom), SCMP_SYS(sendto)})
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A0(SCMP_CMP_EQ, caip::secrets::kKeeperFd)) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO)) == 0;
  for (const int call : {SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(mmap),
                         SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
                         SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
                         SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
                         SCMP_SYS(sched_yield), SCMP_SYS(exit), SCMP_SYS(exit_group)})
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}

// Step 4, after the keys are read. The limits stand behind the filter: no new descriptor, no child.
bool confine() {
#ifdef __SANITIZE_ADDRESS__
  return true;  // the sanitizer's own checks need pipes and calls that the filter refuses
#endif
  const rlimit none{0, 0};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_NOFILE, &none) == 0 && setrlimit(RLIMIT_NPROC, &none) == 0 && filter_calls();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!hide()) return 1;
  const caip::SystemClock clock;
  if (!words.empty() && words.front() == "seal") return caip::main::seal_command({words.begin() + 1, words.end()}, clock);
  const auto options = caip::main::keeper_options(words);
  if (!options) {
    std::fputs("caip-keeper is started by caipd; see also: caip-keeper seal\n", stderr);
    return 2;
  }
  // Ctrl-C reaches the whole group; caipd decides when this process ends.
  std::signal(SIGINT, SIG_IGN);
  using namespace caip::secrets;
  {
    auto core = open_core(options->folder, clock, options->files);  // step 2
    if (!core) {
      refuse_to_start(kKeeperFd, core.error());
      return 1;
    }
    if (lock_memory()) memory_is_locked(**core);
    if (!confine()) {
      refuse_to_start(kKeeperFd, {caip::Code::internal, "it cannot be confined"});
      return 1;
    }
    serve_keeper(kKeeperFd, **core);
  }
  _exit(0);  // what runs at exit would want calls that the filter refuses
}
