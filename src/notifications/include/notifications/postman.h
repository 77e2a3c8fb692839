// notifications/postman.h: the threads that send personal letters (outbox/letter.h) by the installation's own
// mail server. Per letter, as for a delivery:
//   1. one transaction: this try counts, the next is scheduled, the link's token is made and its hash
//      stored, the log has an entry;
//   2. the letter goes out, with the link that only this process knows;
//   3. one transaction: the outcome.
// Killed anywhere, the letter is sent again on schedule under the same id, with a fresh link: at least once,
// and the newest link is the one that works.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/ids.h"
#include "model/mail.h"
#include "model/names.h"
#include "model/notification.h"
#include "notifications/schedule.h"
#include "notifications/workers.h"

namespace caip::storage { class Database; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }
namespace caip::outbound { class Client; }
namespace caip::outbox { struct Letter; }

namespace caip::notifications {

struct Answer;

struct MailSender {  // from the configuration file
  std::string host;
  std::uint16_t port;
  bool starttls;  // else TLS from the first byte
  std::string user;
  std::shared_ptr<const SecretBytes> password;  // may be none
  Email from;
};

// The path and fragment of the letter's link ("/reset#token=…"), "" for a letter without one; nothing when
// nobody needs the letter any more. Writes the token's hash into the transaction that claims the letter.
using Mint = std::function<Result<std::optional<std::string>>(storage::WriteTx&, const outbox::Letter&, Instant written, Instant now)>;

class Postman final {
 public:
  Postman(storage::Database&, audit::Ledger&, const authorization::Authorizer&, const outbound::Client&, MailSender, Mint, const Clock&, Schedule, std::string public_url);
  ~Postman();
  void start(std::size_t threads = 2);
  void stop();  // within a second or two; what was on its way and did not arrive is sent again
  bool step(const std::stop_token& = {});  // one letter, if one is due

 private:
  struct Claimed;
  std::optional<DeliveryId> next();
  void deliver(const DeliveryId&, const std::stop_token&);
  Result<std::optional<Claimed>> claim(const DeliveryId&);
  Result<void> give_up(storage::WriteTx&&, const DeliveryId&, const std::optional<OrgId>&, DeliveryState, std::string_view why);
  Answer attempt(const DeliveryId&, const Claimed&, const std::stop_token&) const;
  Result<void> record(const DeliveryId&, const Claimed&, const Answer&);
  storage::Database& db_;
  audit::Ledger& ledger_;
  const authorization::Authorizer& authorizer_;
  const outbound::Client& client_;
  const MailSender sender_;
  const Mint mint_;
  const Clock& clock_;
  const Schedule schedule_;
  const std::string public_url_;
  std::mutex mutex_;  // of the two below
  std::set<DeliveryId> busy_;
  Instant not_before_{};  // after trouble of our own
  Workers workers_;
};

}  // namespace caip::notifications
