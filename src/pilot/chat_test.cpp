#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "base/sse.h"
#include "chat.h"
#include "wire.h"

namespace caip::pilot {
namespace {

Result<Turn> read(std::string_view stream, std::vector<std::size_t> cuts = {}, std::string* shown_text = nullptr) {
  StreamReader reader([&](const Foreign& t) { if (shown_text != nullptr) *shown_text += t.raw(); });
  SseParser parser(kMaxReply);
  cuts.push_back(stream.size());
  std::size_t from = 0;
  for (const std::size_t to : cuts) {
    CAIP_CHECKED(parser.feed(stream.substr(from, to - from), [&](const SseEvent& e) { return reader.on_data(e.data); }));
    from = to;
  }
  return reader.finish();
}

std::string chunk(const std::string& delta, const std::string& reason = "null") {
  return "data: {\"choices\":[{\"index\":0,\"delta\":" + delta + ",\"finish_reason\":" + reason + "}]}\n\n";
}
std::string call(const std::string& fields) { return chunk("{\"tool_calls\":[{" + fields + "}]}"); }

// As recorded from a provider: text in two pieces, two calls whose fragments interleave.
const std::string kStream =
    "\xef\xbb\xbf: ping\r\n\r\n" + chunk(R"({"role":"assistant","content":null})") + chunk(R"({"content":"Gr\u00fc"})") + chunk("{\"content\":\"\xc3\x9f" "e \xe2\x82\xac\"}") +
    call(R"("index":0,"id":"call_a","type":"function","function":{"name":"service_status","arguments":""})") +
    call(R"("index":1,"id":"call_b","function":{"name":"list_servers","arguments":"{"})") + call(R"("index":0,"function":{"arguments":"{\"server\":\"web-1\","})") +
    call(R"("index":1,"id":"","function":{"arguments":"}"})") + call(R"("index":0,"function":{"arguments":"\"unit\":\"nginx\"}"})") +
    chunk("{}", "\"tool_calls\"") + "data: {\"choices\":[],\"usage\":{\"cost\":1.5}}\n\ndata: [DONE]\n\n";

void check_recorded(const Result<Turn>& turn) {
  REQUIRE(turn);
  CHECK(turn->text.raw() == "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
  REQUIRE(turn->calls.size() == 2);
  CHECK(turn->calls[0].arguments == R"({"server":"web-1","unit":"nginx"})");
  CHECK(turn->calls[1].id == "call_b");
  CHECK(turn->calls[1].arguments == "{}");
}

TEST_CASE("calls are merged by index, and a cut at any byte changes nothing") {
  std::vector<std::size_t> every;
  for (std::size_t i = 0; i <= kStream.size(); ++i) {
    check_recorded(read(kStream, {i}));
    every.push_back(i);
  }
  std::string text;
  check_recorded(read(kStream, every, &text));
  CHECK(text == "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
}

TEST_CASE("a stream that ends early is no answer, wherever it ended before the reason") {
  const auto reason = kStream.find("\"finish_reason\":\"tool_calls\"");
  for (std::size_t i = 0; i < reason; ++i) CHECK_FALSE(read(std::string_view(kStream).substr(0, i)));
}

TEST_CASE("servers that leave out the index or send whole calls are understood") {
  const auto turn = read(call(R"("id":"a","function":{"name":"list_servers","arguments":"{"})") + call(R"("function":{"arguments":"}"})") +
                         call(R"("id":"b","function":{"name":"list_services","arguments":{"server":"web-1"}})") + "data: [DONE]\n\n");
  REQUIRE(turn);
  REQUIRE(turn->calls.size() == 2);
  CHECK(turn->calls[0].arguments == "{}");
  CHECK(turn->calls[1].arguments == R"({"server":"web-1"})");
}

TEST_CASE("errors in the stream, nonsense and too much of anything end the turn") {
  const std::string done = "data: [DONE]\n\n";
  CHECK_FALSE(read("data: {\"error\":{\"message\":\"x\"}}\n\n" + done));
  CHECK_FALSE(read("data: <html>\n\n" + done));
  CHECK_FALSE(read("data: {\"choices\":[7]}\n\n" + done));
  CHECK_FALSE(read(chunk("{\"tool_calls\":[1]}") + done));
  CHECK_FALSE(read(chunk("{\"content\":\"x\"}", "\"content_filter\"") + done));
  CHECK_FALSE(read(call(R"("index":0,"function":{"name":"list_servers","arguments":"{}"})") + chunk("{}", "\"length\"") + done));
  CHECK(read(chunk("{\"content\":\"x\"}", "\"length\"") + done).value().text.raw() == "x…(cut)");
  std::string many, long_call, long_text;
  for (int i = 0; i < 100; ++i) many += call("\"index\":" + std::to_string(i) + R"(,"function":{"name":"a","arguments":"{}"})");
  for (int i = 0; i < 100; ++i) long_call += call(R"("index":0,"function":{"arguments":")" + std::string(1000, 'x') + "\"}");
  for (int i = 0; i < 100; ++i) long_text += chunk("{\"content\":\"" + std::string(1000, 'x') + "\"}");
  CHECK(read(many + done).error().code == Code::too_large);
  CHECK(read(long_call + done).error().code == Code::too_large);
  CHECK(read(long_text + done).error().code == Code::too_large);
}

TEST_CASE("the key and the talk go over TLS, or nowhere but this machine") {
  const auto url = [](const char* base) { return url_of({.base_url = base, .model = {}, .api_key_file = {}}, "/chat/completions"); };
  CHECK(url("https://api.example/v1/").value() == "https://api.example/v1/chat/completions");
  CHECK(url("http://127.0.0.1:11434/v1"));
  for (const char* bad : {"http://api.example/v1", "http://localhost.evil.example", "http://localhost:1@evil.example/", "ftp://localhost", "file:///etc", "", "https://me:you@api.example", "https://api.example/v1?x=", "https://api.example/#", "https://api.example\\@evil.example"}) CHECK_FALSE(url(bad));
}

TEST_CASE("a refusal says what to do and never repeats the provider's words") {
  const auto key = chat_refusal(401, R"({"error":{"message":"Incorrect key sk-secret"}})");
  CHECK_FALSE(key.retry);
  CHECK_FALSE(key.error.detail.contains("sk-secret"));
  CHECK(chat_refusal(429, "{}").retry);
  CHECK_FALSE(chat_refusal(429, R"({"error":{"code":"insufficient_quota"}})").retry);
  CHECK(chat_refusal(503, "<html>").retry);
  CHECK_FALSE(chat_refusal(400, "").retry);
  CHECK_FALSE(chat_refusal(302, "").retry);
}

TEST_CASE("the verbs that the model is told of are those that the settings are about, and those that are taken") {
  const auto schema = parse_object(tools(Offer::all)[tools(Offer::all).size() - 2].parameters).value();
  std::vector<std::string> told;
  for (const auto& verb : schema.at("properties").as_object().at("action").as_object().at("enum").as_array()) told.push_back("unit." + std::string(verb.as_string()));
  CHECK(std::ranges::equal(told, proposable()));
  const auto taken = [](const std::string& verb) {
    return checked_arguments("propose_service_action", json::serialize(json::object{{"server", "s"}, {"unit", "u"}, {"action", verb}, {"intent", "x"}}), Offer::all).has_value();
  };
  for (const std::string_view name : proposable()) CHECK(taken(std::string(name.substr(5))));
  for (const char* none : {"status", "mask", "unit.stop", "STOP"}) CHECK_FALSE(taken(none));
  const auto plan = parse_object(tools(Offer::all).back().parameters).value();
  CHECK(plan.at("properties").at("steps").at("items") != schema);  // but for what it says of the intent
  CHECK(plan.at("properties").at("steps").at("items").at("properties").at("action") == schema.at("properties").at("action"));
}

TEST_CASE("the request declares the tools and pairs each call with its result") {
  const std::vector<Message> talk{{Speaker::user, "x", {}, {}}, {Speaker::pilot, "", {{"call_0_0", "list_servers", "{}"}}, {}}, {Speaker::tool, "{}", {}, "call_0_0"}};
  const auto body_of = [&](Offer offer) { return parse_object(chat_body({.provider = {.base_url = {}, .model = "m", .api_key_file = {}}, .messages = talk, .offer = offer})).value(); };
  const auto body = body_of(Offer::all);
  CHECK(body.at("tools").as_array().size() == tools(Offer::all).size());
  CHECK(body.at("messages").as_array().size() == 4);
  CHECK(body.at("messages").at(2).at("tool_calls").at(0).at("id") == "call_0_0");
  CHECK(body.at("messages").at(3).at("tool_call_id") == "call_0_0");
  CHECK(body.at("max_tokens") == 2048);
  // Where it may propose nothing, it is neither offered the tool nor told that it could.
  const auto reads = body_of(Offer::reads);
  CHECK(reads.at("tools").as_array().size() == tools(Offer::all).size() - 2);
  const auto asks = body_of(Offer::asks);
  CHECK(asks.at("tools") == reads.at("tools"));
  CHECK(std::string(asks.at("messages").at(0).at("content").as_string()).contains("Ask mode"));
  for (const auto& tool : reads.at("tools").as_array()) CHECK_FALSE(std::string_view(tool.at("function").at("name").as_string()).starts_with("propose_"));
  CHECK(std::string_view(reads.at("messages").at(0).at("content").as_string()).contains("may propose no changes"));
}

TEST_CASE("what caipd and pilotd say to each other survives the way, and nothing else is taken") {
  const std::vector<Message> talk{{Speaker::pilot, "a\n", {{"i", "n", "{}"}}, {}}, {Speaker::tool, "r", {}, "i"}};
  const auto request = decode_request(encode_request({.base_url = "u", .model = "m", .api_key_file = "/k"}, talk, Offer::all));
  REQUIRE(request);
  CHECK(request->offer == Offer::all);
  CHECK(decode_request(encode_request({}, talk, Offer::reads))->offer == Offer::reads);
  CHECK(decode_request(encode_request({}, talk, Offer::asks))->offer == Offer::asks);
  const auto whole = encode_request({}, talk, Offer::all);
  for (const char* other : {R"("offer":"writes")", R"("offer":true)", R"("also":"all")"}) {
    auto changed = whole;
    CHECK_FALSE(decode_request(changed.replace(changed.find(R"("offer":"all")"), 13, other)));
  }
  CHECK(request->messages.at(0).calls.at(0).name == "n");
  CHECK(request->messages.at(1).call_id == "i");
  const auto event = decode_event(encode_event({.delta = {}, .done = Turn{Foreign{"t"}, {{"i", "n", "x"}}, "s"}, .error = {}}));
  REQUIRE(event);
  CHECK(event->done->calls.at(0).arguments == "x");
  CHECK(event->done->state == "s");
  CHECK(decode_event(encode_event({.delta = {}, .done = {}, .error = {}, .models = std::vector<std::string>{"b", "a"}}))->models == std::vector<std::string>{"b", "a"});
  CHECK(decode_request(encode_request({.base_url = "u", .model = "m", .api_key_file = {}, .vendor = AiVendor::gemini}, talk, Offer::all, "models")).value().provider.vendor == AiVendor::gemini);
  CHECK(decode_event(encode_event({.delta = {}, .done = {}, .error = Error{Code::timeout, "d"}}))->error->code == Code::timeout);
  for (const char* bad : {"", "{}", "[]", R"({"delta":1})", R"({"delta":"a","error":{}})", R"({"done":{"text":"a"}})", R"({"done":{"text":"a","calls":[1],"state":""}})", R"({"done":{"text":"a","calls":[]}})", R"({"models":[1]})", R"({"models":"m"})",
                          R"({"error":{"code":"x"}})", R"({"run":"x"})"})
    CHECK_FALSE(decode_event(bad));
}

}  // namespace
}  // namespace caip::pilot
