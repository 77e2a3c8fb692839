// caip-pilotd: one turn of the pilot. caipd starts it with a socket as standard input. It has no
// database and no keys of ours; it may use the network to reach the AI provider.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>

#include "pilot/serve.h"

namespace {

bool confined() {
  [[maybe_unused]] const rlimit memory{512UL << 20U, 512UL << 20U};
  const rlimit no_core{0, 0};
  const rlimit no_files{0, 0};  // writes no file
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         setrlimit(RLIMIT_CORE, &no_core) == 0 && setrlimit(RLIMIT_FSIZE, &no_files) == 0
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
         && setrlimit(RLIMIT_AS, &memory) == 0
#endif
      ;
}

}  // namespace

int main() { return confined() ? caip::pilot::serve_turn(0) : 1; }
