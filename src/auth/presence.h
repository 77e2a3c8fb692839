// presence.h: on which device and at which place somebody signs in, and whether they were there before. Private.
//
// A device is known by its token and the family of its program, until its person forgets it or disowns a sign-in on it,
// or nobody signs in on it for a year. A place is a country and a network; one that had no country then is the same network's now.
#pragma once
#include <string>

#include "places/places.h"
#include "rows.h"

namespace caip::auth {

struct Presence {
  std::string device_token;  // of the known device, or a new one
  std::string device_id;
  bool device_known = false;
  places::Place place = {};
  std::string method = {};  // "password", "passkey:fac_…", "identity:idt_…": by what
};

struct Novelty {
  bool first = false;  // of an account that its person made: nothing is new then
  bool device = false, place = false;
  bool tells() const { return !first && (device || place); }
};

Result<Novelty> novelty(storage::Reader&, const UserId&, const Presence&);
inline constexpr Duration kDeviceKept = std::chrono::hours(24 * 365);  // without a sign-in; its cookie is kept as long
inline constexpr std::int64_t kMostDevices = 100;  // of a person: programs that throw their token away make one each time, which go first

// False for a known device that was forgotten a moment ago.
Result<bool> still_known(storage::Reader&, const UserId&, const Presence&);
// With the session's own row.
Result<void> remember(storage::WriteTx&, const UserId&, const Presence&, Instant now);
Result<void> remember_device(storage::WriteTx&, const UserId&, const Presence&, std::string_view family, std::string_view address, Instant now);

}  // namespace caip::auth
