// parts.h: what the two halves of ApprovalGate (deciding, executing) share.
#pragma once
#include <mutex>

#include "approvals/gate.h"
#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "storage/database.h"
#include "table.h"

namespace caip::approvals {

struct No {
  Code code;
  std::string reason;
};

struct ApprovalGate::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  const authorization::Authorizer& authorizer;
  World world;
  const Clock& clock;
  InChange in_change = {};
  std::function<void(const Approval&)> durable = {};
  std::function<void(const Approval&)> update = {};
  std::recursive_mutex telling = {};  // a listener may change another approval

  // Inside `tx`: moves `a` along the table and tells the runner.
  Result<void> move(storage::WriteTx& tx, Approval& a, Event event, bool people_hear = true) const;
  Result<void> raise(storage::WriteTx&, const Approval&, EventKind) const;  // for people to be told
  void tell(const Approval&);  // after the commit
  // Whether the organisation asks for a second person by now, of this.
  Result<bool> asks_for_two(storage::Reader&, const Approval&) const;
  // Whose yes still counts: a member who may decide it, as they are now.
  Result<void> still_decides(storage::Reader&, const UserId&, const Approval&, std::string_view who) const;
  // Whoever it rests on, as they are now: who asked, and everybody who allowed it. Gives who asked.
  Result<Member> people(storage::Reader&, const Approval&) const;
  // What a yes by this person makes of it. A first one whose giver may not any more ends with it, on the record.
  Result<Event> yes_by(storage::WriteTx&, Approval&, const UserId& who) const;
  Result<void> lapse(storage::WriteTx&, Approval&) const;
  // Whether as many people said yes as it takes by now, and may still.
  Result<void> by_enough(storage::Reader&, const Approval&) const;
  // The organisation's own settings, as seen from inside a transaction.
  struct Stand {
    AiSettings settings;
    AiWrite write;
    PilotMode mode = PilotMode::ask;
    std::optional<Error> shut() const;  // the first of its gates
  };
  Result<Stand> stand(storage::Reader&, const Approval&) const;
  Result<std::optional<Error>> switched_off(storage::Reader&, const Approval&) const;
  Result<Approval> must_find(storage::Reader&, const ApprovalId&) const;
  // The same with an entry of its own: a system action, the approval ends without anybody's decision on it.
  Result<void> end_within(storage::WriteTx&, Approval&, Event, audit::Ending, const std::string& why) const;
  std::function<void()> tell_later(const std::vector<Approval>&);
  void end_unreadable() const;

  // What a proposal is about, before its transaction; what it is by now, within it.
  std::optional<No> not_there(const ServerAction&, const Principal&) const;
  Result<std::optional<No>> classify(storage::Reader&, Approval&, const Principal&) const;
  // One person's word on one of them: all but its entry. What is refused leaves it to the caller to undo the transaction.
  struct Word {
    const Principal& who;
    Digest seen;
    bool yes, stepped_up;
    bool together;  // with other steps of a plan, by one decision
    std::string reason;
    bool people_hear = true;  // one word about several is told once
  };
  Result<std::optional<No>> say(storage::WriteTx&, Approval&, const Word&) const;

  // --- plans (plan_gate.cpp). Why a step may not be allowed, or not in this way; of what is no step: nothing.
  Result<std::optional<No>> no_step(storage::Reader&, const Approval&, bool together) const;
  Result<bool> its_turn(storage::Reader&, const Approval&) const;  // all steps before it completed as planned
  Result<Spent<HoldStep>> hold_within(storage::WriteTx&, Approval&, const std::string& why) const;  // its entry is the caller's
  Result<void> hold(const ApprovalId&);
  void hold_due();  // what stands behind a step that did not go as planned
  // The same in a transaction of its own.
  Result<void> end(const ApprovalId&, Event, audit::Ending, const std::string& outcome);
};

}  // namespace caip::approvals
