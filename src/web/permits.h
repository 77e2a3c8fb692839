// permits.h: the one way in which handlers ask for a permit. Private.
#pragma once
#include "auth/step_up.h"
#include "authorization/authorizer.h"
#include "web/api.h"

namespace caip::web {

// With the session's step-up where the action may ask for one. A refusal is in the log before it is an error.
template <Action A>
authorization::Decision<A> decision(const Rooms& rooms, const Session& session, A action) {
  if constexpr (A::kStepUp == StepUpNeed::never) {
    return rooms.authorizer.authorize(session, std::move(action));
  } else {
    if (auto fresh = rooms.step_up.prove(session)) return rooms.authorizer.authorize(session, std::move(action), *std::move(fresh));
    if constexpr (A::kStepUp == StepUpNeed::by_operands) return rooms.authorizer.authorize_without_step_up(session, std::move(action));
    else return std::unexpected(rooms.authorizer.refuse_without_step_up(session, std::move(action)));
  }
}

template <Action A>
Result<Authorized<A>> permit_for(const Rooms& rooms, const Session& session, A action) {
  auto permit = decision(rooms, session, std::move(action));
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  return *std::move(permit);
}

// What is not there for this caller, or is somebody else's, is one answer to them and an entry in their log.
template <class T>
Result<T> on_record(const Rooms& rooms, const Session& session, AnyAction tried, Result<T> done) {
  if (done || done.error().code != Code::not_found) return done;
  if (auto logged = rooms.refuse(Denied{std::move(tried), session.principal(), Code::not_found, "nothing of theirs has this id"}); !logged)
    return std::unexpected<Error>(std::move(logged).error());
  return done;
}

}  // namespace caip::web
