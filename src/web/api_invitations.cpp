// Invitations: made and looked after by those who may, accepted by whoever holds the link. A link's
// token is in the part of the address that browsers do not send, and in bodies; never in a URL of ours.
#include "auth/invitations.h"
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "permits.h"
#include "round_trip.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::size_t kMaxPassword = 1024;
constexpr std::size_t kMaxToken = 64;

json::object invitation_json(const auth::Invitation& i) {
  return json::object{{"id", i.id.str()}, {"email", i.email.str()}, {"role", text(i.role)}, {"state", auth::text(i.state)}, {"inviter_id", i.inviter.str()},
                      {"created_at", i.created.str()}, {"expires_at", i.expires.str()}};
}

// With the link, which is shown this once; where a letter has it, nobody but its reader gets to see it.
http::Response made(const Rooms& rooms, int status, const auth::NewInvitation& n) {
  json::object body = invitation_json(n.invitation);
  body["link"] = n.mailed() ? json::value(nullptr) : json::value(rooms.browser_url + "/invitation#token=" + n.token);
  body["mailed"] = n.mailed();
  return json_reply(status, body);
}

Reply create(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(email_text, m.string("email", 254));
  CAIP_TRY(role_text, m.string("role", 16));
  const bool given = call.body.contains("days");
  std::int64_t days = 7;
  if (given) {
    CAIP_TRY(number, m.integer("days", 1, 30));
    days = number;
  }
  CAIP_CHECKED(m.finish());
  CAIP_TRY(email, Email::parse(email_text));
  CAIP_TRY(role, parse_role(role_text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, CreateInvitation{crypto::random_id<InvitationId>(), email, role}));
  CAIP_TRY(invitation, rooms.invitations.create(std::move(permit), std::chrono::hours(24 * days)));
  return made(rooms, 201, invitation);
}

Reply resend(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<InvitationId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ResendInvitation{id}));
  CAIP_TRY(invitation, on_record(rooms, *call.session, ResendInvitation{id}, rooms.invitations.resend(std::move(permit))));
  return made(rooms, 200, invitation);
}

Reply revoke(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<InvitationId>());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RevokeInvitation{id}));
  CAIP_TRY(receipt, on_record(rooms, *call.session, RevokeInvitation{id}, rooms.invitations.revoke(std::move(permit))));
  return empty_reply();
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.invitations.list(call.session->org(), ask));
  return list_reply(call, page, [](const auth::Invitation& i) { return Place{i.created.micros(), i.id.str()}; }, invitation_json);
}

Principal nobody(const Call& call) {
  Principal p;
  p.origin = call.origin();
  return p;
}

AnyAction no_invitation() { return AcceptInvitation{InvitationId{IdBytes{}}, UserId{IdBytes{}}}; }

// A wrong link is on the record, whoever tries it.
std::unexpected<Error> refused_link(const Rooms& rooms, const Call& call, const Error& why) {
  if (why.code != Code::expired) return std::unexpected(why);
  if (auto logged = rooms.refuse(Denied{no_invitation(), nobody(call), why.code, "a link that is not valid"}); !logged)
    return std::unexpected(logged.error());
  return std::unexpected(why);
}

Reply look(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(token, m.string("token", kMaxToken));
  CAIP_CHECKED(m.finish());
  auto offer = rooms.invitations.look(token);
  if (!offer) return refused_link(rooms, call, offer.error());
  return json_reply(200, json::object{{"organization", offer->org_name.str()}, {"email", offer->invitation.email.str()}, {"role", text(offer->invitation.role)},
                                      {"invited_by", offer->inviter.str()}, {"expires_at", offer->invitation.expires.str()}, {"has_account", offer->has_account}});
}

Reply accept(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(token, m.string("token", kMaxToken));
  CAIP_TRY(password, m.string("password", kMaxPassword));
  CAIP_CHECKED(m.finish());
  auto offer = rooms.invitations.look(token);
  if (!offer) return refused_link(rooms, call, offer.error());
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), AcceptInvitation{offer->invitation.id, crypto::random_id<UserId>()}, offer->invitation.org);
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(receipt, rooms.invitations.accept(std::move(*permit), token, SecretBytes(password)));
  return json_reply(201, json::object{{"organization", offer->org_name.str()}, {"email", offer->invitation.email.str()}});
}

Reply begin_with_provider(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(provider, m.string("provider", 32));
  CAIP_TRY(token, m.string("token", kMaxToken));
  CAIP_CHECKED(m.finish());
  auto offer = rooms.invitations.look(token);
  if (!offer) return refused_link(rooms, call, offer.error());
  return depart(rooms, {.provider = std::move(provider), .purpose = federation::Purpose::invitation, .invitation = std::move(token), .address = call.request.address});
}

Reply accept_with_provider(const Rooms& rooms, Call& call) {
  CAIP_TRY(back, returned(call, federation::Purpose::invitation));
  auto proven = rooms.providers.finish(back);
  if (!proven) return std::unexpected(not_proven(rooms, no_invitation(), nobody(call), proven.error()));
  auto offer = rooms.invitations.look(proven->invitation);
  if (!offer) return refused_link(rooms, call, offer.error());
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), AcceptInvitation{offer->invitation.id, crypto::random_id<UserId>()}, offer->invitation.org);
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_CHECKED(rooms.invitations.accept_with(std::move(*permit), proven->invitation, proven->identity));
  return came_in(rooms, call, *proven);
}

Reply join(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(token, m.string("token", kMaxToken));
  CAIP_CHECKED(m.finish());
  auto offer = rooms.invitations.look(token);
  if (!offer) return refused_link(rooms, call, offer.error());
  CAIP_TRY(permit, permit_for(rooms, *call.session, JoinOrganization{offer->invitation.id}));
  CAIP_TRY(receipt, rooms.invitations.join(std::move(permit), token));
  return json_reply(201, json::object{{"organization", json::object{{"id", offer->invitation.org.str()}, {"name", offer->org_name.str()}}}});
}

}  // namespace

void add_invitation_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/invitations", .operation = "listInvitations", .summary = "Invitations, newest first; never their links",
              .permission = Permission::invitation_view, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true, .answer = "Invitation"});
  router.add({.method = "POST", .path = "/api/v1/invitations", .operation = "createInvitation", .summary = "Invite a person; the link is in their letter alone or, without mail, in this answer alone",
              .permission = Permission::invitation_create, .handler = [&rooms](Call& c) { return create(rooms, c); },
              .body = {{"email", "string"}, {"role", "string"}, {"days", "integer", false}}, .idempotency_key = true, .success = 201, .answer = "NewInvitation"});
  router.add({.method = "POST", .path = "/api/v1/invitations/{id}/resend", .operation = "resendInvitation", .summary = "Make another link; the one before ends",
              .permission = Permission::invitation_create, .handler = [&rooms](Call& c) { return resend(rooms, c); }, .idempotency_key = true, .answer = "NewInvitation"});
  router.add({.method = "DELETE", .path = "/api/v1/invitations/{id}", .operation = "revokeInvitation", .summary = "Revoke an invitation",
              .permission = Permission::invitation_revoke, .handler = [&rooms](Call& c) { return revoke(rooms, c); }, .success = 204});
  router.add({.method = "POST", .path = "/api/v1/invitations/look", .operation = "lookAtInvitation", .summary = "What a link offers; changes nothing",
              .permission = {}, .handler = [&rooms](Call& c) { return look(rooms, c); }, .body = {{"token", "string"}}, .answer = "Offer", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/invitations/accept", .operation = "acceptInvitation",
              .summary = "Accept with a new account, or with one that belongs to no organisation",
              .permission = {}, .handler = [&rooms](Call& c) { return accept(rooms, c); }, .body = {{"token", "string"}, {"password", "string"}},
              .success = 201, .answer = "AcceptedInvitation", .limited = true, .slow = true});
  router.add({.method = "POST", .path = "/api/v1/invitations/attempts", .operation = "beginAcceptance", .summary = "Begin to accept with another service: where to go",
              .permission = {}, .handler = [&rooms](Call& c) { return begin_with_provider(rooms, c); }, .body = {{"provider", "string"}, {"token", "string"}},
              .success = 201, .answer = "Departure", .limited = true, .allocates = true});
  router.add({.method = "POST", .path = "/api/v1/invitations/callbacks", .operation = "finishAcceptance",
              .summary = "Accept with what the service sent back: it has to confirm the address that was invited; signs in",
              .permission = {}, .handler = [&rooms](Call& c) { return accept_with_provider(rooms, c); }, .body = returned_fields(),
              .success = 201, .answer = "Session", .accepted = "SecondStep", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/invitations/join", .operation = "joinOrganization", .summary = "Accept as the person who is signed in",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return join(rooms, c); }, .body = {{"token", "string"}},
              .idempotency_key = true, .success = 201, .answer = "JoinedOrganization", .limited = true});
}

}  // namespace caip::web
