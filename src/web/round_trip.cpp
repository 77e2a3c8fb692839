#include "round_trip.h"

#include "auth/accounts.h"
#include "authorization/authorizer.h"
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

Reply depart(const Rooms& rooms, const federation::Ask& ask) {
  CAIP_TRY(started, rooms.providers.begin(ask));
  http::Response r = json_reply(201, json::object{{"location", started.location}});
  set_cookie(r, kAttemptCookie, started.browser, federation::kAttemptLifetime, Site::strict);
  return r;
}

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
  return depart(rooms, ask);
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
  if (purpose == Purpose::link || purpose == Purpose::step_up) back.session = call.session->id();
  return back;
}

Reply came_in(const Rooms& rooms, const Call& call, const federation::Proven& proven) {
  const auto& who = proven.identity;
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), SignInWith{who.provider(), Foreign(who.subject())});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(step, rooms.accounts.sign_in_with(std::move(*permit), who, cookie(call.request, kDeviceCookie).value_or("")));
  http::Response r;
  if (const auto* needed = std::get_if<auth::FactorNeeded>(&step)) {
    r = owes_factor(*needed, false);
  } else {
    const auto& in = std::get<auth::Entered<SignInWith>>(step);
    json::object body = session_json(in.person, granted(in.person.role), in.tokens.access_expires);
    body["next"] = proven.next;
    r = json_reply(201, body);
    set_tokens(r, in.tokens);
    set_device(r, in.device);
  }
  clear_cookie(r, kAttemptCookie);
  return r;
}

Error not_proven(const Rooms& rooms, AnyAction action, Principal who, const Error& error) {
  if (error.code != Code::bad_credentials && error.code != Code::expired) return error;
  if (auto logged = rooms.refuse(Denied{std::move(action), std::move(who), Code::bad_credentials, error.detail}); !logged) return logged.error();
  return Error{Code::forbidden, error.detail + "; begin again"};
}

}  // namespace caip::web
