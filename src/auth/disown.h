// "This was not me": what both doors to it share, a letter's link (Links) and one's own sessions (Accounts). Private.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "rows.h"

namespace caip::auth {

struct Began {  // a session, as it began
  SessionId id;
  UserId user;
  std::string device, address;
  std::string method;  // by what: "password", "passkey:fac_…", "identity:idt_…"
  Instant at;
  bool disowned;
};
// `session`: its id, and whatever stands behind a blank.
Result<std::optional<Began>> began(storage::Reader&, std::string_view session);

struct Disowning {
  std::string password;  // its hash, which counts from now on; empty: none does until it is reset
  // Whoever only reads the mail takes no second factor off an account: a passkey that the sign-in took is suspended, and
  // counts as one still. Who is signed in and has stepped up may remove it anyway.
  enum class Passkey : std::uint8_t { suspend, remove } passkey;
  std::string what;   // the person is told
  std::string after;  // and their organisations, behind "their sessions ended, and "
  std::optional<SessionId> by = {};  // the session that does it; it may be disowned in turn
};

struct Disowned {
  json::object detail;       // for the log
  std::optional<OrgId> org;  // whose log
  std::vector<std::function<void()>> ends;  // called once it is durable
};

}  // namespace caip::auth
