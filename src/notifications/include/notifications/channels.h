// notifications/channels.h: where an organisation is told about things. Credentials go in and never
// come out; a webhook's signing secret that is made here is shown once. Thread-safe. Asks the
// authorizer itself and records refusals. Includes no storage, so that `web` may see it.
#pragma once
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/page.h"
#include "base/time.h"
#include "model/actions.h"
#include "notifications/target.h"
#include "proofs/authorized.h"
#include "proofs/session.h"
#include "proofs/step_up.h"

namespace caip::storage { class Database; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }
namespace caip::vault { class SecretStore; }
namespace caip::outbound { class Client; }

namespace caip::notifications {

inline constexpr std::size_t kMostChannels = 50;  // of an organisation
inline constexpr std::size_t kMostCredential = 4096;
inline constexpr Duration kOverlap = std::chrono::hours(24);  // both signing secrets sign

struct Routing {
  Severity least = Severity::info;
  std::vector<EventKind> events = {};  // empty: all
};

struct Channel {
  NotifyChannelId id;
  OrgId org;
  ChannelName name;
  Target target;
  std::optional<SecretId> secret, previous;
  std::optional<Instant> previous_until;
  Routing routing;
  bool verified;
  std::optional<std::string> paused;  // why
  std::int64_t version;
  Instant created;
};

struct Change {
  std::optional<ChannelName> name = {};
  std::optional<Target> target = {};
  std::optional<Routing> routing = {};
  std::optional<bool> paused = {};
};

struct Saved {
  Channel channel;
  std::optional<SecretBytes> shown = {};  // a signing secret that was made here, this once
};

// That the person at this session has just shown who they are: credentials are secrets, which ask for it.
using Prove = std::function<Result<StepUp>(const Session&)>;

class Channels final {
 public:
  Channels(storage::Database&, audit::Ledger&, vault::SecretStore&, const authorization::Authorizer&, Prove, const outbound::Client&, const Clock&);

  Result<Saved> create(const Session&, const ChannelName&, const Target&, const Routing&, std::optional<SecretBytes> credential);
  Result<Channel> change(const Session&, const NotifyChannelId&, const Change&, std::int64_t expected);
  // A webhook's old secret signs beside the new one for kOverlap; any other old credential is deleted.
  Result<Saved> replace_credential(const Session&, const NotifyChannelId&, std::optional<SecretBytes> credential);
  Result<void> remove(const Session&, const NotifyChannelId&, std::int64_t expected);

  Result<Page<Channel>> list(const OrgId&, const PageAsk&) const;  // by id
  Result<Channel> get(const OrgId&, const NotifyChannelId&) const;

  // Queues one message, tried once; its outcome is in the delivery log. One at a time and five a
  // minute; of codes, one a minute.
  Result<DeliveryId> test(const Session&, const NotifyChannelId&);
  // Mail is used only after a code that was sent there came back. The code lives in memory, 30
  // minutes and 5 tries long; the delivery log says whether it got out.
  Result<DeliveryId> send_code(const Session&, const NotifyChannelId&);
  Result<Channel> verify(const Session&, const NotifyChannelId&, std::string_view code);
  std::optional<std::string> code_of(const Channel&) const;  // for the courier; none for another address than it was made for

 private:
  struct Pending {
    std::string digits;
    std::string way;  // target and credential that it proves
    Instant ends;
    int tries = 0;
  };
  template <Action A>
  std::expected<Authorized<A>, Denied> decide(const Session&, A) const;
  template <Action A>
  Result<Authorized<A>> permit(const Session&, A) const;
  Result<std::optional<SecretBytes>> ready(ChannelKind, std::optional<SecretBytes>& given) const;
  Result<std::vector<Authorized<DeleteSecret>>> may_drop(const Session&, std::initializer_list<std::optional<SecretId>>) const;
  enum class Guess : std::uint8_t { right, wrong, none };
  Guess guess(const Channel&, std::string_view code);
  Result<DeliveryId> queue(Authorized<TestChannel>&&, const Channel&, EventKind);
  storage::Database& db_;
  audit::Ledger& ledger_;
  vault::SecretStore& vault_;
  const authorization::Authorizer& authorizer_;
  Prove prove_;
  const outbound::Client& client_;
  const Clock& clock_;
  Guarded<std::map<NotifyChannelId, Pending>> codes_;
};

}  // namespace caip::notifications
