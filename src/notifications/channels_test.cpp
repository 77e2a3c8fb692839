// Who may have what sent where: confirmation, limits, roles, and what the log says of a change.
#include <future>

#include "test_world.h"

namespace caip::notifications {

TEST_CASE("a code confirms the address, the server and the password that it was sent with, and no other") {
  World w;
  const auto session = w.owner.session();
  const auto mine = w.mail("mine@example.org");
  REQUIRE(w.channels->send_code(session, mine.id));
  const auto code = w.channels->code_of(mine).value();
  SECTION("another address") {
    const auto moved = w.channels->change(session, mine.id, {.target = World::mail_target("victim@example.org")}, 1).value();
    CHECK_FALSE(w.channels->code_of(moved));  // nor does a code go there that was made for another
    CHECK_FALSE(w.channels->verify(session, mine.id, code));
    CHECK_FALSE(w.channels->get(w.org, mine.id)->verified);
  }
  SECTION("a code for the victim does not come here") {
    w.clock.advance(seconds(61));
    REQUIRE(w.courier->step());
    const auto victim = w.channels->change(session, mine.id, {.target = World::mail_target("victim@example.org")}, 1).value();
    REQUIRE(w.channels->send_code(session, mine.id));
    CHECK(w.channels->code_of(victim));
    CHECK_FALSE(w.channels->code_of(w.channels->change(session, mine.id, {.target = World::mail_target("mine@example.org")}, 2).value()));
  }
  SECTION("confirmed with a server of one's own, then a real one") {
    REQUIRE(w.channels->verify(session, mine.id, code));
    SECTION("by its name") { CHECK_FALSE(w.channels->change(session, mine.id, {.target = World::mail_target("mine@example.org", "relay.example.org")}, 2)->verified); }
    SECTION("by its password") { CHECK_FALSE(w.channels->replace_credential(session, mine.id, SecretBytes(std::string_view("password")))->channel.verified); }
    SECTION("a new name of the channel is none of it") { CHECK(w.channels->change(session, mine.id, {.name = ChannelName::parse("other").value()}, 2)->verified); }
  }
}

TEST_CASE("one code a minute to an address, five tests to a channel, one on its way at a time") {
  World w;
  const auto session = w.owner.session();
  const auto mail = w.mail("b@example.org");
  REQUIRE(w.channels->send_code(session, mail.id));
  const auto first = w.channels->code_of(mail);
  REQUIRE(w.courier->step());
  CHECK(w.channels->send_code(session, mail.id).error().code == Code::too_many);
  CHECK(w.channels->code_of(mail) == first);  // the one that was sent stays good
  w.clock.advance(seconds(61));
  REQUIRE(w.channels->send_code(session, mail.id));
  REQUIRE(w.courier->step());
  auto again = w.authorizer.authorize(session, RetryDelivery{w.log().front().id});
  CHECK(w.deliveries->retry(std::move(*again)).error().code == Code::conflict);  // a code is not repeated
  const auto hook = w.webhook("hook", dead_url()).value();
  for (int n = 0; n < 5; ++n) {
    REQUIRE(w.channels->test(session, hook.id));
    CHECK(w.channels->test(session, hook.id).error().code == Code::too_many);
    REQUIRE(w.courier->step());
  }
  CHECK(w.channels->test(session, hook.id).error().code == Code::too_many);
  w.clock.advance(seconds(61));
  CHECK(w.channels->test(session, hook.id));
}

TEST_CASE("a role without the permission does nothing to a channel that is there, and is on the record") {
  World w;
  const auto session = test::Person{.org = w.org, .role = Role::viewer}.session();
  const auto mail = w.mail("b@example.org");
  REQUIRE(w.channels->send_code(w.owner.session(), mail.id));
  const auto code = w.channels->code_of(mail);
  CHECK(w.channels->send_code(session, mail.id).error().code == Code::forbidden);
  CHECK(w.channels->code_of(mail) == code);
  CHECK(w.channels->test(session, mail.id).error().code == Code::forbidden);
  CHECK(w.channels->test(session, crypto::random_id<NotifyChannelId>()).error().code == Code::forbidden);
  CHECK(w.logged("notification.test", "blocked") == 3);
  CHECK(w.channels->verify(session, mail.id, *code).error().code == Code::forbidden);
  CHECK(w.channels->change(session, mail.id, {.paused = true}, 1).error().code == Code::forbidden);
  CHECK(w.channels->replace_credential(session, mail.id, {}).error().code == Code::forbidden);
  CHECK(w.channels->remove(session, mail.id, 1).error().code == Code::forbidden);
  CHECK(w.channels->get(w.org, mail.id)->version == 1);
}

TEST_CASE("credentials of channels are secrets: who did not just show who they are enters, replaces and deletes none") {
  World w;
  const auto hook = w.webhook("hook", dead_url()).value();
  w.stepped_up = false;
  const auto session = w.owner.session();
  CHECK(w.webhook("hook 2", dead_url()).error().code == Code::step_up_needed);
  CHECK(w.channels->replace_credential(session, hook.id, {}).error().code == Code::step_up_needed);
  CHECK(w.channels->remove(session, hook.id, 1).error().code == Code::step_up_needed);
  CHECK(w.logged("secret.create", "blocked") == 2);
  CHECK(w.channels->get(w.org, hook.id)->secret == hook.secret);
  CHECK(w.channels->test(session, hook.id));  // this needs none
}

TEST_CASE("the log says what a channel is, what a change of it changed, and that a code was guessed wrong") {
  World w;
  const auto session = w.owner.session();
  const auto mail = w.mail("b@example.org");
  CHECK(w.newest_entry("notification.create_channel").contains("b@example.org"));
  REQUIRE(w.channels->change(session, mail.id, {.target = World::mail_target("c@example.org"), .routing = Routing{.least = Severity::critical, .events = {}}}, 1));
  const auto changed = w.newest_entry("notification.change_channel");
  for (const char* part : {"b@example.org", "c@example.org", R"("least_severity":"critical")", R"("least_severity_before":"info")"}) {
    INFO(part);
    CHECK(changed.contains(part));
  }
  CHECK_FALSE(changed.contains("paused"));
  REQUIRE(w.channels->send_code(session, mail.id));
  CHECK_FALSE(w.channels->verify(session, mail.id, "no"));
  CHECK(w.logged("notification.verify_channel", "failed") == 1);
  for (int n = 0; n < 10; ++n) CHECK_FALSE(w.channels->verify(session, mail.id, "no"));
  CHECK(w.logged("notification.verify_channel", "failed") == 5);  // then there is no code to guess
}

TEST_CASE("of a webhook's URL, answers and the log have the host; it ends with its path") {
  World w;
  const auto url = dead_url() + "/token-in-the-path";
  const auto hook = w.webhook("hook", url).value();
  const auto shown = json::serialize(hook.target.view());
  CHECK(shown.contains("http://127.0.0.1:"));
  CHECK_FALSE(shown.contains("token-in"));
  CHECK(shown != json::serialize(w.webhook("hook 2", url + "2")->target.view()));
  REQUIRE(w.channels->change(w.owner.session(), hook.id, {.target = Target::parse(ChannelKind::webhook, {{"url", url + "3"}}).value()}, 1));
  for (const char* action : {"notification.create_channel", "notification.change_channel"}) CHECK_FALSE(w.newest_entry(action).contains("token-in"));
  CHECK(w.newest_entry("notification.change_channel").contains("digest"));
  for (const char* end : {"?token=x", "#x"}) CHECK(w.webhook("hook 3", dead_url() + end).error().code == Code::invalid);
}

TEST_CASE("what was read is one row a person, and who has read it all stays out of the writer's lane") {
  World w;
  for (int n = 0; n < 20; ++n) w.raise(w.offline());
  const auto session = test::Person{.org = w.org, .role = Role::viewer}.session();
  const auto all = w.inbox->list(session, {.limit = 200, .after = {}})->items;
  const auto read = [&](const NoticeId& id) { return w.inbox->mark_read(session, w.authorizer.authorize(session, ReadNotices{id}).value()); };
  REQUIRE(read(all.at(5).id));
  CHECK(w.inbox->unread(session).value() == 5);
  REQUIRE(read(all.front().id));
  {
    auto tx = w.db->begin_read();
    CHECK(tx.one<std::int64_t>("SELECT count(*) FROM notices_read_up_to", [](const storage::Row& r) { return r.integer(0); }).value() == 1);
  }
  std::optional<storage::WriteTx> held(w.db->begin_write());
  auto again = std::async(std::launch::async, [&] { return read(all.at(5).id).has_value() && read(all.front().id).has_value(); });
  CHECK(again.wait_for(seconds(10)) == std::future_status::ready);
  held.reset();
  CHECK(again.get());
  CHECK(w.inbox->unread(session).value() == 0);
  CHECK(w.logged("notification.read", "completed") == 2);
}

TEST_CASE("what people had read before there was one row for each of them stays read") {
  const test::Folder folder;
  const auto file = folder.path + "/caip.db";
  auto first = audit::migrations();
  first.push_back(outbox::migrations().front());
  first.push_back({"test/1 what was there", "INSERT INTO notices (seq, id, org, kind, subject, link, in_app, created) VALUES (7, 'ntc_x', 'org_x', 'server.offline', '', '', 1, 1);"
                                            "INSERT INTO notices_read VALUES ('usr_x', 7);"});
  REQUIRE(storage::Database::open(file, first));
  for (std::size_t n = 1; n < outbox::migrations().size(); ++n) first.push_back(outbox::migrations()[n]);
  auto db = storage::Database::open(file, first);
  REQUIRE(db);
  auto tx = (*db)->begin_read();
  CHECK(tx.one<std::int64_t>("SELECT notice FROM notices_read_up_to WHERE user = 'usr_x' AND org = 'org_x'", [](const storage::Row& r) { return r.integer(0); }).value() == 7);
}

}  // namespace caip::notifications
