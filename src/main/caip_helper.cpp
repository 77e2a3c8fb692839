// caip-helper: the root half of the agent. Started by caip-agent with a socketpair as fd 3; opens no socket, runs no command.
// `caip-helper sites` is what caip-sites.service starts: it does what an order about a site says that the other left for it.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <string_view>

#include "agent/confine.h"
#include "agent/helper.h"
#include "agent/sites.h"
#include "agent/config.h"
#include "base/log.h"

namespace {

constexpr int kChannel = 3;

caip::Result<void> serve(const caip::Clock& clock) {
  CAIP_CHECKED(caip::agent::drop_capabilities());  // before the first byte from the other half
  CAIP_TRY(pinned, caip::agent::load_trust(caip::agent::kConfigDir));
  CAIP_TRY(keys, caip::agent::Keys::open(caip::agent::kHelperState, std::move(pinned)));
  CAIP_TRY(book, caip::agent::OrderBook::open(caip::agent::kHelperState, clock.now()));
  CAIP_TRY(key, caip::agent::load_witness_key(caip::agent::kConfigDir));
  CAIP_TRY(witness, caip::agent::Witness::open(caip::agent::kHelperState, keys.trust(), std::move(key), clock));
  const caip::agent::EnvFiles env(caip::agent::kEnvDir);
  env.sweep();
  auto systemd = caip::agent::make_systemd();
  caip::agent::Helper helper(std::move(keys), std::move(witness), std::move(book), *systemd, env, clock);
  CAIP_TRY(identity, caip::agent::Identity::open(caip::agent::kConfigDir, caip::agent::kHelperState));
  helper.prove_with(std::move(identity));
  caip::log::info("the helper is ready");
  return helper.serve(kChannel);
}

}  // namespace

int main(int argc, char** argv) {
  caip::agent::harden_process();
  if (argc == 2 && std::string_view(argv[1]) == "sites") {
    caip::SystemClock clock;
    if (auto done = caip::agent::serve_sites(clock)) return 0;
    else caip::log::error("sites", {{"why", done.error().detail}});
    return 1;
  }
  struct stat channel {};
  if (::fstat(kChannel, &channel) != 0 || !S_ISSOCK(channel.st_mode)) {
    std::fputs("caip-helper is started by caip-agent and does nothing by itself\n", stderr);
    return 2;
  }
  ::fcntl(kChannel, F_SETFD, FD_CLOEXEC);
  caip::SystemClock clock;
  if (auto served = serve(clock); !served) {
    caip::log::error("the helper stops", {{"why", served.error().detail}});
    return 1;
  }
  return 0;
}
