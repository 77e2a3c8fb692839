// To a provider and back: what a sign-in, a linking and a step-up have in common. Private.
#pragma once
#include "federation/providers.h"
#include "web/api.h"

namespace caip::web {

inline constexpr std::string_view kAttemptCookie = "__Host-caip_attempt";

const std::vector<Field>& begin_fields();
const std::vector<Field>& returned_fields();

// Where to go; the browser gets the attempt's cookie.
Reply depart(const Rooms&, const federation::Ask&);
Reply begin_round_trip(const Rooms&, Call&, federation::Purpose);
// What the provider's redirect carried, as the page read it from its address.
Result<federation::Returned> returned(Call&, federation::Purpose);
// Why it failed is for the log; what to do next is for the person.
Error not_proven(const Rooms&, AnyAction, Principal, const Error&);
// Signs in who came back, or asks for the second factor that they owe.
Reply came_in(const Rooms&, const Call&, const federation::Proven&);

}  // namespace caip::web
