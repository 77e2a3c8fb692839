// bcrypt over base64(HMAC-SHA-384(pepper, password)): 64 characters without NUL, so bcrypt's cut
// at 72 bytes and at a NUL never matters. At most `slots` hashes at once and `queue` waiting; the
// next one gets Code::too_many instead of starving everything else. Private.
#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "crypto/secret.h"
#include "model/ids.h"

namespace caip::secrets { class Keeper; }

namespace caip::auth {

class Passwords {  // thread-safe
 public:
  Passwords(secrets::Keeper& keeper, int cost, unsigned slots, unsigned queue);
  // `by`: who is signed in and asks for it: one at a time, so that nobody holds up everybody's sign-ins.
  using By = std::optional<UserId>;
  Result<std::string> hash(const SecretBytes& password, const By& by = {});
  // An empty hash is "no such user": takes as long as a wrong password.
  Result<bool> matches(const SecretBytes& password, const std::string& hash, const By& by = {});

 private:
  class Slot;
  Result<std::string> prehash(const SecretBytes& password);
  secrets::Keeper& keeper_;
  int cost_;
  unsigned free_;
  unsigned queue_;
  std::set<UserId> asking_;
  std::string decoy_;  // a hash that nobody's password has
  std::mutex mutex_;
  std::condition_variable freed_;
};

}  // namespace caip::auth
