// caipd_due.h: what has a date and is due, looked at once a second by the ticker alone. What fails is tried again with the next look.
// And what is noted at start and stop.
#pragma once
#include "caipd_plane.h"

namespace caip::main {

// Production Protection whose end date has come.
inline void protect_production(Plane& plane) {
  for (const auto& org : plane.ai.overdue()) {
    auto permit = plane.authorizer.authorize_system(ProtectProductionOnTime{}, org);
    const auto done = permit ? plane.ai.protect_on_time(std::move(*permit)) : Result<void>(fail(Code::forbidden, permit.error().reason));
    if (!done) log::error("that Production Protection is on again is not in the log yet", {{"organization", org.str()}, {"detail", done.error().detail}});
  }
}

// Servers whose time has come.
inline void forget_servers(Plane& plane) {
  for (const auto& [org, server] : plane.servers.leaving()) {
    auto permit = plane.authorizer.authorize_system(ForgetServer{server}, org);
    const auto done = permit ? plane.servers.forget(std::move(*permit)) : Result<Receipt<ForgetServer>>(fail(Code::forbidden, permit.error().reason));
    if (!done) log::error("a server was not forgotten", {{"server", server.str()}, {"detail", done.error().detail}});
  }
}

// That it runs from now on, or was told to stop. A full disk keeps nobody from looking.
template <Action A>
void note(Plane& plane, A action, json::object detail = {}) {
  detail["version"] = kVersion;
  const auto noted = [&]() -> Result<void> {
    auto permit = plane.authorizer.authorize_system(std::move(action));
    if (!permit) return fail(Code::forbidden, permit.error().reason);
    CAIP_TRY(spent, std::move(*permit).spend(plane.clock.now()));
    auto tx = plane.db.begin_write();
    CAIP_CHECKED(plane.servers.keep_time(tx));  // for how long nobody could have come
    CAIP_TRY(receipt, plane.ledger.commit(std::move(tx), std::move(spent), {.detail = detail}));
    static_cast<void>(receipt);
    return {};
  }();
  if (!noted) log::error("start or stop is not in the log", {{"detail", noted.error().detail}});
}

// Deleted sites whose time has come, and those of servers that are gone.
inline void forget_sites(Plane& plane) {
  for (const auto& [org, action] : plane.sites.due()) {
    auto permit = plane.authorizer.authorize_system(action, org);
    const auto done = permit ? plane.sites.forget(std::move(*permit)) : Result<Receipt<ForgetSite>>(fail(Code::forbidden, permit.error().reason));
    if (!done && done.error().code != Code::conflict) log::error("a site was not forgotten", {{"site", action.site.str()}, {"detail", done.error().detail}});
  }
}

}  // namespace caip::main
