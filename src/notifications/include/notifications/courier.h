// notifications/courier.h: the threads that deliver what is queued. Per delivery:
//   1. one transaction: this try counts, the next is scheduled, the log has an entry; after it is
//      durable the credential is opened (vault);
//   2. the message goes out;
//   3. one transaction: the outcome.
// Killed anywhere, the delivery is tried again on schedule, under the same id: at least once. At
// most one message is on its way to a channel at a time, and a few to those of an organisation, so
// dead receivers hold up nobody else: who was served the longest ago is next.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <vector>

#include "base/time.h"
#include "notifications/channels.h"
#include "notifications/notice.h"
#include "notifications/schedule.h"
#include "notifications/workers.h"

namespace caip::notifications {

struct Answer;

struct CourierSettings {
  Schedule schedule;
  std::string telegram_api = "https://api.telegram.org";
  std::string public_url;
  std::size_t most_of_one = 4;  // threads that work for one organisation
};

struct Ears {  // called from the courier's threads
  std::function<void(const Notice&)> notice;  // a new one for the in-app lists
  std::function<void(const OrgId&, const DeliveryId&, DeliveryState)> delivery;
};

class Courier final {
 public:
  Courier(storage::Database&, audit::Ledger&, vault::SecretStore&, const authorization::Authorizer&, const outbound::Client&, const Channels&, const Clock&,
          CourierSettings);
  ~Courier();
  void listen(Ears);  // before start()
  void start(std::size_t threads = 12);
  void stop();  // within a second or two; what was on its way and did not arrive is tried again

  bool step(const std::stop_token& = {});  // one delivery, if one is due
  void tell();    // new notices to the ears
  void forget();  // what is older than three months

 private:
  struct Job;
  struct Plan;
  std::optional<Job> next();
  void deliver(const Job&, const std::stop_token&);
  Result<Plan> claim(const Job&);
  Result<void> record(const Job&, const Plan&, const Answer&);
  Answer attempt(const Job&, const Plan&, const std::stop_token&);
  bool better(const Job&, const Job&) const;
  void serves(const Job&);
  storage::Database& db_;
  audit::Ledger& ledger_;
  vault::SecretStore& vault_;
  const authorization::Authorizer& authorizer_;
  const outbound::Client& client_;
  const Channels& channels_;
  const Clock& clock_;
  CourierSettings settings_;
  Ears ears_;
  std::mutex mutex_;  // of the five below
  std::set<std::string> busy_;                 // channels with a message on its way
  std::map<std::string, std::size_t> working_;  // how many of each organisation's
  std::map<std::string, std::uint64_t> served_;  // when each organisation and channel was, by turns_
  std::uint64_t turns_ = 0;
  std::map<std::string, Instant> not_before_;  // channels whose service asked for a pause
  std::mutex telling_;
  std::optional<std::int64_t> told_;  // the last notice that the ears know
  Workers workers_;
};

}  // namespace caip::notifications
