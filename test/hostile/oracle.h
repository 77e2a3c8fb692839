// oracle.h: what may happen, said once more and without a line of the product's: who said yes to which bytes, which gates are
// open, whose servers those are. What is really sent to a server and really run there is held against it.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "channel/order.h"
#include "model/ai.h"
#include "model/environment.h"
#include "model/ids.h"
#include "model/permission.h"

namespace caip::hostile {

struct Yes {
  UserId who;
  std::string bytes;  // that they were shown
  bool stepped_up = false;
  Instant until;      // the card's end
};

// What the test itself has set, by the product's own commands; told to the oracle after each.
struct Stance {
  struct Org {
    bool on = true, writes = true, two_people = false;
    std::optional<Instant> unprotected_until = {};
    std::set<std::string> off = {};  // operations
  };
  struct Machine {
    OrgId org;
    AiAccess access = AiAccess::none;
    Environment environment = Environment::unknown;
  };
  std::map<OrgId, Org> orgs;
  std::map<ServerId, Machine> machines;
  std::map<std::string, Role> roles;        // by user; not there: no member any more
  std::map<std::string, OrgId> belongs;     // by user
};

class Oracle {  // thread-safe
 public:
  explicit Oracle(const Clock& clock) : clock_(clock) {}
  template <class F>
  void set(F&& change) {
    const std::scoped_lock lock(mutex_);
    change(stance_);
  }
  void proposed(const ApprovalId&, const UserId& requester, PilotMode);
  void yes(const ApprovalId&, Yes);
  void take_back(const ApprovalId&);  // all yeses: none of them was taken
  void no(const ApprovalId&);  // denied, or taken away while it was not sent: it never runs
  void mode(const ApprovalId&, PilotMode);
  int orders(const ApprovalId&) const;
  int runs(const ApprovalId&) const;
  // Whether a yes by this person would have to be taken now; empty: it would.
  std::string why_no_yes(const UserId&, const std::string& bytes, const ApprovalId&, bool stepped_up) const;

  void sent(const ServerId&, const channel::SignedOrder&);               // by the control plane
  void ran(const ServerId&, const std::string& order_bytes, const std::string& what);  // on a server: "restart nginx.service"
  void wrong(std::string what);
  std::vector<std::string> take_wrongs();
  std::size_t runs() const;
  std::size_t reads() const;
  void forget();  // what is over: orders and cards of the last transcript

 private:
  struct Card {
    UserId requester;
    PilotMode mode;
    std::vector<Yes> yeses;
    bool no = false;
    std::set<std::string> orders;  // bytes that were sent for it
    int runs = 0;
  };
  std::string why_not(const ServerId&, const channel::SignedOrder&);
  std::string gates(const Stance::Machine&, const std::string& operation, PilotMode) const;
  std::string people(const Card&, const std::string& bytes, const Stance::Machine&, bool access) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  Stance stance_;
  std::map<std::string, Card> cards_;
  std::map<std::string, std::pair<ServerId, std::string>> orders_;  // bytes: where to, which action
  std::map<std::string, int> runs_of_;
  std::vector<std::string> wrongs_;
  std::size_t runs_ = 0, reads_ = 0;
};

// Read from the bytes of an action, by nothing of the product's.
struct Plain {
  std::string action, server, unit;
  bool writes() const { return action.starts_with("unit.") && action != "unit.status"; }
  bool cuts_access() const;  // of those units that the transcripts speak of
};
Plain plain(const std::string& action_bytes);

}  // namespace caip::hostile
