// known_device.h: a device on which a person has signed in before says so by a token: an id and the keeper's MAC over
// it, the person and the device's family. It opens nothing: it only has failures counted apart, and tells a new
// device from a known one. Stolen or copied to another program's cookies it is worth no more. Private.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/ids.h"

namespace caip::secrets { class Keeper; }

namespace caip::auth {

class KnownDevices {
 public:
  explicit KnownDevices(secrets::Keeper& keeper) : keeper_(keeper) {}
  Result<std::string> make(const UserId&, std::string_view family) const;
  // The device's id, if the token is ours, for this person and this family. Takes as long for a token that is not.
  Result<std::optional<std::string>> known(std::string_view token, const UserId&, std::string_view family) const;

 private:
  Result<std::string> seal(std::string_view id, const UserId&, std::string_view family) const;
  secrets::Keeper& keeper_;
};

inline constexpr std::size_t kMostDeviceToken = 128;

}  // namespace caip::auth
