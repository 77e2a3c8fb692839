// deciding.h: a refusal of somebody's word or proposal, on the record. Private.
#pragma once
#include "audit/ledger.h"
#include "parts.h"

namespace caip::approvals {

template <Action A>
std::unexpected<Error> refuse(audit::Ledger& ledger, const Authorized<A>& permit, No no) {
  // A refusal that cannot be recorded stays a refusal.
  if (auto r = ledger.refuse(Denied{AnyAction{permit.action()}, permit.principal(), no.code, no.reason}); !r)
    return std::unexpected<Error>(std::move(r).error());
  return fail(no.code, std::move(no.reason));
}

std::string lacks(Role, Permission);
// Why this person decides on it neither way.
std::optional<No> undecidable(const Principal&, const Approval&, const Digest& seen, Instant now);

// For the log: what was proposed or decided on, by its bytes.
json::object detail_of(const Approval&);

}  // namespace caip::approvals
