// auth/team.h: organisations, and how people come to them, leave them and hand them on. A person
// may belong to several; what is somebody else's organisation is not_found. Every change takes the
// permit for it and gives the receipt of its log entry. Thread-safe.
#pragma once
#include <vector>

#include "auth/accounts.h"

namespace caip::auth {

struct Switched {
  Receipt<SwitchOrganization> receipt;
  Person person;
  Tokens tokens;
};

class Team {
 public:
  explicit Team(Accounts& accounts) : accounts_(accounts) {}

  // Where this person belongs, last used first, with their role there.
  Result<std::vector<Person>> organizations(const Session&) const;
  Result<Receipt<CreateOrganization>> create(Authorized<CreateOrganization>&&);  // its maker is Owner
  Result<Receipt<RenameOrganization>> rename(Authorized<RenameOrganization>&&);
  // The session acts there from now on: its tokens of before are worth nothing any more.
  Result<Switched> switch_to(Authorized<SwitchOrganization>&&);

  // Whoever goes loses, in the same transaction, what they could act with in this organisation (see
  // Accounts::on_authority_end). Refused: the last owner (conflict), someone of a higher role
  // (forbidden), another version than `expected` (precondition_failed).
  Result<Receipt<RemoveMember>> remove(Authorized<RemoveMember>&&, std::int64_t expected);
  Result<Receipt<LeaveOrganization>> leave(Authorized<LeaveOrganization>&&);
  // Still a member, with the role they have, and let in nowhere: as above, but that API tokens only wait. Enabling
  // gives back what is not ended. Refused as above, and oneself (forbidden).
  Result<Receipt<DisableMember>> disable(Authorized<DisableMember>&&, std::int64_t expected);
  Result<Receipt<EnableMember>> enable(Authorized<EnableMember>&&, std::int64_t expected);
  // The other becomes Owner, whoever hands over becomes Admin; both sign in again.
  Result<Receipt<TransferOwnership>> transfer(Authorized<TransferOwnership>&&, std::int64_t expected);

 private:
  // `act` within the transaction, on a member whom this person may change; what it gives is called once that is durable.
  template <Action A, class Do>
  Result<Receipt<A>> change(Authorized<A>&&, std::optional<std::int64_t> expected, const Do& act);
  template <Action A>
  Result<Receipt<A>> end_membership(Authorized<A>&&, std::optional<std::int64_t> expected);
  Accounts& accounts_;
};

}  // namespace caip::auth
