// approvals/approval.h: one proposal of the pilot and what became of it.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "approvals/state.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "model/actions.h"

namespace caip::storage { class Reader; }

namespace caip::approvals {

struct Approval {
  ApprovalId id;
  OrgId org;
  State state = State::pending;
  Foreign intent;  // the pilot's words: shown as a quote, never acted on
  ServerAction action;
  std::string bytes;  // what is shown, hashed, approved, signed, sent and run
  Digest digest{};    // SHA-256 of bytes
  Impact impact = Impact::safe;
  bool production = false;
  UserId requester;
  std::optional<ConversationId> conversation;
  std::optional<PlanId> plan = {};  // it is a step of (plan.h)
  std::int64_t step = 0;            // from 1; 0: of none
  std::string surprise = {};        // it completed, and not as planned: nothing behind it runs
  // Two people have to say yes: neither of them twice, and the second is not who asked. Once so, it stays so.
  bool second_person = false;
  std::optional<UserId> first_by = {};  // the first yes of two
  std::optional<Instant> first_at = {};
  std::optional<UserId> decided_by;
  std::optional<Instant> decided_at = {};
  std::string reason;
  std::optional<OperationId> operation;
  std::string outcome;
  Instant created_at, expires_at;
};

using Which = std::function<bool(const Approval&)>;
const ServerId& server_of(const Approval&);

// What this room has to ask others; main/ wires it to auth and servers.
struct Member {
  OrgId org;
  Role role;
  std::string email;
};
struct Target {
  OrgId org;
  std::string name;
};
struct World {
  std::function<std::optional<Member>(const OrgId&, const UserId&)> member;  // for the name that is shown; nullopt: gone
  // Whose rights count; nullopt: gone, or disabled. As seen from inside a transaction: a role that changed in an
  // earlier one of the same group, not durable yet, counts already.
  std::function<std::optional<Member>(storage::Reader&, const OrgId&, const UserId&)> member_within;
  std::function<std::optional<Target>(const ServerId&)> target;  // for the name that is shown, and whose it is
  // Whether the server counts as production, as seen from inside a transaction; one that is not there does.
  std::function<Result<bool>(storage::Reader&, const OrgId&, const ServerId&)> production_within;
  // The mode of a conversation, as seen from inside a transaction; of one that is not there: ask.
  std::function<Result<PilotMode>(storage::Reader&, const ConversationId&)> mode_within;
};

json::object view(const Approval&, const World&);  // the JSON of the public API

}  // namespace caip::approvals
