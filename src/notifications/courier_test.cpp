// What receivers, other organisations and our own trouble may do to a delivery.
#include <condition_variable>

#include "test_world.h"

namespace caip::notifications {
namespace {

test::Person stranger() { return {.org = crypto::random_id<OrgId>()}; }

NotifyChannelId channel_of(World& w, const test::Person& who, std::string_view name, const std::string& url) {
  auto made = w.channels->create(who.session(), ChannelName::parse(name).value(), Target::parse(ChannelKind::webhook, {{"url", url}}).value(), {}, {});
  REQUIRE(made);
  return made->channel.id;
}

std::vector<Delivery> log_of(World& w, const OrgId& org) { return w.deliveries->list(org, {}, {}, {.limit = 200, .after = {}})->items; }

}  // namespace

TEST_CASE("a receiver that asks for next to no patience is met on schedule, and not for ever") {
  World w;
  const Receiver greedy(429, R"({"retry_after":0.0001})");
  REQUIRE(w.webhook("hook", greedy.url()));
  w.raise(w.offline());
  REQUIRE(w.courier->step());
  CHECK(w.log().front().outcome == "too many messages (429)");
  CHECK(w.log().front().tries == 0);
  w.clock.advance(seconds(7));
  CHECK_FALSE(w.courier->step());  // the schedule's 10 s, a fifth either way
  w.clock.advance(seconds(6));
  CHECK(w.courier->step());
  w.clock.advance(seconds(79));
  CHECK_FALSE(w.courier->step());  // 100 s after the second such answer
  int seen = 2;
  for (int n = 0; n < 40; ++n) {
    w.clock.advance(seconds(121));
    if (w.courier->step()) ++seen;
  }
  CHECK(w.log().front().state == DeliveryState::dead);
  CHECK(seen == 30);  // 20 that use up no try, and ten tries
}

TEST_CASE("nine black holes of one organisation hold up no other's channel") {
  World w;
  const BlackHole hole;
  const test::Person other = stranger();
  for (int n = 0; n < 9; ++n) channel_of(w, w.owner, "hole " + std::to_string(n), hole.url());
  channel_of(w, other, "theirs", dead_url());
  w.raise(w.offline());
  w.clock.advance(seconds(1));
  w.raise({.kind = EventKind::server_offline, .org = other.org, .subject = "web-2"});
  std::mutex mutex;
  std::condition_variable heard;
  bool theirs = false;
  w.courier->listen({.notice = {}, .delivery = [&](const OrgId& org, const DeliveryId&, DeliveryState) {
                       const std::scoped_lock lock(mutex);
                       theirs = theirs || org == other.org;
                       heard.notify_all();
                     }});
  w.courier->start(8);
  {
    std::unique_lock lock(mutex);
    CHECK(heard.wait_for(lock, seconds(12), [&] { return theirs; }));  // a black hole takes 15
  }
  w.courier->stop();
}

TEST_CASE("who was served the longest ago is next: first the organisation, then its channel") {
  World w;
  const test::Person other = stranger();
  const auto a = channel_of(w, w.owner, "a", dead_url());
  for (int n = 0; n < 2; ++n) w.raise(w.offline());
  w.clock.advance(seconds(1));
  const auto b = channel_of(w, w.owner, "b", dead_url());
  channel_of(w, other, "theirs", dead_url());
  w.raise({.kind = EventKind::server_back, .org = w.org, .subject = "web-1"});
  w.raise({.kind = EventKind::server_offline, .org = other.org, .subject = "web-2"});
  REQUIRE(w.courier->step());
  REQUIRE(w.courier->step());
  CHECK(log_of(w, other.org).front().tries == 1);
  REQUIRE(w.courier->step());
  std::int64_t tries_of_a = 0, tries_of_b = 0;
  for (const auto& d : w.log()) (d.channel == a ? tries_of_a : tries_of_b) += d.tries;
  CHECK(tries_of_a == 1);
  CHECK(tries_of_b == 1);
  CHECK(a != b);
}

TEST_CASE("what is queued for an address that is not confirmed any more is not sent, and not queued anew") {
  World w;
  const auto mail = w.mail("b@example.org");
  REQUIRE(w.channels->send_code(w.owner.session(), mail.id));
  REQUIRE(w.channels->verify(w.owner.session(), mail.id, w.channels->code_of(mail).value()));
  REQUIRE(w.courier->step());  // the code
  w.clock.advance(seconds(1));
  w.raise(w.offline());
  REQUIRE(w.channels->change(w.owner.session(), mail.id, {.target = World::mail_target("victim@example.org")}, 2));
  REQUIRE(w.courier->step());
  CHECK(w.log().front().state == DeliveryState::dead);
  CHECK(w.log().front().outcome == "the address is not confirmed");
  auto again = w.authorizer.authorize(w.owner.session(), RetryDelivery{w.log().front().id});
  CHECK(w.deliveries->retry(std::move(*again)).error().code == Code::conflict);
}

TEST_CASE("a webhook whose previous secret was deleted goes on with its current one") {
  World w;
  const auto hook = w.webhook("hook", dead_url()).value();
  REQUIRE(w.channels->replace_credential(w.owner.session(), hook.id, {}));
  auto gone = w.authorize(w.owner.session(), DeleteSecret{*hook.secret, SecretKind::notification, w.store->get(w.org, *hook.secret)->name});
  REQUIRE(w.store->remove(std::move(*gone), 1));
  w.raise(w.offline());
  REQUIRE(w.courier->step());
  CHECK(w.log().front().state == DeliveryState::queued);
  CHECK(w.log().front().outcome == "no connection");
}

TEST_CASE("trouble of our own with a credential ends no delivery") {
  World w;
  const auto hook = w.webhook("hook", dead_url()).value();
  const auto name = w.store->get(w.org, *hook.secret)->name.str();
  w.raise(w.offline());
  SECTION("its row cannot be read: nothing is tried until it can") {
    w.within([](storage::WriteTx& tx) { return tx.exec("UPDATE secrets SET name = '?'"); });
    REQUIRE(w.courier->step());
    CHECK(w.log().front().state == DeliveryState::queued);
    CHECK(w.log().front().tries == 0);
    w.within([&](storage::WriteTx& tx) { return tx.exec("UPDATE secrets SET name = ?1", name); });
    w.clock.advance(seconds(6));
    REQUIRE(w.courier->step());
    CHECK(w.log().front().outcome == "no connection");
  }
  SECTION("it does not open: a try as any other, with its end on the record") {
    w.within([](storage::WriteTx& tx) { return tx.exec("UPDATE secrets SET sealed = zeroblob(100)"); });
    REQUIRE(w.courier->step());
    CHECK(w.log().front().state == DeliveryState::queued);
    CHECK(w.log().front().outcome == "the credential could not be opened");
    for (int n = 0; n < 9; ++n) {
      w.clock.advance(seconds(121));
      REQUIRE(w.courier->step());
    }
    CHECK(w.log().front().state == DeliveryState::dead);
    CHECK(w.logged("notification.record", "failed") == 1);
  }
}

TEST_CASE("what a stop cuts off is still queued, also on its last try") {
  World w;
  const BlackHole hole;
  const auto hook = w.webhook("hook", hole.url()).value();
  REQUIRE(w.channels->test(w.owner.session(), hook.id));  // tried once
  w.courier->start(1);
  const int connection = hole.connection();
  REQUIRE(connection >= 0);
  w.courier->stop();
  ::close(connection);
  CHECK(w.log().front().tries == 1);
  CHECK(w.log().front().state == DeliveryState::queued);
}

TEST_CASE("a thousand messages wait for a channel, and no more; a person has one tried again ten times") {
  World w;
  const auto hook = w.webhook("hook", dead_url()).value();
  REQUIRE(w.channels->test(w.owner.session(), hook.id));
  REQUIRE(w.courier->step());
  const auto failed = w.log().front();
  CHECK(failed.state == DeliveryState::dead);
  const auto retry = [&] { return w.deliveries->retry(w.authorizer.authorize(w.owner.session(), RetryDelivery{failed.id}).value()); };
  SECTION("full") {
    w.clock.advance(seconds(1));
    w.within([&](storage::WriteTx& tx) -> Result<void> {
      for (int n = 0; n < 1001; ++n) CAIP_CHECKED(outbox::raise(tx, w.offline(), w.clock.now() + seconds(n)));
      return {};
    });
    CHECK(w.log().front().state == DeliveryState::dead);
    CHECK(w.log().front().outcome == "1,000 messages wait for this channel already");
    CHECK(w.log().at(1).state == DeliveryState::queued);
    CHECK(retry().error().code == Code::conflict);
  }
  SECTION("ten times") {
    for (int n = 0; n < 10; ++n) {
      REQUIRE(retry());
      REQUIRE(w.courier->step());
    }
    CHECK(retry().error().code == Code::conflict);
  }
}

}  // namespace caip::notifications
