// rows.h: the rows of `sites` and `site_domains`. The only statements that touch them. Private.
#pragma once
#include <optional>
#include <set>
#include <vector>

#include "sites/types.h"
#include "storage/tx.h"

namespace caip::sites::rows {

Result<std::optional<Site>> find(storage::Reader&, const SiteId&);
Result<std::vector<Site>> of(storage::Reader&, const OrgId&);
Result<std::int64_t> count(storage::Reader&, const OrgId&);
Result<bool> name_taken(storage::Reader&, const OrgId&, const SiteName&);
Result<void> insert(storage::WriteTx&, const Site&);
Result<void> update(storage::WriteTx&, const Site&);  // all but who it is
Result<void> remove(storage::WriteTx&, const SiteId&);
// Exactly these are its own from now on. Code::conflict: one is another site's of this server.
Result<void> set_domains(storage::WriteTx&, const Site&, const std::set<DomainName>&);
// Deleted ones that end before `then`; all of servers that are gone.
Result<std::vector<Site>> ending(storage::Reader&, Instant then, std::int64_t most);
Result<std::vector<Site>> of_no_server(storage::Reader&, std::int64_t most);
Result<void> end_of(storage::WriteTx&, const OrgId&);

}  // namespace caip::sites::rows
