// Notifications: one's own notices; channels, their routing and the delivery log. No reply of these
// routes holds a credential, but for a signing secret that was made here, once.
#include "auth/accounts.h"
#include "authorization/authorizer.h"
#include "notifications/channels.h"
#include "notifications/deliveries.h"
#include "notifications/inbox.h"
#include "permits.h"
#include "secret_member.h"
#include "web/api.h"

namespace caip::web {
namespace {

using notifications::Channel;

json::value or_null(const std::optional<std::string>& s) { return s ? json::value(*s) : json::value(nullptr); }

json::object channel_json(const Channel& c) {
  json::array events;
  for (const EventKind kind : c.routing.events) events.emplace_back(text(kind));
  json::object out{{"id", c.id.str()}, {"kind", text(c.target.kind())}, {"name", c.name.str()}, {"target", c.target.view()}, {"has_credential", c.secret.has_value()},
                   {"least_severity", text(c.routing.least)}, {"events", events}, {"verified", c.verified}, {"paused", or_null(c.paused)}, {"version", c.version},
                   {"created_at", c.created.str()}};
  out["previous_secret_until"] = c.previous && c.previous_until ? json::value(c.previous_until->str()) : json::value(nullptr);
  return out;
}

http::Response tagged(int status, const Channel& c, const std::optional<SecretBytes>& shown = {}) {
  json::object body = channel_json(c);
  if (shown) shown->expose(Use::hand_to_client, [&](BytesView b) { body["signing_secret"] = text_of(b); });
  http::Response r = json_reply(status, body);
  r.headers.emplace_back("ETag", '"' + std::to_string(c.version) + '"');
  return r;
}

http::Response queued(const DeliveryId& id) {
  http::Response r = json_reply(202, json::object{{"delivery_id", id.str()}});
  r.headers.emplace_back("Location", "/api/v1/notifications/deliveries/" + id.str());
  return r;
}

// "events": [] is all of them; none stays as it was.
Result<std::vector<EventKind>> take_events(json::object& body, std::vector<EventKind> before) {
  const auto* value = body.if_contains("events");
  if (value == nullptr) return before;
  const auto* array = value->if_array();
  if (array == nullptr || array->size() > all_events().size()) return fail(Code::malformed, "events must be a list of events");
  before.clear();
  for (const auto& item : *array) {
    if (!item.is_string()) return fail(Code::malformed, "events must be a list of events");
    CAIP_TRY(kind, parse_event_kind(item.get_string()));
    before.push_back(kind);
  }
  body.erase("events");
  return before;
}

Reply list_channels(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.channels.list(call.session->org(), ask));
  return list_reply(call, page, [](const Channel& c) { return Place{0, c.id.str()}; }, channel_json);
}

Reply get_channel(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<NotifyChannelId>());
  CAIP_TRY(channel, rooms.channels.get(call.session->org(), id));
  return tagged(200, channel);
}

Reply create_channel(const Rooms& rooms, Call& call) {
  CAIP_TRY(credential, take_secret(call.body, "credential", notifications::kMostCredential));
  CAIP_TRY(events, take_events(call.body, {}));
  Members m(call.body);
  CAIP_TRY(kind_text, m.string("kind", 16));
  CAIP_TRY(name_text, m.string("name", 64));
  const auto target_given = call.body.contains("target");
  CAIP_TRY(target_object, target_given ? m.object("target") : Result<json::object>(json::object()));
  CAIP_TRY(least_text, m.optional_string("least_severity", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(kind, parse_channel_kind(kind_text));
  CAIP_TRY(name, ChannelName::parse(name_text));
  CAIP_TRY(target, notifications::Target::parse(kind, target_object));
  CAIP_TRY(least, parse_severity(least_text.value_or("info")));
  CAIP_TRY(saved, rooms.channels.create(*call.session, name, target, {least, std::move(events)}, std::move(credential)));
  http::Response r = tagged(201, saved.channel, saved.shown);
  r.headers.emplace_back("Location", "/api/v1/notifications/channels/" + saved.channel.id.str());
  return r;
}

Reply change_channel(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<NotifyChannelId>());
  CAIP_TRY(expected, call.if_match());
  CAIP_TRY(before, on_record(rooms, *call.session, ChangeChannel{id}, rooms.channels.get(call.session->org(), id)));
  CAIP_TRY(events, take_events(call.body, before.routing.events));
  Members m(call.body);
  notifications::Change change;
  CAIP_TRY(name_text, m.optional_string("name", 64));
  if (name_text) {
    CAIP_TRY(name, ChannelName::parse(*name_text));
    change.name = std::move(name);
  }
  if (call.body.contains("target")) {
    CAIP_TRY(object, m.object("target"));
    CAIP_TRY(target, notifications::Target::parse(before.target.kind(), object));
    change.target = std::move(target);
  }
  CAIP_TRY(least_text, m.optional_string("least_severity", 16));
  CAIP_TRY(paused, m.optional_boolean("paused"));
  CAIP_CHECKED(m.finish());
  change.paused = paused;
  CAIP_TRY(least, parse_severity(least_text.value_or(std::string(text(before.routing.least)))));
  change.routing = notifications::Routing{least, std::move(events)};
  CAIP_TRY(changed, rooms.channels.change(*call.session, id, change, expected));
  return tagged(200, changed);
}

Reply replace_credential(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<NotifyChannelId>());
  CAIP_TRY(credential, take_secret(call.body, "credential", notifications::kMostCredential));
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(saved, on_record(rooms, *call.session, ReplaceCredential{id, SecretId{IdBytes{}}}, rooms.channels.replace_credential(*call.session, id, std::move(credential))));
  return tagged(200, saved.channel, saved.shown);
}

Reply remove_channel(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(id, call.id<NotifyChannelId>());
  CAIP_TRY(expected, call.if_match());
  CAIP_CHECKED(on_record(rooms, *call.session, DeleteChannel{id}, rooms.channels.remove(*call.session, id, expected)));
  return empty_reply();
}

Reply test_channel(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(id, call.id<NotifyChannelId>());
  CAIP_TRY(delivery, on_record(rooms, *call.session, TestChannel{id, DeliveryId{IdBytes{}}}, rooms.channels.test(*call.session, id)));
  return queued(delivery);
}

Reply send_code(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(id, call.id<NotifyChannelId>());
  CAIP_TRY(delivery, on_record(rooms, *call.session, VerifyChannel{id}, rooms.channels.send_code(*call.session, id)));
  return queued(delivery);
}

Reply verify(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<NotifyChannelId>());
  Members m(call.body);
  CAIP_TRY(code, m.string("code", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(channel, on_record(rooms, *call.session, VerifyChannel{id}, rooms.channels.verify(*call.session, id, code)));
  return tagged(200, channel);
}

// Those to people who belong nowhere are for the organisation that runs the installation.
Reply list_dead_letters(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(first, rooms.accounts.first_org());
  const auto unowned = first == call.session->org() ? notifications::Unowned::included : notifications::Unowned::left_out;
  CAIP_TRY(page, rooms.deliveries.dead_letters(call.session->org(), unowned, ask));
  return list_reply(call, page, [](const notifications::DeadLetter& l) { return Place{l.created.micros(), l.id.str()}; },
                    [](const notifications::DeadLetter& l) { return notifications::view(l); });
}

Reply list_deliveries(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  std::optional<NotifyChannelId> channel;
  if (const auto wanted = call.query_text("channel")) {
    CAIP_TRY(id, NotifyChannelId::parse(*wanted));
    channel = id;
  }
  std::optional<DeliveryState> state;
  if (const auto wanted = call.query_text("state")) {
    CAIP_TRY(parsed, parse_delivery_state(*wanted));
    state = parsed;
  }
  CAIP_TRY(page, rooms.deliveries.list(call.session->org(), channel, state, ask));
  return list_reply(call, page, [](const notifications::Delivery& d) { return Place{d.created.micros(), d.id.str()}; },
                    [](const notifications::Delivery& d) { return notifications::view(d); });
}

Reply get_delivery(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<DeliveryId>());
  CAIP_TRY(delivery, rooms.deliveries.get(call.session->org(), id));
  return json_reply(200, notifications::view(delivery));
}

Reply retry_delivery(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(id, call.id<DeliveryId>());
  auto permit = rooms.authorizer.authorize(*call.session, RetryDelivery{id});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(delivery, on_record(rooms, *call.session, RetryDelivery{id}, rooms.deliveries.retry(std::move(*permit))));
  return json_reply(202, notifications::view(delivery));
}

Reply list_notices(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.inbox.list(*call.session, ask));
  return list_reply(call, page, [](const notifications::Notice& n) { return Place{n.seq, n.id.str()}; },
                    [](const notifications::Notice& n) { return notifications::view(n); });
}

Reply unread(const Rooms& rooms, Call& call) {
  CAIP_TRY(count, rooms.inbox.unread(*call.session));
  return json_reply(200, json::object{{"unread", count}});
}

Reply mark_read(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("up_to", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(id, NoticeId::parse(text));
  auto permit = rooms.authorizer.authorize(*call.session, ReadNotices{id});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_CHECKED(on_record(rooms, *call.session, ReadNotices{id}, rooms.inbox.mark_read(*call.session, std::move(*permit))));
  return empty_reply();
}

Reply events(const Rooms&, Call&) {
  json::array out;
  for (const auto& e : all_events())
    if (e.reach != Reach::one_channel)
      out.push_back(json::object{{"event", e.name}, {"severity", text(e.severity)}, {"title", e.title}, {"in_app_only", e.reach == Reach::in_app}});
  return json_reply(200, json::object{{"events", out}});
}

}  // namespace

void add_notification_routes(Router& router, const Rooms& rooms) {
  constexpr auto manage = Permission::notification_manage, own = Permission::own_session;
  const auto with = [&rooms](Reply (*f)(const Rooms&, Call&)) { return [&rooms, f](Call& c) { return f(rooms, c); }; };
  router.add({.method = "GET", .path = "/api/v1/notifications/inbox", .operation = "listNotices", .summary = "One's own notices, the newest first",
              .permission = own, .handler = with(list_notices), .list = true, .answer = "Notice"});
  router.add({.method = "GET", .path = "/api/v1/notifications/inbox/unread", .operation = "getUnreadNotices", .summary = "How many notices are unread",
              .permission = own, .handler = with(unread), .answer = "UnreadNotices"});
  router.add({.method = "PUT", .path = "/api/v1/notifications/inbox/read", .operation = "markNoticesRead", .summary = "All notices up to this one are read",
              .permission = own, .handler = with(mark_read), .body = {{"up_to", "string"}}, .success = 204});
  router.add({.method = "GET", .path = "/api/v1/notifications/event-kinds", .operation = "getNotificationEvents", .summary = "What people can be told about",
              .permission = own, .handler = with(events), .answer = "NotificationEvents"});
  router.add({.method = "GET", .path = "/api/v1/notifications/channels", .operation = "listChannels", .summary = "Where the organisation is told about things",
              .permission = manage, .handler = with(list_channels), .list = true, .answer = "NotificationChannel"});
  router.add({.method = "POST", .path = "/api/v1/notifications/channels", .operation = "createChannel",
              .summary = "Add a channel (kind email, slack, discord, telegram or webhook; a webhook without a credential gets a signing secret, shown once)",
              .permission = manage, .handler = with(create_channel),
              .body = {{"kind", "string"}, {"name", "string"}, {"target", "object", false}, {"credential", "string", false}, {"least_severity", "string", false}, {"events", "array", false}},
              .idempotency_key = true, .success = 201, .answer = "NotificationChannel"});
  router.add({.method = "GET", .path = "/api/v1/notifications/channels/{id}", .operation = "getChannel", .summary = "One channel; credentials never come out",
              .permission = manage, .handler = with(get_channel), .answer = "NotificationChannel"});
  router.add({.method = "PATCH", .path = "/api/v1/notifications/channels/{id}", .operation = "changeChannel", .summary = "Change name, target, routing, or pause it (If-Match)",
              .permission = manage, .handler = with(change_channel),
              .body = {{"name", "string", false}, {"target", "object", false}, {"least_severity", "string", false}, {"events", "array", false}, {"paused", "boolean", false}},
              .answer = "NotificationChannel", .if_match = true});
  router.add({.method = "DELETE", .path = "/api/v1/notifications/channels/{id}", .operation = "deleteChannel", .summary = "Delete a channel and its credential (If-Match)",
              .permission = manage, .handler = with(remove_channel), .success = 204, .if_match = true});
  router.add({.method = "POST", .path = "/api/v1/notifications/channels/{id}/credential", .operation = "replaceChannelCredential",
              .summary = "Put another credential in its place; a webhook's old secret signs too for a day", .permission = manage, .handler = with(replace_credential),
              .body = {{"credential", "string", false}}, .idempotency_key = true, .answer = "NotificationChannel"});
  router.add({.method = "POST", .path = "/api/v1/notifications/channels/{id}/test", .operation = "testChannel", .summary = "Send a test now; the delivery has the outcome",
              .permission = manage, .handler = with(test_channel), .idempotency_key = true, .success = 202, .answer = "QueuedDelivery"});
  router.add({.method = "POST", .path = "/api/v1/notifications/channels/{id}/code", .operation = "sendChannelCode", .summary = "Send a code to a mail channel's address",
              .permission = manage, .handler = with(send_code), .idempotency_key = true, .success = 202, .answer = "QueuedDelivery"});
  router.add({.method = "POST", .path = "/api/v1/notifications/channels/{id}/verify", .operation = "verifyChannel", .summary = "Confirm the address with the code that came there",
              .permission = manage, .handler = with(verify), .body = {{"code", "string"}}, .idempotency_key = true, .answer = "NotificationChannel"});
  router.add({.method = "GET", .path = "/api/v1/notifications/deliveries", .operation = "listDeliveries", .summary = "What went to which channel, when, and how it ended",
              .permission = manage, .handler = with(list_deliveries), .query = {{"channel", "string", false}, {"state", "string", false}}, .list = true, .answer = "Delivery"});
  router.add({.method = "GET", .path = "/api/v1/notifications/dead-letters", .operation = "listDeadLetters", .summary = "Letters to people that were given up; never their links",
              .permission = manage, .handler = with(list_dead_letters), .list = true, .answer = "DeadLetter"});
  router.add({.method = "GET", .path = "/api/v1/notifications/deliveries/{id}", .operation = "getDelivery", .summary = "One delivery",
              .permission = manage, .handler = with(get_delivery), .answer = "Delivery"});
  router.add({.method = "POST", .path = "/api/v1/notifications/deliveries/{id}/retry", .operation = "retryDelivery", .summary = "Try a dead delivery again",
              .permission = manage, .handler = with(retry_delivery), .idempotency_key = true, .success = 202, .answer = "Delivery"});
}

}  // namespace caip::web
