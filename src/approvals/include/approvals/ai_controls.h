// approvals/ai_controls.h: the settings behind the gates of an organisation's AI (ai_gates.h), and who changes them.
//
// They are read inside the transaction that a question, an answer, a proposal or an order is part of, so that what was
// committed before the switch stands and nothing is after it. Switching off ends what goes on (on_less). Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "approvals/ai_gates.h"
#include "approvals/ai_provider.h"
#include "approvals/approval.h"
#include "proofs/authorized.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::audit { class Ledger; }

namespace caip::approvals {

class AiControls final {
 public:
  struct Less {  // something was taken away: of `use` and all behind it
    OrgId org;
    std::optional<UserId> by;  // none: its time had come
    AiUse use;
    std::string why;  // for people, on the cards that end
    Which which = {};  // of the cards; empty: all of them
  };
  // Within the transaction that takes it away: ends what goes on. What is given is called once that is durable.
  using OnLess = std::function<Result<std::function<void()>>(storage::WriteTx&, const Less&)>;

  AiControls(storage::Database&, audit::Ledger&, const Clock&);
  ~AiControls();
  // At start, before any thread.
  void on_less(OnLess);
  void on_update(std::function<void(const OrgId&, const AiSettings&)>);  // after any of it has changed, and is durable
  void not_before(Instant);  // what the log says of the time: a clock that was set back while we were down is noticed

  static Result<AiSettings> within(storage::Reader&, const OrgId&);
  Result<AiSettings> of(const OrgId&) const;

  // Each is a success, and on the record, also where it changes nothing: who presses "stop" twice is not told no.
  Result<AiSettings> stop(Authorized<StopAi>&&);
  Result<AiSettings> start(Authorized<StartAi>&&);
  Result<AiSettings> forbid_writes(Authorized<ForbidAiWrites>&&);
  Result<AiSettings> allow_writes(Authorized<AllowAiWrites>&&);
  Result<AiSettings> set_operation(Authorized<SetAiOperation>&&);
  Result<AiSettings> set_second_person(Authorized<SetSecondPerson>&&);  // cards that asked for two go on asking

  Result<AiSettings> set_limit(Authorized<SetAiLimit>&&);  // outside its least and most: Code::invalid, on the record

  // --- who answers: nothing set, what the installation has configured. An address, model or number that is none: Code::invalid, on the record.
  Result<std::optional<AiProvider>> provider(const OrgId&) const;
  Result<AiProvider> set_provider(Authorized<SetAiProvider>&&, AiProvider);
  Result<void> remove_provider(Authorized<RemoveAiProvider>&&);
  Result<void> record_test(Authorized<TestAiProvider>&&, const std::string& base_url, const std::optional<SecretId>&);  // before a key goes there

  // --- Production Protection. Off for at most kLongestUnprotected, for a reason (1..500 bytes of visible text; else Code::invalid,
  // on the record); every Owner and Admin is told. On again: what waits on a production server is denied.
  Result<AiSettings> unprotect(Authorized<UnprotectProduction>&&, std::string reason);
  Result<AiSettings> protect(Authorized<ProtectProduction>&&);
  // Whose time has come, or whose clock was set back: by the ticker alone, which then calls the other.
  std::vector<OrgId> overdue();
  Result<void> protect_on_time(Authorized<ProtectProductionOnTime>&&);  // nothing happens, and no entry, where it is on

  // Within the transaction that ends what somebody may do there: it does not stay off in their name.
  static Result<void> opener_left(storage::WriteTx&, const OrgId&, const UserId&, Instant now);

  // On one server. Rows are scoped by the organisation: what is said of another one's server is never read.
  static Result<AiAccess> access_within(storage::Reader&, const OrgId&, const ServerId&);
  Result<AiAccess> access(const OrgId&, const ServerId&) const;
  Result<AiAccess> set_access(Authorized<SetAiAccess>&&);
  // Of the first server, once: what somebody has set since stays.
  Result<void> offer_access(Authorized<OfferAiAccess>&&);

  // Within the transaction in which another machine takes that place: what it was given was another one's. Shut stays shut.
  static Result<void> narrow(storage::WriteTx&, const OrgId&, const ServerId&);

  Instant now() const;  // of the clock that the gates go by

  // Within the transaction that ends an organisation.
  static Result<void> end_of(storage::WriteTx&, const OrgId&);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::approvals
