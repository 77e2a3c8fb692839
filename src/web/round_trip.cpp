#include "round_trip.h"

#include "base/text.h"
#include "cookies.h"
#include "crypto/random.h"
#include "permits.h"

namespace caip::web {

using federation::Purpose;

const std::vector<Field>& begin_fields() {
  static const std::vector<Field> fields{{"provider", "string"}, {"next", "string", false}};
  return fields;
}

const std::vector<Field>& returned_fields() {
  static const std::vector<Field> fields{{"provider", "string"}, {"state", "string"}, {"code", "string", false}, {"error", "string", false}, {"iss", "string", false}};
  return fields;
}

namespace {

// Who may not finish it begins nothing.
Result<void> may_begin(const Rooms& rooms, const Session& session, Purpose purpose, const std::string& provider) {
  if (purpose == Purpose::step_up) CAIP_CHECKED(permit_for(rooms, session, StepUpSession{session.id()}));
  else CAIP_CHECKED(permit_for(rooms, session, LinkIdentity{crypto::random_id<IdentityId>(), cut(shown(provider), 32)}));
  return {};
}

}  // namespace

Reply begin_round_trip(const Rooms& rooms, Call& call, Purpose purpose) {
  Members m(call.body);
  federation::Ask ask{.purpose = purpose, .address = call.request.address};
  CAIP_TRY(provider, m.string("provider", 32));
  CAIP_TRY(next, m.optional_string("next", 512));
  CAIP_CHECKED(m.finish());
  ask.provider = std::move(provider);
  if (next) ask.next = *std::move(next);
  if (purpose != Purpose::sign_in) {
    CAIP_CHECKED(may_begin(rooms, *call.session, purpose, ask.provider));
    ask.session = call.session->id();
  }
  CAIP_TRY(started, rooms.providers.begin(ask));
  http::Response r = json_reply(201, json::object{{"location", started.location}});
  set_cookie(r, kAttemptCookie, started.browser, federation::kAttemptLifetime, Site::strict);
  return r;
}

Result<federation::Returned> returned(Call& call, Purpose purpose) {
  Members m(call.body);
  CAIP_TRY(provider, m.string("provider", 32));
  CAIP_TRY(state, m.string("state", 128));
  CAIP_TRY(code, m.optional_string("code", 2048));
  CAIP_TRY(error, m.optional_string("error", 256));
  CAIP_TRY(issuer, m.optional_string("iss", 1024));
  CAIP_CHECKED(m.finish());
  federation::Returned back{.provider = std::move(provider), .purpose = purpose, .browser = cookie(call.request, kAttemptCookie).value_or(""),
                            .state = std::move(state), .code = code.value_or(""), .error = error.value_or(""), .issuer = std::move(issuer)};
  if (purpose != Purpose::sign_in) back.session = call.session->id();
  return back;
}

Error not_proven(const Rooms& rooms, AnyAction action, Principal who, const Error& error) {
  if (error.code != Code::bad_credentials && error.code != Code::expired) return error;
  if (auto logged = rooms.refuse(Denied{std::move(action), std::move(who), Code::bad_credentials, error.detail}); !logged) return logged.error();
  return Error{Code::forbidden, error.detail + "; begin again"};
}

}  // namespace caip::web
