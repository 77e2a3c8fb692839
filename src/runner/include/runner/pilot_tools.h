// runner/pilot_tools.h: carries out the calls of pilot/tools.h: what the pilot can do while it answers: look, and propose. Arguments are
// a model's text: parsed strictly, unknown members refused. Results are text for the model, with
// what servers said marked as data. What a setting of the organisation, or the mode of the conversation, keeps from the AI is refused, on the record. Nothing here writes to a server. Thread-safe; may block for
// an agent's answer (10 s).
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "proofs/session.h"

namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }
namespace caip::servers { class ServerService; class OrderService; }
namespace caip::approvals { class AiControls; class ApprovalGate; }

namespace caip::runner {

class Conversations;

struct ToolResult {
  json::object value;                  // {"error":"…"} when it did not work
  std::optional<ApprovalId> approval;  // of propose_service_action; of propose_plan its first step's
};

class PilotTools final {
 public:
  PilotTools(servers::ServerService&, servers::OrderService&, approvals::ApprovalGate&,
             const approvals::AiControls&, const authorization::Authorizer&, const Conversations&, audit::Ledger&);
  ~PilotTools();
  // The sites on a server, as their list has them; at start. Without it there are none to see.
  void on_sites(std::function<Result<json::array>(const Session&, const ServerId&)>);
  // `session` is the human's; everything is done as session.as_pilot().
  ToolResult call(const Session& session, const ConversationId&, std::string_view name, std::string_view arguments);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::runner
