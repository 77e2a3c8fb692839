// servers/absences.h: when a server has not been connected for a while, its organisation is told, and
// told again when it is back. What was told is stored: a restart tells nothing twice, and a server
// that comes back meanwhile is told of as back, once it has stayed for as long. Many at once (a cut cable) are one message.
// For one thread.
#pragma once
#include <map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "servers/types.h"

namespace caip::storage { class Database; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }

namespace caip::servers {

class ServerService;

inline constexpr Duration kMissedAfter = std::chrono::seconds(60);

class Absences final {
 public:
  // `grace`: an agent that is restarted, or changes networks, is back within it.
  Absences(storage::Database&, audit::Ledger&, ServerService&, const authorization::Authorizer&, const Clock&, Duration grace = kMissedAfter);
  Result<void> load();  // at start: which were missed
  void tick();          // every second or so

 private:
  using Due = std::map<OrgId, std::vector<Server>>;
  struct Absence {
    Instant since;  // of the state it is in
    bool online = false;
    bool told = false;
  };
  void look(Due& missed, Due& met);
  template <Action A>
  void tell(const Due&, EventKind, bool gone);
  template <Action A>
  Result<void> record(const OrgId&, const std::vector<Server>& all, EventKind, bool gone);
  storage::Database& db_;
  audit::Ledger& ledger_;
  ServerService& servers_;
  const authorization::Authorizer& authorizer_;
  const Clock& clock_;
  Duration grace_;
  std::map<ServerId, Absence> away_;
};

}  // namespace caip::servers
