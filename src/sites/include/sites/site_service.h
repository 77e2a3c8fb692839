// sites/site_service.h: which sites there are. A site's row begins with the order that makes it, changes with what became of each
// order, and goes when its time has come: all of that in the transactions of the orders themselves (OrderService::follow), so that
// the way by a person's hand and the way by an approval are one. Thread-safe.
#pragma once
#include <utility>
#include <vector>

#include "proofs/authorized.h"
#include "proofs/receipt.h"
#include "proofs/session.h"
#include "servers/order_service.h"
#include "sites/types.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }

namespace caip::sites {

inline constexpr std::int64_t kMostSites = 10'000;  // of an organisation

class SiteService final {
 public:
  SiteService(storage::Database& db, audit::Ledger& ledger, const authorization::Authorizer& authorizer, const Clock& clock)
      : db_(db), ledger_(ledger), authorizer_(authorizer), clock_(clock) {}

  Result<std::vector<Site>> list(const Session&) const;  // by name
  Result<Site> get(const Session&, const SiteId&) const;
  Result<json::array> on_server(const Session&, const ServerId&) const;  // as JSON

  // Refuses (Code::conflict, on the record by who issues) a second order about a site while one is under way, a name or a domain that is
  // taken, and what its state does not allow.
  servers::OrderService::Follow follow() const;

  // --- the end. Deleted sites whose time has come and whose server had time to remove them; and all of a server that is gone.
  std::vector<std::pair<OrgId, ForgetSite>> due() const;
  Result<Receipt<ForgetSite>> forget(Authorized<ForgetSite>&&);  // Code::conflict when it is not due

  static Result<void> end_of(storage::WriteTx&, const OrgId&);  // within the transaction that ends an organisation

 private:
  storage::Database& db_;
  audit::Ledger& ledger_;
  const authorization::Authorizer& authorizer_;
  const Clock& clock_;
};

}  // namespace caip::sites
