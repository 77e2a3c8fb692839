// secrets/serve.h: caip-keeper's own side: the process that holds the keys.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "secrets/keeper.h"

namespace caip::secrets {

class KeyCore;  // the keys, unwrapped; private

inline constexpr int kKeeperFd = 3;  // the child's end of the socketpair

struct CoreDeleter {
  void operator()(KeyCore*) const noexcept;
};
using Core = std::unique_ptr<KeyCore, CoreDeleter>;

Result<Core> open_core(const std::string& folder, const Clock&, const SealFiles&);
void memory_is_locked(KeyCore&);
// Answers requests on `fd` until the other end closes; refuse_to_start tells the parent why there
// will be no keeper.
void serve_keeper(int fd, KeyCore&);
void refuse_to_start(int fd, const Error&);

// The offline commands on DATA/keys, with caipd stopped; each needs one seal that opens.
Result<std::vector<SealInfo>> list_seals(const std::string& folder);
// `material` is the file with the new seal's secret: a key file that is missing is made.
Result<SealInfo> add_seal(const std::string& folder, const Clock&, const SealFiles&, const std::string& kind, const std::string& material);
// Both make a new root key as well: who has the old seal and yesterday's keyring learns nothing of
// what is wrapped from now on.
Result<void> remove_seal(const std::string& folder, const Clock&, const SealFiles&, const std::string& id);
Result<SealInfo> replace_seal(const std::string& folder, const Clock&, const SealFiles&, const std::string& id, const std::string& material);

}  // namespace caip::secrets
