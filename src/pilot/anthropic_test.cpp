// The Messages API as it is written on the wire: what is sent, what a stream says, what a refusal means.
#include "test_stream.h"

namespace caip::pilot {
namespace {

std::string event(const std::string& type, const std::string& members) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + (members.empty() ? "" : ",") + members + "}  \n\n";  // the JSON may carry blanks
}
std::string begin(int index, const std::string& block) { return event("content_block_start", "\"index\":" + std::to_string(index) + ",\"content_block\":" + block); }
std::string delta(int index, const std::string& d) { return event("content_block_delta", "\"index\":" + std::to_string(index) + ",\"delta\":" + d); }
std::string stop(int index) { return event("content_block_stop", "\"index\":" + std::to_string(index)); }
std::string end(const std::string& reason) { return event("message_delta", R"("delta":{"stop_reason":")" + reason + R"(","stop_sequence":null},"usage":{"output_tokens":89})") + event("message_stop", ""); }
const std::string kStart = event("message_start", R"("message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}})");
std::string said(const std::string& text) { return begin(0, R"({"type":"text","text":""})") + delta(0, R"({"type":"text_delta","text":")" + text + "\"}") + stop(0); }
std::string call(int index) {
  return begin(index, R"({"type":"tool_use","id":"toolu_1","name":"service_status","input":{}})") + delta(index, R"({"type":"input_json_delta","partial_json":""})") +
         delta(index, R"({"type":"input_json_delta","partial_json":"{\"server\":\"web-1\","})") + delta(index, R"({"type":"input_json_delta","partial_json":"\"unit\":\"nginx\"}"})") + stop(index);
}

const std::string kStream = kStart + event("ping", "") + begin(0, R"({"type":"thinking","thinking":"","signature":""})") + delta(0, R"({"type":"thinking_delta","thinking":"hm, "})") +
                            delta(0, R"({"type":"thinking_delta","thinking":"nginx"})") + delta(0, R"({"type":"signature_delta","signature":"c2ln"})") + stop(0) +
                            begin(1, R"({"type":"text","text":""})") + delta(1, R"({"type":"text_delta","text":"Gr\u00fc\u00dfe"})") + delta(1, "{\"type\":\"text_delta\",\"text\":\" \xe2\x82\xac\"}") + stop(1) +
                            call(2) + begin(3, R"({"type":"tool_use","id":"toolu_2","name":"list_servers","input":{}})") + stop(3) + begin(4, R"({"type":"of_tomorrow"})") + delta(4, R"({"type":"of_tomorrow"})") + stop(4) +
                            event("of_tomorrow", "") + end("tool_use");

TEST_CASE("Anthropic: text, calls and thinking of a stream, however it is cut; before its last event it is no answer") {
  const Turn turn = same_however_cut(kAnthropic, kStream, "event: message_stop");
  CHECK(turn.text.raw() == "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
  REQUIRE(turn.calls.size() == 2);
  CHECK(turn.calls[0].id == "toolu_1");
  CHECK(turn.calls[0].arguments == R"({"server":"web-1","unit":"nginx"})");
  CHECK(turn.calls[1].arguments.empty());  // none given: {}
  CHECK(turn.state == R"([{"type":"thinking","thinking":"hm, nginx","signature":"c2ln"},{"text":"Grüße €"},{"call":0},{"call":1}])");
  CHECK(read_stream(kAnthropic, kStart + said("hi") + end("end_turn"))->state.empty());  // nothing that it would miss
}

TEST_CASE("Anthropic: what it wants back goes back as it was, and each call has its result in the one message that follows") {
  const auto body = body_of(kAnthropic, talk_with_calls(R"([{"type":"thinking","thinking":"hm","signature":"c2ln"},{"text":"I'll look."},{"call":0},{"type":"redacted_thinking","data":"eA=="},{"call":1}])"));
  CHECK(body.at("model") == "m-1");
  CHECK(body.at("stream") == true);
  CHECK(body.at("max_tokens") == 2048);
  CHECK_FALSE(body.contains("temperature"));
  const auto& messages = body.at("messages").as_array();
  REQUIRE(messages.size() == 3);
  CHECK(json::serialize(messages[1]) ==
        R"({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"I'll look."},{"type":"tool_use","id":"call_0_0","name":"service_status","input":{"server":"web-1","unit":"nginx"}},)"
        R"({"type":"redacted_thinking","data":"eA=="},{"type":"tool_use","id":"call_0_1","name":"multi_tool_use_parallel","input":{}}]})");
  const auto& results = messages[2].at("content").as_array();
  REQUIRE(results.size() == 3);
  CHECK(json::serialize(results[0]) == R"({"type":"tool_result","tool_use_id":"call_0_0","content":"{\"status\":\"active\"}"})");
  CHECK(results[1].at("tool_use_id") == "call_0_1");
  CHECK(results[1].at("is_error") == true);
  CHECK(results[2].at("text") == "and now?");
}

TEST_CASE("Anthropic: what a provider gave is never taken for a call of ours, a call that it did not place is there all the same, and no text is blank") {
  auto talk = talk_with_calls(R"([{"type":"thinking","thinking":"x","signature":"s","call":0},{"call":1},{"call":1},{"call":7}])");
  talk.push_back({Speaker::pilot, "\n\n", {{"call_1_0", "list_servers", "{}"}}, {}});
  talk.push_back({Speaker::user, " \n", {}, {}});
  const auto body = body_of(kAnthropic, talk);
  const std::string said = json::serialize(body.at("messages").at(1).at("content"));
  CHECK(said.find("call_0_0") != std::string::npos);
  CHECK(said.find("call_0_1") == said.rfind("call_0_1"));
  for (const auto& m : body.at("messages").as_array())
    for (const auto& block : m.at("content").as_array())
      if (block.at("type") == "text") CHECK(std::string_view(block.at("text").as_string()).find_first_not_of(" \n") != std::string_view::npos);
}

TEST_CASE("Anthropic: tools with their schemas, and none that proposes where none may") {
  const auto all = body_of(kAnthropic, {{Speaker::user, "x", {}, {}}});
  CHECK(all.at("tools").as_array().size() == tools(Offer::all).size());
  CHECK(all.at("tools").at(0).at("input_schema").at("type") == "object");
  const auto asks = body_of(kAnthropic, {{Speaker::user, "x", {}, {}}}, Offer::asks);
  CHECK(asks.at("tools").as_array().size() == tools(Offer::asks).size());
  CHECK(std::string(asks.at("system").as_string()).contains("Ask mode"));
  const auto headers = kAnthropic.headers("sk-test");
  CHECK(headers == std::vector<std::string>{"anthropic-version: 2023-06-01", "x-api-key: sk-test"});
  CHECK(url_of({.base_url = "https://api.anthropic.com", .model = {}, .api_key_file = {}}, "/v1/messages").value() == "https://api.anthropic.com/v1/messages");
  CHECK(url_of({.base_url = "https://gateway.example/anthropic/v1/", .model = {}, .api_key_file = {}}, "/v1/messages").value() == "https://gateway.example/anthropic/v1/messages");
}

TEST_CASE("Anthropic: calls count on stop_reason tool_use alone; refused, cut, broken and hostile streams are no answer") {
  CHECK(read_stream(kAnthropic, kStart + said("x") + end("max_tokens"))->text.raw() == "x…(cut)");
  CHECK(read_stream(kAnthropic, kStart + said("x") + end("stop_of_tomorrow"))->text.raw() == "x");
  for (const char* reason : {"end_turn", "max_tokens", "refusal", "pause_turn"}) CHECK_FALSE(read_stream(kAnthropic, kStart + call(0) + end(reason)));
  CHECK_FALSE(read_stream(kAnthropic, kStart + said("x") + end("refusal")));
  CHECK_FALSE(read_stream(kAnthropic, kStart + said("x") + event("error", R"("error":{"type":"overloaded_error","message":"sk-test"})") + end("end_turn")));
  for (const std::string& nonsense : {std::string("data: <html>\n\n"), std::string("data: [1]\n\n"), delta(7, R"({"type":"text_delta","text":"x"})"), stop(7), begin(0, "7"), said("x") + said("x"),
                                      event("content_block_start", R"("content_block":{"type":"text"})"), begin(0, R"({"type":"tool_use","id":"t","name":"n","input":{}})")})
    CHECK_FALSE(read_stream(kAnthropic, kStart + nonsense + end("end_turn")));
  std::string many, long_call = begin(0, R"({"type":"tool_use","id":"t","name":"n","input":{}})"), long_text = begin(0, R"({"type":"text","text":""})"), long_thought = begin(0, R"({"type":"thinking","thinking":""})"), blocks;
  for (int i = 0; i < 100; ++i) many += begin(i, R"({"type":"tool_use","id":"t","name":"n","input":{}})");
  for (int i = 0; i < 300; ++i) blocks += begin(i, R"({"type":"of_tomorrow"})");
  for (int i = 0; i < 100; ++i) {
    long_call += delta(0, R"({"type":"input_json_delta","partial_json":")" + std::string(1000, 'x') + "\"}");
    long_text += delta(0, R"({"type":"text_delta","text":")" + std::string(1000, 'x') + "\"}");
    long_thought += delta(0, R"({"type":"thinking_delta","thinking":")" + std::string(30'000, 'x') + "\"}");
  }
  for (const std::string& much : {many, long_call, long_text, long_thought + stop(0), blocks}) CHECK(read_stream(kAnthropic, kStart + much + end("tool_use")).error().code == Code::too_large);
}

TEST_CASE("Anthropic: a refusal says what to do and never repeats the provider's words") {
  const auto refusal = [](long status, const std::string& type, const std::string& words = "sk-test was seen") {
    const auto r = kAnthropic.refusal(status, R"({"type":"error","error":{"type":")" + type + R"(","message":")" + words + "\"}}");
    CHECK_FALSE(r.error.detail.contains("sk-test"));
    return r;
  };
  CHECK(refusal(401, "authentication_error").error.detail.contains("key"));
  CHECK(refusal(402, "billing_error").error.detail.contains("quota"));
  CHECK(refusal(404, "not_found_error").error.detail.contains("model"));
  CHECK(refusal(413, "request_too_large").error.code == Code::too_large);
  CHECK(refusal(400, "invalid_request_error", "prompt is too long: 210000 tokens").error.code == Code::too_large);
  CHECK(refusal(400, "invalid_request_error", "Your credit balance is too low").error.detail.contains("quota"));
  for (const long status : {400L, 401L, 402L, 403L, 404L, 413L}) CHECK_FALSE(refusal(status, "x").retry);
  for (const long status : {408L, 409L, 429L, 500L, 504L, 529L}) CHECK(refusal(status, "x").retry);
  CHECK_FALSE(refusal(429, "rate_limit_error", "You have reached your spend limit").retry);
  CHECK(kAnthropic.models(parse_object(R"({"data":[{"id":"m-2"},{"id":"m-1"},{"id":7},{"id":"bad\u202e"},8],"has_more":false})").value()).value() == std::vector<std::string>{"m-1", "m-2"});
  CHECK_FALSE(kAnthropic.models(parse_object(R"({"data":{}})").value()));
}

}  // namespace
}  // namespace caip::pilot
