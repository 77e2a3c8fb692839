#include "messages.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "answers.h"
#include "crypto/random.h"
#include "signature.h"

namespace caip::notifications {
namespace {

const Instant kNow{1'790'000'000'000'000};

struct Fixture {
  Notice notice{.seq = 1, .id = crypto::random_id<NoticeId>(), .org = crypto::random_id<OrgId>(), .kind = EventKind::server_offline, .user = {},
                .subject = "<!channel> *web* & [x](http://evil)", .link = "", .created = kNow, .read = false};
  DeliveryId delivery = crypto::random_id<DeliveryId>();
  Places places{.telegram_api = "https://telegram.example", .public_url = "https://panel.example"};
  std::vector<SecretBytes> secrets;
  Sending to(const Target& t, std::string_view secret) {
    secrets.clear();
    if (!secret.empty()) secrets.emplace_back(secret);
    return {.notice = notice, .delivery = delivery, .target = t, .secrets = secrets, .places = places, .code = "", .now = kNow};
  }
};

Target target(ChannelKind kind, const json::object& where = {}) { return Target::parse(kind, where).value(); }

outbound::Response said(int status, std::string body = {}) {
  outbound::Response r;
  r.status = status;
  r.body = std::move(body);
  return r;
}

const json::object kMail{{"host", "mail.example.org"}, {"port", 587}, {"security", "starttls"}, {"user", "caip"}, {"from", "caip@example.org"}, {"to", "ops@example.org"}};

}  // namespace

TEST_CASE("the test vector of Standard Webhooks, and two signatures while a secret is being rotated") {
  std::vector<SecretBytes> secrets;
  secrets.emplace_back(std::string_view("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  CHECK(webhook_signature(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})").value() ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  secrets.push_back(new_signing_secret());
  const auto two = webhook_signature(secrets, "a", 1, "b").value();
  CHECK(two.find(" v1,") != std::string::npos);
  secrets.emplace_back(std::string_view("whsec_short"));
  CHECK_FALSE(webhook_signature(secrets, "a", 1, "b"));
}

TEST_CASE("a webhook carries id, time and signature of exactly its body, and no credential") {
  Fixture f;
  const auto where = target(ChannelKind::webhook, {{"url", "https://receiver.example/hook"}});
  const auto r = request_for(f.to(where, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).value();
  CHECK(r.url == "https://receiver.example/hook");
  const auto body = parse_object(r.body).value();
  CHECK(body.at("type").as_string() == "server.offline");
  CHECK(body.at("timestamp").as_string() == f.notice.created.str());
  CHECK(r.body.size() < 20000);
  std::map<std::string, std::string> headers(r.headers.begin(), r.headers.end());
  CHECK(headers["webhook-id"] == f.delivery.str());
  CHECK(headers["webhook-timestamp"] == "1790000000");
  CHECK(headers["webhook-signature"] == webhook_signature(f.secrets, f.delivery.str(), 1790000000, r.body).value());
  CHECK(r.body.find("whsec") == std::string::npos);
}

TEST_CASE("text from outside mentions nobody and is no mark-up in chats") {
  Fixture f;
  const auto slack = request_for(f.to(target(ChannelKind::slack), "https://hooks.slack.com/services/T/B/x")).value();
  CHECK(slack.url == "https://hooks.slack.com/services/T/B/x");
  const auto slack_body = parse_object(slack.body).value();
  CHECK(slack_body.at("text").as_string() == "[critical] Server offline");  // words of ours
  const auto& blocks = slack_body.at("blocks").as_array();
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0].at_pointer("/text/text").as_string() == "*[critical] Server offline*");
  CHECK(blocks[1].at_pointer("/text/type").as_string() == "plain_text");  // no mark-up, mention or link in these
  CHECK(blocks[1].at_pointer("/text/text").as_string() == f.notice.text());
  CHECK_FALSE(slack_body.at("unfurl_links").as_bool());
  const auto discord = parse_object(request_for(f.to(target(ChannelKind::discord), "https://discord.com/api/webhooks/1/x")).value().body).value();
  CHECK(discord.at("allowed_mentions").as_object().at("parse").as_array().empty());
  CHECK(discord.at("content").as_string().find("\\[x\\]\\(http\\:") != json::string::npos);
  const auto telegram = request_for(f.to(target(ChannelKind::telegram, {{"chat", "-100123"}}), "123:abcdefghijklmnopqrstuvw")).value();
  CHECK(telegram.url == "https://telegram.example/bot123:abcdefghijklmnopqrstuvw/sendMessage");
  const auto telegram_body = parse_object(telegram.body).value();
  CHECK_FALSE(telegram_body.contains("parse_mode"));
  const auto& marked = telegram_body.at("entities").as_array().at(0).as_object();
  CHECK(marked.at("type").as_string() == "pre");  // no @name, link or /command in it
  CHECK(marked.at("offset").as_int64() == 26);    // "[critical] Server offline\n"
  CHECK(marked.at("length").as_int64() == static_cast<std::int64_t>(f.notice.text().size()));
  f.notice.subject = "\xC3\xA4\xF0\x9F\x98\x80";  // two letters, three UTF-16 units
  const auto wide = parse_object(request_for(f.to(target(ChannelKind::telegram, {{"chat", "-100123"}}), "123:abcdefghijklmnopqrstuvw")).value().body).value();
  CHECK(wide.at("entities").as_array().at(0).as_object().at("length").as_int64() == static_cast<std::int64_t>(f.notice.text().size()) - 3);
}

TEST_CASE("a letter has a stable id, an ASCII head and a body that nothing breaks") {
  Fixture f;
  f.notice.subject = "web-1\r\n.\r\nMAIL FROM:<x@y> ä";
  const auto l = letter_for(f.to(target(ChannelKind::email, kMail), "password")).value();
  CHECK(l.password == "password");
  CHECK(l.message.find("Message-ID: <" + f.delivery.str() + "@example.org>\r\n") != std::string::npos);
  CHECK(l.message.find("Subject: [critical] Server offline\r\n") != std::string::npos);
  CHECK(l.message.find("MAIL FROM") == std::string::npos);  // base64
  CHECK(l.message.find("password") == std::string::npos);
  for (const char c : l.message) CHECK(static_cast<unsigned char>(c) < 0x80);
  for (std::size_t at = 0, end = 0; (end = l.message.find("\r\n", at)) != std::string::npos; at = end + 2) CHECK(end - at <= 200);
}

TEST_CASE("where a channel may lead: refused before anything is stored") {
  for (const auto& [member, value] : std::initializer_list<std::pair<const char*, json::value>>{
           {"host", ""}, {"host", "a b"}, {"host", "x/y"}, {"port", 0}, {"port", 65536}, {"security", "none"}, {"from", "a"}, {"to", "a@b\r\nRCPT TO:<c@d>"}, {"extra", 1}}) {
    auto changed = kMail;
    changed[member] = value;
    INFO(member);
    CHECK_FALSE(Target::parse(ChannelKind::email, changed));
  }
  CHECK(Target::parse(ChannelKind::email, kMail)->view() == kMail);
  for (const char* chat : {"", "@", "name", "12a", "@a b", "--1", "-"}) CHECK_FALSE(Target::parse(ChannelKind::telegram, {{"chat", chat}}));
  for (const char* chat : {"1", "-100123", "@our_channel"}) CHECK(Target::parse(ChannelKind::telegram, {{"chat", chat}}));
  CHECK_FALSE(Target::parse(ChannelKind::slack, {{"url", "https://hooks.slack.com/services/x"}}));  // that is the credential
}

TEST_CASE("which credentials have their kind's form") {
  const outbound::Client client({});
  const auto fine = [&](ChannelKind kind, std::string_view value) { return acceptable_credential(kind, SecretBytes(value), client).has_value(); };
  CHECK(fine(ChannelKind::slack, "https://hooks.slack.com/services/T/B/x"));
  for (const char* url : {"http://hooks.slack.com/x", "https://127.0.0.1/x", "https://[::1]/", "https://discord.com/api/webhooks/1/x?wait=true", "x", ""}) CHECK_FALSE(fine(ChannelKind::discord, url));
  CHECK(fine(ChannelKind::telegram, "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ_-"));
  for (const char* token : {"", "123456", "123456:short", "abc:ABCDEFGHIJKLMNOPQRSTUVWXYZ", "1:ABCDEFGHIJKLMNOPQRSTUVWXYZ/../x"}) CHECK_FALSE(fine(ChannelKind::telegram, token));
  CHECK(fine(ChannelKind::webhook, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  for (const char* secret : {"", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!"}) CHECK_FALSE(fine(ChannelKind::webhook, secret));
  CHECK(fine(ChannelKind::email, "pass word"));
  CHECK_FALSE(fine(ChannelKind::email, "pass\r\nword"));
}

TEST_CASE("what a service's documented answers mean") {
  using enum ChannelKind;
  const auto verdict = [](ChannelKind kind, outbound::Response r) { return answer_of(kind, Result<outbound::Response>(std::move(r))).verdict; };
  CHECK(verdict(webhook, said(204)) == Verdict::delivered);
  CHECK(verdict(slack, said(200, "ok")) == Verdict::delivered);
  CHECK(verdict(telegram, said(200, R"({"ok":true,"result":{}})")) == Verdict::delivered);
  CHECK(verdict(telegram, said(200, R"({"ok":false})")) == Verdict::again);
  for (const ChannelKind kind : {webhook, slack, discord, telegram}) {
    for (const int status : {301, 302, 307, 408, 500, 502, 504}) CHECK(verdict(kind, said(status)) == Verdict::again);
    CHECK(verdict(kind, said(410)) == Verdict::gone);
    CHECK(answer_of(kind, fail(Code::forbidden, "private")).verdict == Verdict::never);
    CHECK(answer_of(kind, fail(Code::timeout, "late")).verdict == Verdict::again);
    CHECK(answer_of(kind, fail(Code::unavailable, "down")).verdict == Verdict::again);
  }
  for (const int status : {400, 401, 403, 404}) {
    CHECK(verdict(webhook, said(status)) == Verdict::again);  // a receiver in the middle of its deployment
    for (const ChannelKind kind : {slack, discord, telegram}) CHECK(verdict(kind, said(status)) == Verdict::never);
  }
}

TEST_CASE("a service that asks for patience gets it, in each service's own way, up to an hour") {
  using std::chrono::seconds;
  auto slack = said(429);
  slack.retry_after = seconds(30);
  CHECK(answer_of(ChannelKind::slack, Result<outbound::Response>(std::move(slack))).wait == seconds(30));
  CHECK(answer_of(ChannelKind::discord, Result<outbound::Response>(said(429, R"({"message":"You are being rate limited.","retry_after":1.5,"global":false})"))).wait ==
        std::chrono::milliseconds(1500));
  CHECK(answer_of(ChannelKind::telegram, Result<outbound::Response>(said(429, R"({"ok":false,"error_code":429,"parameters":{"retry_after":7}})"))).wait == seconds(7));
  CHECK(answer_of(ChannelKind::discord, Result<outbound::Response>(said(429, R"({"retry_after":1e300})"))).wait == std::chrono::hours(1));
  for (const char* odd : {"", "{}", R"({"retry_after":-1})", R"({"retry_after":"soon"})", "not json"}) {
    const auto a = answer_of(ChannelKind::discord, Result<outbound::Response>(said(429, odd)));
    CHECK(a.verdict == Verdict::again);
    CHECK_FALSE(a.wait);
  }
}

TEST_CASE("an outcome says what happened in our words: a service's answer is not repeated") {
  const auto a = answer_of(ChannelKind::telegram, Result<outbound::Response>(said(401, R"({"description":"token 123:SECRET is wrong"})")));
  CHECK(a.words.find("SECRET") == std::string::npos);
  CHECK(answer_of(Result<outbound::MailOutcome>(outbound::MailOutcome{450})).verdict == Verdict::again);
  CHECK(answer_of(Result<outbound::MailOutcome>(outbound::MailOutcome{550})).verdict == Verdict::never);
  CHECK(answer_of(Result<outbound::MailOutcome>(fail(Code::bad_credentials, "no"))).verdict == Verdict::never);
  CHECK(answer_of(Result<outbound::MailOutcome>(fail(Code::unavailable, "down"))).verdict == Verdict::again);
}

TEST_CASE("every event has a name, a title and a sentence of its own, with one place for its subject") {
  std::set<std::string_view> names;
  for (const auto& e : all_events()) {
    CHECK(names.insert(e.name).second);
    CHECK_FALSE(e.title.empty());
    CHECK(e.sentence.find("{}") != std::string_view::npos);
    CHECK(e.sentence.find("{}") == e.sentence.rfind("{}"));
    CHECK(parse_event_kind(e.name).value() == e.kind);
    for (const char c : e.title) CHECK((static_cast<unsigned char>(c) < 0x80 && c >= ' '));  // a mail's subject
  }
}

}  // namespace caip::notifications
