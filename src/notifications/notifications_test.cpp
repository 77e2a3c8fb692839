#include <catch2/catch_test_macros.hpp>
#include <set>

#include "test_world.h"

namespace caip::notifications {

TEST_CASE("one outbox: an event is there when its cause is, and not when that is undone") {
  World w;
  REQUIRE(w.webhook("hook", dead_url()));
  w.raise(w.offline(), false);
  CHECK(w.log().empty());
  CHECK(w.inbox->unread(w.owner.session()).value() == 0);
  w.raise(w.offline());
  CHECK(w.log().size() == 1);
  CHECK(w.inbox->unread(w.owner.session()).value() == 1);
}

TEST_CASE("routing: by severity and by event, only to channels of the organisation that are confirmed, not paused and not deleted") {
  World w;
  const auto all = w.webhook("all", dead_url()).value();
  const auto critical = w.webhook("critical", dead_url(), {.least = Severity::critical}).value();
  const auto keys = w.webhook("keys", dead_url(), {.events = {EventKind::key_rotated, EventKind::role_changed}}).value();
  test::Person stranger{.org = crypto::random_id<OrgId>()};
  REQUIRE(w.channels->create(stranger.session(), ChannelName::parse("theirs").value(), Target::parse(ChannelKind::webhook, {{"url", dead_url()}}).value(), {}, {}));
  const auto mail = w.channels
                        ->create(w.owner.session(), ChannelName::parse("mail").value(),
                                 Target::parse(ChannelKind::email, {{"host", "127.0.0.1"}, {"port", 1}, {"security", "tls"}, {"from", "a@example.org"}, {"to", "b@example.org"}}).value(), {}, {})
                        .value()
                        .channel;
  CHECK_FALSE(mail.verified);
  const auto went_to = [&](EventKind kind) {
    const auto before = w.log().size();
    w.clock.advance(seconds(1));
    w.raise({.kind = kind, .org = w.org, .subject = "x"});
    std::set<std::string> names;
    auto now = w.log();
    for (std::size_t n = 0; n < now.size() - before; ++n) names.insert(now[n].channel_name);
    return names;
  };
  CHECK(went_to(EventKind::server_offline) == std::set<std::string>{"all", "critical"});
  CHECK(went_to(EventKind::key_rotated) == std::set<std::string>{"all", "keys"});
  CHECK(went_to(EventKind::delivery_failed).empty());  // in-app alone
  REQUIRE(w.channels->change(w.owner.session(), all.id, {.paused = true}, 1));
  REQUIRE(w.channels->remove(w.owner.session(), keys.id, 1));
  CHECK(went_to(EventKind::role_changed).empty());
  CHECK(w.channels->get(w.org, keys.id).error().code == Code::not_found);
  CHECK(w.channels->get(stranger.org, critical.id).error().code == Code::not_found);
}

TEST_CASE("a receiver that is away: tried again on schedule with the same id, then dead, then told in-app and on the record") {
  World w;
  const auto hook = w.webhook("hook", dead_url()).value();
  w.raise(w.offline());
  const auto id = w.log().front().id;
  REQUIRE(w.courier->step());
  CHECK(w.log().front().tries == 1);
  CHECK(w.log().front().outcome == "no connection");
  CHECK_FALSE(w.courier->step());  // not yet
  w.clock.advance(seconds(7));
  CHECK_FALSE(w.courier->step());  // jitter is a fifth at most
  w.clock.advance(seconds(5));
  CHECK(w.courier->step());
  for (int n = 0; n < 20; ++n) {
    w.clock.advance(seconds(120));
    while (w.courier->step()) {}
  }
  const auto end = w.log().front();
  CHECK(end.id == id);
  CHECK(end.state == DeliveryState::dead);
  CHECK(end.tries == 10);
  CHECK(w.logged("notification.send", "completed") == 10);
  CHECK(w.logged("notification.record", "failed") == 1);
  const auto notices = w.inbox->list(w.owner.session(), {})->items;
  CHECK(notices.front().kind == EventKind::delivery_failed);
  CHECK(notices.front().text().find("Server offline to hook") != std::string::npos);
  auto again = w.authorizer.authorize(w.owner.session(), RetryDelivery{id});
  CHECK(w.deliveries->retry(std::move(*again))->state == DeliveryState::queued);
  CHECK(w.courier->step());
  REQUIRE(w.channels->remove(w.owner.session(), hook.id, 1));
  CHECK(w.log().front().state == DeliveryState::dropped);
  CHECK_FALSE(w.courier->step());
}

TEST_CASE("killed at any moment, a queued delivery is still there and still tried") {
  World w;
  REQUIRE(w.webhook("hook", dead_url()));
  w.raise(w.offline());
  w.restart();
  REQUIRE(w.courier->step());
  w.restart();  // the try is counted, the next one scheduled
  CHECK(w.log().front().tries == 1);
  CHECK_FALSE(w.courier->step());
  w.clock.advance(seconds(13));
  CHECK(w.courier->step());
}

TEST_CASE("a webhook to an address that is not public is refused when it is added") {
  World w;
  CHECK(w.webhook("hook", "http://10.0.0.1/hook").error().code == Code::forbidden);
  CHECK(w.webhook("hook", "https://[fd00::1]/hook").error().code == Code::forbidden);
  CHECK(w.logged("notification.create_channel", "completed") == 0);
}

TEST_CASE("credentials: sealed, shown once when made here, replaced with both signing for a day, deleted with the channel") {
  World w;
  auto made = w.channels->create(w.owner.session(), ChannelName::parse("hook").value(), Target::parse(ChannelKind::webhook, {{"url", dead_url()}}).value(), {}, {});
  REQUIRE(made);
  REQUIRE(made->shown);
  CHECK(made->shown->size() == 50);  // whsec_ and 32 bytes
  auto next = w.channels->replace_credential(w.owner.session(), made->channel.id, {});
  REQUIRE(next);
  CHECK(next->shown);
  CHECK(next->channel.previous == made->channel.secret);
  CHECK(*next->channel.previous_until == w.clock.now() + kOverlap);
  auto third = w.channels->replace_credential(w.owner.session(), made->channel.id, SecretBytes(std::string_view("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")));
  REQUIRE(third);
  CHECK_FALSE(third->shown);
  CHECK_FALSE(w.store->get(w.org, *made->channel.secret));
  REQUIRE(w.channels->remove(w.owner.session(), made->channel.id, 3));
  CHECK(w.store->list(w.org, {}, {})->items.empty());
  CHECK(w.channels->replace_credential(w.owner.session(), made->channel.id, {}).error().code == Code::not_found);
}

TEST_CASE("a credential that somebody deleted ends its deliveries with words that say so") {
  World w;
  const auto hook = w.webhook("hook", dead_url()).value();
  auto gone = w.authorize(w.owner.session(), DeleteSecret{*hook.secret, SecretKind::notification, w.store->get(w.org, *hook.secret)->name});
  REQUIRE(w.store->remove(std::move(*gone), 1));
  w.raise(w.offline());
  REQUIRE(w.courier->step());
  CHECK(w.log().front().state == DeliveryState::dead);
  CHECK(w.log().front().outcome == "the credential was deleted; enter it again");
}

TEST_CASE("a mail channel is used after the code came back, once, in time, and not by guessing") {
  World w;
  const json::object where{{"host", "127.0.0.1"}, {"port", 1}, {"security", "tls"}, {"user", "u"}, {"from", "a@example.org"}, {"to", "b@example.org"}};
  const auto mail = w.channels->create(w.owner.session(), ChannelName::parse("mail").value(), Target::parse(ChannelKind::email, where).value(), {},
                                       SecretBytes(std::string_view("password")))
                        ->channel;
  CHECK(w.channels->test(w.owner.session(), mail.id).error().code == Code::conflict);
  CHECK_FALSE(w.channels->verify(w.owner.session(), mail.id, ""));
  REQUIRE(w.channels->send_code(w.owner.session(), mail.id));
  const auto code = w.channels->code_of(mail).value();
  CHECK(code.size() == 6);
  SECTION("right") {
    CHECK(w.channels->verify(w.owner.session(), mail.id, code)->verified);
    CHECK(w.channels->send_code(w.owner.session(), mail.id).error().code == Code::conflict);
    auto moved = where;
    moved["to"] = "c@example.org";
    CHECK_FALSE(w.channels->change(w.owner.session(), mail.id, {.target = Target::parse(ChannelKind::email, moved).value()}, 2)->verified);
  }
  SECTION("too late") {
    w.clock.advance(std::chrono::minutes(30));
    CHECK_FALSE(w.channels->verify(w.owner.session(), mail.id, code));
  }
  SECTION("guessed") {
    for (int n = 0; n < 5; ++n) CHECK_FALSE(w.channels->verify(w.owner.session(), mail.id, code == "000000" ? "000001" : "000000"));
    CHECK_FALSE(w.channels->verify(w.owner.session(), mail.id, code));
  }
  SECTION("its password goes to no other server") {
    for (const auto& [member, value] : std::initializer_list<std::pair<const char*, json::value>>{{"host", "evil.example"}, {"port", 2}, {"security", "starttls"}, {"user", "x"}}) {
      auto moved = where;
      moved[member] = value;
      CHECK(w.channels->change(w.owner.session(), mail.id, {.target = Target::parse(ChannelKind::email, moved).value()}, 1).error().code == Code::conflict);
    }
  }
}

TEST_CASE("the inbox: by role, personal notices for their person alone, other organisations' for nobody") {
  World w;
  const test::Person viewer{.org = w.org, .role = Role::viewer}, stranger{.org = crypto::random_id<OrgId>()};
  w.raise(w.offline());
  w.raise({.kind = EventKind::key_rotated, .org = w.org, .subject = "root"});
  w.raise({.kind = EventKind::new_sign_in, .org = w.org, .user = viewer.user, .subject = "Firefox, Berlin"});
  CHECK(w.inbox->unread(w.owner.session()).value() == 2);
  CHECK(w.inbox->unread(viewer.session()).value() == 2);  // no keys, but what is about them
  CHECK(w.inbox->unread(stranger.session()).value() == 0);
  const auto mine = w.inbox->list(viewer.session(), {})->items;
  CHECK(mine.front().kind == EventKind::new_sign_in);
  const auto read = [&](const test::Person& p, const NoticeId& id) {
    const auto session = p.session();
    return w.inbox->mark_read(session, w.authorizer.authorize(session, ReadNotices{id}).value());
  };
  CHECK(read(stranger, mine.front().id).error().code == Code::not_found);
  CHECK(read(w.owner, mine.front().id).error().code == Code::not_found);  // not theirs
  REQUIRE(read(viewer, mine.back().id));
  CHECK(w.inbox->unread(viewer.session()).value() == 1);
  CHECK(w.inbox->unread(w.owner.session()).value() == 2);
  REQUIRE(read(viewer, mine.front().id));
  CHECK(w.inbox->unread(viewer.session()).value() == 0);
}

TEST_CASE("new notices reach the ears once, in order; old ones are forgotten after three months with their deliveries") {
  World w;
  std::vector<std::string> heard;
  w.courier->listen({.notice = [&](const Notice& n) { heard.push_back(n.subject); }, .delivery = {}});
  w.raise({.kind = EventKind::key_rotated, .org = w.org, .subject = "before"});
  w.courier->tell();  // what was there is not new
  for (const char* s : {"a", "b"}) w.raise({.kind = EventKind::key_rotated, .org = w.org, .subject = s});
  w.courier->tell();
  w.courier->tell();
  CHECK(heard == std::vector<std::string>{"a", "b"});
  w.courier->forget();
  CHECK(w.inbox->unread(w.owner.session()).value() == 3);
  w.clock.advance(std::chrono::hours(24 * 91));
  w.courier->forget();
  CHECK(w.inbox->unread(w.owner.session()).value() == 0);
  CHECK(w.logged("notification.forget", "completed") == 1);
}

TEST_CASE("a data directory from before there were notifications opens, with what was in it") {
  const test::Folder folder;
  const auto file = folder.path + "/caip.db";
  auto before = audit::migrations();
  for (auto& m : vault::migrations()) before.push_back(m);
  REQUIRE(storage::Database::open(file, before));
  auto now = audit::migrations();
  for (auto& m : outbox::migrations()) now.push_back(m);
  for (auto& m : vault::migrations()) now.push_back(m);
  auto db = storage::Database::open(file, now);
  REQUIRE(db);
  auto tx = (*db)->begin_read();
  CHECK(tx.one<std::int64_t>("SELECT count(*) FROM notices", [](const storage::Row& r) { return r.integer(0); }).value() == 0);
}

TEST_CASE("what an event is about is shown cut and escaped") {
  World w;
  w.raise({.kind = EventKind::server_offline, .org = w.org, .subject = std::string("web\r\n\xE2\x80\xAE") + std::string(1000, 'x')});
  const auto text = w.inbox->list(w.owner.session(), {})->items.front().text();
  CHECK_FALSE(has_hidden(text));
  CHECK(text.size() < 500);
}

}  // namespace caip::notifications
