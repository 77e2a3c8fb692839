#include "passwords.h"

#include "crypto/bcrypt.h"
#include "secrets/keeper.h"

namespace caip::auth {

class Passwords::Slot {
 public:
  static bool take(Passwords& p, const By& by) {
    std::unique_lock lock(p.mutex_);
    if (by && p.asking_.contains(*by)) return false;
    if (p.free_ == 0) {
      if (p.queue_ == 0) return false;
      --p.queue_;
      if (by) p.asking_.insert(*by);
      p.freed_.wait(lock, [&] { return p.free_ > 0; });
      ++p.queue_;
    }
    --p.free_;
    if (by) p.asking_.insert(*by);
    return true;
  }
  Slot(Passwords& p, const By& by) : p_(p), by_(by), held_(take(p, by)) {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (!held_) return;
    {
      const std::scoped_lock lock(p_.mutex_);
      ++p_.free_;
      if (by_) p_.asking_.erase(*by_);
    }
    p_.freed_.notify_one();
  }
  Result<void> check() const {
    if (!held_) return fail(Code::too_many, "too many sign-ins at once; try again");
    return {};
  }

 private:
  Passwords& p_;
  By by_;
  bool held_;
};

Passwords::Passwords(secrets::Keeper& keeper, int cost, unsigned slots, unsigned queue)
    : keeper_(keeper), cost_(cost), free_(slots), queue_(queue) {
  auto decoy = crypto::bcrypt_decoy(cost);
  CAIP_ASSERT(decoy.has_value());
  decoy_ = *std::move(decoy);
}

Result<std::string> Passwords::prehash(const SecretBytes& password) {
  Result<Bytes> mac = fail(Code::internal);
  password.expose(Use::hash_password, [&](BytesView b) { mac = keeper_.pepper_hmac(b); });
  if (!mac) return std::unexpected<Error>(std::move(mac).error());
  return base64(*mac);
}

Result<std::string> Passwords::hash(const SecretBytes& password, const By& by) {
  const Slot slot(*this, by);
  CAIP_CHECKED(slot.check());
  CAIP_TRY(text, prehash(password));
  return crypto::bcrypt_hash(text, cost_);
}

Result<bool> Passwords::matches(const SecretBytes& password, const std::string& hash, const By& by) {
  const Slot slot(*this, by);
  CAIP_CHECKED(slot.check());
  if (password.size() > 1024) return false;
  CAIP_TRY(text, prehash(password));
  const bool same = crypto::bcrypt_matches(text, hash.empty() ? decoy_ : hash);
  return same && !hash.empty();
}

}  // namespace caip::auth
