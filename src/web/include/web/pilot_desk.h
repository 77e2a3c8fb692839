// web/pilot_desk.h: answers questions to the pilot in the background. The session is proven anew
// before each thing the pilot does, so a session revoked in mid-answer ends the answer. An answer that
// was under way when this process ended is lost; whoever reads the conversation is told (busy()).
#pragma once
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "model/actor.h"
#include "model/ids.h"
#include "proofs/session.h"
#include "web/api.h"

namespace caip::pilot { class PilotClient; enum class Offer : std::uint8_t; struct About; struct Provider; }
namespace caip::approvals { struct AiProvider; }
namespace caip::runner { class Conversations; class PilotTools; }

namespace caip::web {

class PilotDesk {
 public:
  PilotDesk(const Rooms&, pilot::PilotClient&, runner::Conversations&, runner::PilotTools&);
  ~PilotDesk();
  // The reply's id: what its pilot.delta events carry. Code::in_progress while the conversation
  // still has an answer coming; Code::ai_off while the organisation's AI is stopped.
  Result<MessageId> answer(const Session&, Origin, const ConversationId&);
  bool busy(const ConversationId&) const;
  // The organisation's answers end now, whatever their processes do: nothing more of them is streamed, carried out or
  // kept. Returns whose answers those were.
  std::vector<ConversationId> end_of(const OrgId&);
  void stop();

  // Who answers there: what the organisation chose, else what the installation has configured.
  pilot::About about(const OrgId&) const;
  static pilot::Provider for_pilot(const approvals::AiProvider&);
  // Those that a provider has for its key; waits for it.
  Result<std::vector<std::string>> models(const Session&, Origin, const approvals::AiProvider&);

  runner::Conversations& conversations() { return conversations_; }

 private:
  struct Job;
  struct Running {
    OrgId org;
    MessageId reply;
    std::stop_source stop;
  };
  Result<std::stop_token> begin(const OrgId&, const ConversationId&, const MessageId& reply);
  void end(const ConversationId&, const MessageId& reply);
  pilot::Offer offer(const OrgId&, const ConversationId&) const;
  std::size_t steps(const OrgId&) const;
  void run(const Job&);
  struct Answerer;
  struct Said;
  Result<Answerer> answerer(const Job&);
  void refuse(const Job&, const std::string& tool, std::size_t steps);
  Result<void> reply(const Job&, Said);
  const Rooms& rooms_;
  pilot::PilotClient& client_;
  runner::Conversations& conversations_;
  runner::PilotTools& tools_;
  class Tested;
  Guarded<std::map<ConversationId, Running>> running_;
  Guarded<std::set<OrgId>> testing_;
  static constexpr std::size_t kMostOfOne = 4;  // answers at once, of one organisation: its provider may be one that does not answer
  boost::asio::thread_pool pool_{16};
};

void add_pilot_routes(Router&, const Rooms&, PilotDesk&);
void add_ai_provider_routes(Router&, const Rooms&, PilotDesk&);

}  // namespace caip::web
