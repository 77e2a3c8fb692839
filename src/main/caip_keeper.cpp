// caip-keeper: holds the keys. Started by caipd with one end of a socketpair at descriptor 3;
// reads its key files, gives up everything else, and answers requests until caipd is gone.
// `caip-keeper seal …` works on the seals of the root key while caipd is stopped.
#include <sys/mman.h>
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
#include "secrets/confine.h"
#include "secrets/serve.h"

namespace {

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

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!caip::secrets::hide()) return 1;
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
