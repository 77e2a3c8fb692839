#include "notifications/postman.h"

#include "outbox/letter.h"
#include "test_world.h"

namespace caip::notifications {
namespace {

std::uint16_t dead_port() {
  const auto url = dead_url();
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

struct Sent {
  std::string state, outcome;
  std::int64_t tries;
};

struct Office : World {
  Office() { open_office(); }
  void open_office() {
    postman = std::make_unique<Postman>(*db, *ledger, authorizer, client, MailSender{"127.0.0.1", dead_port(), true, "", nullptr, Email::parse("panel@example.org").value()},
                                        [this](storage::WriteTx&, const outbox::Letter&, Instant, Instant) -> Result<std::optional<std::string>> {
      ++minted;
      return needed ? std::optional<std::string>("/reset#token=x") : std::nullopt;
    }, clock, Schedule{{seconds(10), seconds(100)}}, "https://panel.example");
  }
  void write(MailKind kind = MailKind::reset_password) {
    within([&](storage::WriteTx& tx) {
      return outbox::write(tx, {.kind = kind, .org = org, .user = owner.user, .address = Email::parse("mara@example.org").value(), .subject = "mara@example.org"}, clock.now());
    });
  }
  Sent sent() {
    auto tx = db->begin_read();
    return tx.one<Sent>("SELECT state, outcome, tries FROM letters", [](const storage::Row& r) { return Sent{r.text(0), r.text(1), r.integer(2)}; }).value().value();
  }
  int minted = 0;
  bool needed = true;
  std::unique_ptr<Postman> postman;
};

}  // namespace

TEST_CASE("a letter that nobody takes is tried ten times on schedule, each with a fresh link, then it is dead and that is told") {
  Office w;
  w.write();
  REQUIRE(w.postman->step());
  CHECK(w.sent().state == "queued");
  CHECK_FALSE(w.postman->step());
  w.clock.advance(seconds(7));
  CHECK_FALSE(w.postman->step());  // 10 s, a fifth either way
  int tries = 1;
  for (int n = 0; n < 30; ++n) {
    w.clock.advance(seconds(121));
    if (w.postman->step()) ++tries;
  }
  CHECK(tries == 10);
  CHECK(w.minted == 10);
  CHECK(w.sent().state == "dead");
  const auto told = w.inbox->list(w.owner.session(), {.limit = 10, .after = {}})->items;
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == EventKind::delivery_failed);
  CHECK(told[0].text().contains("mara@example.org"));
}

TEST_CASE("what nobody needs any more, or could be sent for three days, is not sent") {
  Office w;
  w.needed = false;
  w.write();
  REQUIRE(w.postman->step());
  CHECK(w.sent().state == "dropped");
  Office late;
  late.write();
  late.clock.advance(std::chrono::hours(73));
  REQUIRE(late.postman->step());
  CHECK(late.sent().state == "dead");
  CHECK(late.minted == 0);
}

TEST_CASE("dead letters are listed for their organisation, those of nobody for who is asked to look after them, and no address that nobody has confirmed") {
  Office w;
  const auto give_up = [&](MailKind kind, std::optional<OrgId> org, const char* address) {
    w.within([&](storage::WriteTx& tx) { return outbox::write(tx, {.kind = kind, .org = org, .user = w.owner.user, .address = Email::parse(address).value(), .subject = "its own affair"}, w.clock.now()); });
    w.clock.advance(std::chrono::hours(73));
    REQUIRE(w.postman->step());
  };
  give_up(MailKind::reset_password, w.org, "mara@example.org");
  give_up(MailKind::verify_email, w.org, "wanted@example.org");
  give_up(MailKind::reset_password, crypto::random_id<OrgId>(), "theirs@example.org");
  give_up(MailKind::account_changed, std::nullopt, "nobody@example.org");
  w.write();  // on its way
  const auto own = w.deliveries->dead_letters(w.org, Unowned::left_out, PageAsk{}).value().items;
  REQUIRE(own.size() == 2);
  CHECK(own[0].kind == MailKind::verify_email);
  CHECK_FALSE(own[0].address);
  CHECK(own[1].address->str() == "mara@example.org");
  CHECK(own[1].outcome == "nobody could send it for three days");
  const auto all = w.deliveries->dead_letters(w.org, Unowned::included, PageAsk{}).value().items;
  REQUIRE(all.size() == 3);
  CHECK(all[0].kind == MailKind::account_changed);
  CHECK_FALSE(all[0].address);  // of somebody who belongs to others, or did
  CHECK(all[0].outcome.empty());
  for (const auto& letter : all) CHECK_FALSE(json::serialize(view(letter)).contains("affair"));
  const auto page = w.deliveries->dead_letters(w.org, Unowned::included, {.limit = 1, .after = Place{all[0].created.micros(), all[0].id.str()}}).value();
  CHECK(page.items.at(0).id == own[0].id);
  CHECK(page.more);
}

TEST_CASE("each try of a letter is in the log before it leaves, and a restart forgets none") {
  Office w;
  w.write(MailKind::invitation);
  REQUIRE(w.postman->step());
  CHECK(w.newest_entry("mail.send").contains("\"invitation\""));
  CHECK(w.newest_entry("mail.record").contains("\"queued\""));
  CHECK_FALSE(w.newest_entry("mail.send").contains("token"));
  w.postman.reset();
  w.restart();
  w.open_office();
  w.clock.advance(seconds(13));
  CHECK(w.postman->step());
  CHECK(w.sent().tries == 2);
}

}  // namespace caip::notifications
