// audit/entry.h (private): the bytes of a log entry, and what is read back out of them.
//
// {"action","actor":{"kind","id"},"address","approver","at","detail","org","params","request",
//  "result","seq","source","target","user_agent","v":2}, canonical (RFC 8785). `seq` counts the
// entries of one organisation (of no organisation: those) from 0, so that a list of them shows its
// gaps; `at` never goes back.
#pragma once
#include <optional>
#include <string>

#include "audit/ledger.h"

namespace caip::audit {

// Its length is a 16-bit number in a tlog-tiles bundle.
inline constexpr std::size_t kMostBytes = 65535;

std::optional<OrgId> org_of(const AnyAction&, const Principal&, const Outcome&);
std::string entry_body(Instant at, std::uint64_t seq, const std::optional<OrgId>& org, const AnyAction&, const Principal&,
                       const std::optional<UserId>& approver, const Outcome&);

struct Known {  // of an entry that was read back
  std::string org;  // empty: none
  std::int64_t seq = -1;
  Instant at;
};
Result<Known> known_of(std::string_view body);
Result<Instant> time_of(std::string_view body);  // without parsing it all

}  // namespace caip::audit
