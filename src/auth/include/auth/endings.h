// auth/endings.h: how an organisation ends. First a date: until it comes everything goes on, everybody is told, and an
// Owner takes it back with one click. Then, in one transaction, all rows of all rooms that are this organisation's, and
// whatever its people could act with in it; its keys after that (vault/rotation.h), and with them what copies of the
// database have of its secrets. The log keeps its entries, and the servers run on: their agents are let in no more.
// The organisation that runs the installation does not end. Thread-safe.
#pragma once
#include <functional>
#include <map>
#include <vector>

#include "auth/accounts.h"
#include "base/guarded.h"

namespace caip::auth {

inline constexpr Duration kEndingGrace = std::chrono::hours(7 * 24);

struct Belongings {  // what of this room goes with it
  std::int64_t members = 0, invitations = 0, tokens = 0;
};

class Endings {
 public:
  // One room's share of the last transaction; what it gives is called once that is durable.
  using Part = std::function<Result<std::function<void()>>(storage::WriteTx&, const OrgId&)>;

  Endings(Accounts& accounts, Duration grace) : accounts_(accounts), grace_(grace) {}
  void with(std::vector<Part> parts) { parts_ = std::move(parts); }  // at start

  // `typed`: the organisation's name, as a second look at which one it is (else Code::invalid). Code::conflict when a
  // date is set already, and for the organisation that runs the installation.
  Result<Receipt<DeleteOrganization>> plan(Authorized<DeleteOrganization>&&, const OrgName& typed);
  Result<Receipt<RestoreOrganization>> restore(Authorized<RestoreOrganization>&&);  // Code::conflict when no date is set
  Result<std::map<OrgId, Instant>> planned_for(const Session&) const;  // of the organisations that this person belongs to
  Result<Belongings> belongings(const OrgId&) const;
  Duration grace() const noexcept { return grace_; }

  // Whose date has come, but for those that could not end a short while ago.
  Result<std::vector<OrgId>> due() const;
  Result<Receipt<ShredOrganization>> end(Authorized<ShredOrganization>&&);  // Code::conflict when it is not due
  // It could not end, and is due again later: after a second, twice as long each time, an hour at most. Once it
  // is on the record, and its people are told.
  Result<void> not_ended(Authorized<ShredOrganization>&&, Code why);

 private:
  struct Later {
    Instant at;
    Duration wait;
    bool noted = false;
  };
  Later postpone(const OrgId&);
  void over(const OrgId& org) { later_.with([&](auto& all) { all.erase(org); }); }
  Accounts& accounts_;
  Duration grace_;
  std::vector<Part> parts_;
  Guarded<std::map<OrgId, Later>> later_;
};

}  // namespace caip::auth
