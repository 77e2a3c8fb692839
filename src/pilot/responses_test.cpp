// OpenAI's Responses API as it is written on the wire.
#include "test_stream.h"

namespace caip::pilot {
namespace {

std::string event(const std::string& type, const std::string& members) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\",\"sequence_number\":1" + (members.empty() ? "" : ",") + members + "}\n\n";
}
std::string done(const std::string& item) { return event("response.output_item.done", R"("output_index":0,"item":)" + item); }
std::string delta(const std::string& text) { return event("response.output_text.delta", R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":")" + text + "\""); }
const std::string kCompleted = event("response.completed", R"("response":{"status":"completed","output":[]})");
const std::string kCall = R"({"type":"function_call","id":"fc_1","call_id":"call_1","name":"service_status","arguments":"{\"server\":\"web-1\"}","status":"completed"})";
const std::string kReasoning = R"({"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"ZW5j"})";

const std::string kStream = event("response.created", R"("response":{"status":"in_progress"})") + event("response.output_item.added", R"("output_index":0,"item":{"type":"reasoning"})") + done(kReasoning) +
                            delta("Gr\\u00fc\\u00dfe") + delta(" \xe2\x82\xac") + done(R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"Gr\u00fc\u00dfe \u20ac","annotations":[]}]})") +
                            event("response.function_call_arguments.delta", R"("item_id":"fc_1","delta":"{")") + done(kCall) + event("response.of_tomorrow", "") + kCompleted;

TEST_CASE("OpenAI Responses: what counts are whole items and the last event, however the stream is cut; deltas are for show") {
  const Turn turn = same_however_cut(kResponses, kStream, "event: response.completed");
  CHECK(turn.text.raw() == "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
  REQUIRE(turn.calls.size() == 1);
  CHECK(turn.calls[0].id == "call_1");
  CHECK(turn.calls[0].arguments == R"({"server":"web-1"})");
  CHECK(turn.state == R"([{"type":"reasoning","summary":[],"encrypted_content":"ZW5j"},{"text":"Grüße €"},{"call":0}])");
  std::string shown_text;
  CHECK(read_stream(kResponses, done(R"({"type":"message","content":[{"type":"output_text","text":"whole"}]})") + kCompleted, {}, &shown_text)->text.raw() == "whole");
  CHECK(shown_text == "whole");  // not streamed, and shown all the same
}

TEST_CASE("OpenAI Responses: nothing is kept there, all of it goes back, and each call has its output") {
  const auto body = body_of(kResponses, talk_with_calls(R"([{"type":"reasoning","summary":[],"encrypted_content":"ZW5j"},{"text":"I'll look."},{"call":0},{"call":1}])"));
  CHECK(body.at("store") == false);
  CHECK(json::serialize(body.at("include")) == R"(["reasoning.encrypted_content"])");
  CHECK_FALSE(body.contains("previous_response_id"));
  CHECK(body.at("tools").at(0).at("strict") == true);
  const auto& input = body.at("input").as_array();
  REQUIRE(input.size() == 8);
  CHECK(json::serialize(input[1]) == R"({"type":"reasoning","summary":[],"encrypted_content":"ZW5j"})");
  CHECK(input[2].at("content").at(0).at("type") == "output_text");
  CHECK(json::serialize(input[3]) == R"({"type":"function_call","call_id":"call_0_0","name":"service_status","arguments":"{\"server\":\"web-1\",\"unit\":\"nginx\"}"})");
  CHECK(input[4].at("name") == "multi_tool_use_parallel");
  CHECK(json::serialize(input[5]) == R"({"type":"function_call_output","call_id":"call_0_0","output":"{\"status\":\"active\"}"})");
  CHECK(input[6].at("call_id") == "call_0_1");
}

TEST_CASE("OpenAI Responses: incomplete, failed, filtered and hostile streams") {
  const auto incomplete = [](const std::string& why) { return event("response.incomplete", R"("response":{"status":"incomplete","incomplete_details":{"reason":")" + why + "\"}}"); };
  CHECK(read_stream(kResponses, delta("x") + incomplete("max_output_tokens"))->text.raw() == "x…(cut)");
  CHECK_FALSE(read_stream(kResponses, done(kCall) + incomplete("max_output_tokens")));
  CHECK_FALSE(read_stream(kResponses, delta("x") + incomplete("content_filter")));
  const auto failed = [](const std::string& code) { return read_stream(kResponses, event("response.failed", R"("response":{"status":"failed","error":{"code":")" + code + R"(","message":"sk-test"}})")); };
  CHECK(failed("server_error").error().code == Code::unavailable);
  CHECK(failed("context_length_exceeded").error().code == Code::too_large);
  CHECK(failed("insufficient_quota").error().detail.contains("quota"));
  CHECK_FALSE(read_stream(kResponses, delta("x") + event("error", R"("code":"x","message":"sk-test","param":null)") + kCompleted));
  for (const char* nonsense : {"data: <html>\n\n", "data: [1]\n\n", "data: {\"type\":\"response.output_item.done\",\"item\":7}\n\n"}) CHECK_FALSE(read_stream(kResponses, nonsense + kCompleted));
  std::string many, much;
  for (int i = 0; i < 100; ++i) many += done(kCall);
  for (int i = 0; i < 100; ++i) much += done(R"({"type":"reasoning","summary":[],"encrypted_content":")" + std::string(10'000, 'x') + "\"}");
  CHECK(read_stream(kResponses, many + kCompleted).error().code == Code::too_large);
  CHECK(read_stream(kResponses, much + kCompleted).error().code == Code::too_large);
  CHECK_FALSE(kResponses.refusal(429, R"({"error":{"code":"insufficient_quota"}})").retry);
  CHECK(kResponses.headers("sk-test") == std::vector<std::string>{"Authorization: Bearer sk-test"});
}

}  // namespace
}  // namespace caip::pilot
