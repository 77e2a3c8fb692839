// approvals/ai_controls.h: what the AI of an organisation may do at all, before anybody's rights are looked at: the first
// gates, "AI on" and "write actions on", which are on until somebody switches them off, and what it may do on each server:
// look, until somebody says otherwise.
//
// They are asked inside the transaction that a question, an answer, a proposal or an order is part of, so that what was
// committed before the switch stands and nothing is after it. Switching off ends what goes on (on_less). Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "model/actions.h"
#include "proofs/authorized.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::audit { class Ledger; }

namespace caip::approvals {

enum class AiUse : std::uint8_t {
  talk,     // a question, an answer, a look
  propose,  // what may lead to a write
};

struct AiSettings {
  bool on = true;
  bool writes = true;
  std::optional<UserId> changed_by = {};  // none: nobody has switched anything
  std::optional<Instant> changed_at = {};
};

// The rule and the setting that keep the AI from it (Code::ai_off); nullopt: none does.
std::optional<Error> keeps_from(const AiSettings&, AiUse);

// The same for one server (setting: AI access). Of `none` it is for people and the log: to the AI there is no such server.
std::optional<Error> keeps_from(AiAccess, AiUse);

class AiControls final {
 public:
  struct Less {  // something was taken away: of `use` and all behind it
    OrgId org;
    UserId by;
    AiUse use;
    std::optional<ServerId> server = {};  // there alone
  };
  // Within the transaction that takes it away: ends what goes on. What is given is called once that is durable.
  using OnLess = std::function<Result<std::function<void()>>(storage::WriteTx&, const Less&)>;

  AiControls(storage::Database&, audit::Ledger&, const Clock&);
  ~AiControls();
  // At start, before any thread.
  void on_less(OnLess);
  void on_update(std::function<void(const OrgId&, const AiSettings&)>);  // after any of it has changed, and is durable

  static Result<AiSettings> within(storage::Reader&, const OrgId&);
  Result<AiSettings> of(const OrgId&) const;

  // Each is a success, and on the record, also where it changes nothing: who presses "stop" twice is not told no.
  Result<AiSettings> stop(Authorized<StopAi>&&);
  Result<AiSettings> start(Authorized<StartAi>&&);
  Result<AiSettings> forbid_writes(Authorized<ForbidAiWrites>&&);
  Result<AiSettings> allow_writes(Authorized<AllowAiWrites>&&);

  // On one server. Rows are scoped by the organisation: what is said of another one's server is never read.
  static Result<AiAccess> access_within(storage::Reader&, const OrgId&, const ServerId&);
  Result<AiAccess> access(const OrgId&, const ServerId&) const;
  Result<AiAccess> set_access(Authorized<SetAiAccess>&&);
  // Of the first server, once: what somebody has set since stays.
  Result<void> offer_access(Authorized<OfferAiAccess>&&);

  // Within the transaction that ends an organisation.
  static Result<void> end_of(storage::WriteTx&, const OrgId&);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::approvals
