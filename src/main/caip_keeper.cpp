// caip-keeper: holds the keys. Started by caipd with one end of a socketpair at descriptor 3;
// reads its key files, gives up everything else, and answers requests until caipd is gone.
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <string_view>

#include "base/time.h"
#include "secrets/keeper.h"

namespace {

// Step 1: nobody may look into this process, and it leaves no core file.
bool hide() {
  const rlimit none{0, 0};
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

// What is left after start: talk over what is open, memory, time, randomness, end. Everything else
// fails with EPERM; that includes open, socket, connect, clone, execve and ptrace.
bool filter_calls() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = true;
  for (const int call : {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(mmap),
                         SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
                         SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
                         SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
                         SCMP_SYS(sched_yield), SCMP_SYS(exit), SCMP_SYS(exit_group)})
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}

// Step 3, after the keys are read. The limits stand behind the filter: no new descriptor, no child.
bool confine() {
#ifdef __SANITIZE_ADDRESS__
  return true;  // the sanitizer's own checks need pipes and calls that the filter refuses
#endif
  const rlimit none{0, 0};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_NOFILE, &none) == 0 && setrlimit(RLIMIT_NPROC, &none) == 0 && filter_calls();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--keys") {
    std::fputs("caip-keeper is started by caipd\n", stderr);
    return 2;
  }
  // Ctrl-C reaches the whole group; caipd decides when this process ends.
  std::signal(SIGINT, SIG_IGN);
  if (!hide()) return 1;

  const caip::SystemClock clock;
  {
    auto keeper = caip::secrets::open_local_keeper(argv[2], clock);  // step 2
    if (!keeper) {
      caip::secrets::refuse_to_start(caip::secrets::kKeeperFd, keeper.error());
      return 1;
    }
    if (!confine()) {
      caip::secrets::refuse_to_start(caip::secrets::kKeeperFd, {caip::Code::internal, "it cannot be confined"});
      return 1;
    }
    caip::secrets::serve_keeper(caip::secrets::kKeeperFd, **keeper);
  }
  _exit(0);  // what runs at exit would want calls that the filter refuses
}
