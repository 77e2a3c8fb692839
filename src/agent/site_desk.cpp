// The helper's half of an order about a site.
#include <sys/stat.h>

#include <chrono>

#include "agent/helper.h"
#include "agent/sites.h"
#include "site_notes.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

constexpr int kTries = 3;  // a run that had begun before our order was there does not see it
constexpr auto kNoMore = std::chrono::seconds(20);  // after that no further one: other orders wait behind this

UnitName worker() { return UnitName::parse("caip-sites.service").value(); }

}  // namespace

SiteDesk::SiteDesk(UnitManager& units, std::string folder) : units_(units), folder_(std::move(folder)) { clear_notes(folder_); }  // of one that was killed

Result<void> SiteDesk::run(const OperationId& id, const ServerAction& action, Instant now, wire::Site& out) {
  ::mkdir(folder_.c_str(), 0700);
  clear_notes(folder_);
  CAIP_CHECKED(leave_order(folder_, {id, action, now}));
  Result<void> ran;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kTries && (i == 0 || std::chrono::steady_clock::now() - begun < kNoMore); ++i) {
    ran = units_.run(UnitVerb::start, worker());
    CAIP_TRY(answer, take_answer(folder_));
    if (!answer) continue;
    if (answer->order != id) return fail(Code::timeout, "another order about a site came between; ask the server for the site's state");
    if (!out.ParseFromString(answer->site)) return fail(Code::timeout, "what was done about the site cannot be read; ask the server for its state");
    if (!answer->ok) return fail(Code::invalid, answer->error);
    return {};
  }
  // Nobody takes it any more: then it was not begun.
  CAIP_TRY(left, take_order(folder_));
  if (left) return fail(Code::unavailable, ran ? "caip-sites.service does not do what it is for; install the agent again" : "caip-sites.service: " + ran.error().detail + "; install the agent again");
  return fail(Code::timeout, "no answer came about the site; it may have been done: ask the server for its state");
}

}  // namespace caip::agent
