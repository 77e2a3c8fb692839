// What is done by letter: a forgotten password, an address that is shown to be one's own, another address. A link's token
// is in the part of the address that browsers do not send, and in bodies; never in a URL of ours.
#include "auth/links.h"
#include "authorization/authorizer.h"
#include "permits.h"
#include "secret_member.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::size_t kMaxToken = 64;

http::Response queued() { return json_reply(202, json::object{{"queued", true}}); }

Result<std::string> token_of(Call& call) {
  Members m(call.body);
  CAIP_TRY(token, m.string("token", kMaxToken));
  CAIP_CHECKED(m.finish());
  return token;
}

// A wrong link is on the record, whoever tries it.
template <Action A>
std::unexpected<Error> refused_link(const Rooms& rooms, const Call& call, A nothing, const Error& why) {
  if (why.code != Code::expired) return std::unexpected(why);
  Principal who;
  who.origin = call.origin();
  if (auto logged = rooms.refuse(Denied{AnyAction{std::move(nothing)}, std::move(who), why.code, "a link that is not valid"}); !logged) return std::unexpected(logged.error());
  return std::unexpected(why);
}

const UserId kNobody{IdBytes{}};
ResetPassword no_reset() { return {kNobody}; }
ConfirmEmail no_confirmation() { return {kNobody, Email::parse("nobody@example.invalid").value()}; }

Reply ask_reset(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("email", 254));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(email, Email::parse(text));
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), RequestPasswordReset{std::move(email)});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_CHECKED(rooms.links.request_reset(std::move(*permit)));
  return queued();
}

Reply look_reset(const Rooms& rooms, Call& call) {
  CAIP_TRY(token, token_of(call));
  const auto offer = rooms.links.look_reset(token);
  if (!offer) return refused_link(rooms, call, no_reset(), offer.error());
  return json_reply(200, json::object{{"email", offer->email.str()}, {"second_factor", offer->second_factor}});
}

Reply reset(const Rooms& rooms, Call& call) {
  CAIP_TRY(password, take_password(call.body));
  CAIP_TRY(token, token_of(call));
  const auto offer = rooms.links.look_reset(token);
  if (!offer) return refused_link(rooms, call, no_reset(), offer.error());
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), ResetPassword{offer->user}, offer->org);
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  const auto done = rooms.links.reset(std::move(*permit), token, password);
  if (!done) return refused_link(rooms, call, no_reset(), done.error());
  return empty_reply();
}

Reply account(const Rooms& rooms, Call& call) {
  CAIP_TRY(a, rooms.links.address(*call.session));
  return json_reply(200, json::object{{"email", a.email.str()}, {"email_verified_at", a.verified ? json::value(a.verified->str()) : json::value(nullptr)},
                                      {"wanted_email", a.wanted ? json::value(a.wanted->str()) : json::value(nullptr)}, {"mail", a.mail}});
}

Reply ask_verification(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RequestVerification{call.session->user()}));
  CAIP_CHECKED(rooms.links.request_verification(std::move(permit)));
  return queued();
}

Reply change_email(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("email", 254));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(email, Email::parse(text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, ChangeEmail{call.session->user(), std::move(email)}));
  CAIP_CHECKED(rooms.links.change_email(std::move(permit)));
  return queued();
}

json::object confirmation_json(const auth::Confirmation& c) { return {{"email", c.address.str()}, {"change", c.change}, {"new_password", c.anew}}; }

Reply look_confirmation(const Rooms& rooms, Call& call) {
  CAIP_TRY(token, token_of(call));
  const auto found = rooms.links.look_confirmation(token);
  if (!found) return refused_link(rooms, call, no_confirmation(), found.error());
  return json_reply(200, confirmation_json(*found));
}

Reply confirm(const Rooms& rooms, Call& call) {
  CAIP_TRY(token, token_of(call));
  const auto found = rooms.links.look_confirmation(token);
  if (!found) return refused_link(rooms, call, no_confirmation(), found.error());
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), ConfirmEmail{found->user, found->address}, found->org);
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  const auto done = rooms.links.confirm(std::move(*permit), token);
  if (!done) return refused_link(rooms, call, no_confirmation(), done.error());
  return json_reply(200, confirmation_json(*found));
}

Reply confirm_new(const Rooms& rooms, Call& call) {
  CAIP_TRY(token, token_of(call));
  const auto found = rooms.links.look_confirmation(token);
  if (!found) return refused_link(rooms, call, no_confirmation(), found.error());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ConfirmNewEmail{found->user, found->address}));
  const auto done = rooms.links.confirm_new(std::move(permit), token);
  if (!done) return refused_link(rooms, call, no_confirmation(), done.error());
  return json_reply(200, confirmation_json(*found));
}

DisownSignIn no_sign_in() { return {kNobody, SessionId{IdBytes{}}}; }

Reply look_sign_in(const Rooms& rooms, Call& call) {
  CAIP_TRY(token, token_of(call));
  const auto found = rooms.links.look_sign_in(token);
  if (!found) return refused_link(rooms, call, no_sign_in(), found.error());
  return json_reply(200, json::object{{"device", found->device}, {"address", found->address}, {"at", found->at.str()}});
}

Reply disown(const Rooms& rooms, Call& call) {
  CAIP_TRY(token, token_of(call));
  const auto found = rooms.links.look_sign_in(token);
  if (!found) return refused_link(rooms, call, no_sign_in(), found.error());
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), DisownSignIn{found->user, found->session}, found->org);
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  const auto done = rooms.links.disown(std::move(*permit), token);
  if (!done) return refused_link(rooms, call, no_sign_in(), done.error());
  return empty_reply();
}

}  // namespace

void add_link_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "POST", .path = "/api/v1/password-resets", .operation = "requestPasswordReset", .summary = "Have a link for a new password sent; the answer says nothing of whether there is such an account",
              .permission = {}, .handler = [&rooms](Call& c) { return ask_reset(rooms, c); }, .body = {{"email", "string"}}, .success = 202, .answer = "QueuedLetter", .limited = true, .allocates = true});
  router.add({.method = "POST", .path = "/api/v1/password-resets/look", .operation = "lookAtPasswordReset", .summary = "Whose password a link resets; changes nothing",
              .permission = {}, .handler = [&rooms](Call& c) { return look_reset(rooms, c); }, .body = {{"token", "string"}}, .answer = "ResetOffer", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/password-resets/redeem", .operation = "resetPassword", .summary = "Choose a new password with the link; ends all sessions",
              .permission = {}, .handler = [&rooms](Call& c) { return reset(rooms, c); }, .body = {{"token", "string"}, {"password", "string"}}, .success = 204, .limited = true, .slow = true});
  router.add({.method = "GET", .path = "/api/v1/account", .operation = "getAccount", .summary = "One's e-mail address, and whether it is confirmed",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return account(rooms, c); }, .answer = "Account"});
  router.add({.method = "POST", .path = "/api/v1/account/verification", .operation = "requestVerification", .summary = "Have a link sent that confirms one's address",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return ask_verification(rooms, c); }, .success = 202, .answer = "QueuedLetter"});
  router.add({.method = "PUT", .path = "/api/v1/account/email", .operation = "changeEmail", .summary = "Ask for another address (step-up); in force once a link that is sent there is confirmed",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return change_email(rooms, c); }, .body = {{"email", "string"}}, .success = 202, .answer = "QueuedLetter"});
  router.add({.method = "POST", .path = "/api/v1/email-confirmations/look", .operation = "lookAtEmailConfirmation", .summary = "What a link confirms; changes nothing",
              .permission = {}, .handler = [&rooms](Call& c) { return look_confirmation(rooms, c); }, .body = {{"token", "string"}}, .answer = "Confirmation", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/email-confirmations", .operation = "confirmEmail", .summary = "Confirm that the account's address is one's own, by the link that was sent there",
              .permission = {}, .handler = [&rooms](Call& c) { return confirm(rooms, c); }, .body = {{"token", "string"}}, .answer = "Confirmation", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/account/email-confirmations", .operation = "confirmNewEmail", .summary = "Make the address that one asked for one's own, by the link that was sent there",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return confirm_new(rooms, c); }, .body = {{"token", "string"}}, .answer = "Confirmation", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/sign-ins/look", .operation = "lookAtSignIn", .summary = "Which sign-in a link is about; changes nothing",
              .permission = {}, .handler = [&rooms](Call& c) { return look_sign_in(rooms, c); }, .body = {{"token", "string"}}, .answer = "NewSignIn", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/sign-ins/disown", .operation = "disownSignIn", .summary = "It was not me: end all sessions, and have the password reset",
              .permission = {}, .handler = [&rooms](Call& c) { return disown(rooms, c); }, .body = {{"token", "string"}}, .success = 204, .limited = true});
}

}  // namespace caip::web
