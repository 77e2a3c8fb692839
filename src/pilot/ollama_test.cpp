// Ollama's own API as it is written on the wire: one JSON object a line.
#include "test_stream.h"

namespace caip::pilot {
namespace {

std::string line(const std::string& message) { return R"({"model":"m","created_at":"x","message":{"role":"assistant",)" + message + R"(},"done":false})" "\n"; }
std::string end(const std::string& reason) { return R"({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":")" + reason + R"(","prompt_eval_count":300,"eval_count":20})" "\n"; }
const std::string kCall = R"("content":"","tool_calls":[{"function":{"index":0,"name":"service_status","arguments":{"server":"web-1"}}}])";
const std::string kStream = line(R"("content":"Gr\u00fc\u00dfe")") + "\n" + line("\"content\":\" \xe2\x82\xac\",\"thinking\":\"hm\"") + line(kCall) + line(R"("content":"","tool_calls":[{"id":"b","function":{"name":"list_servers","arguments":"{}"}}])") + end("stop");

TEST_CASE("Ollama: text and whole calls, a line each, however they are cut") {
  const Turn turn = same_however_cut(kOllama, kStream, R"({"model":"m","message":{"role":"assistant","content":""},"done":true)");
  CHECK(turn.text.raw() == "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
  REQUIRE(turn.calls.size() == 2);
  CHECK(turn.calls[0].arguments == R"({"server":"web-1"})");
  CHECK(turn.calls[1].arguments == "{}");
}

TEST_CASE("Ollama: room for all that it is told, or it would cut the tools away silently; arguments are objects, results name their tool") {
  const auto body = body_of(kOllama, talk_with_calls());
  CHECK(body.at("options").at("num_ctx") == 16384);
  const auto& messages = body.at("messages").as_array();
  REQUIRE(messages.size() == 6);
  CHECK(messages[0].at("role") == "system");
  CHECK(messages[2].at("tool_calls").at(0).at("function").at("arguments").at("unit") == "nginx");
  CHECK(messages[3].at("tool_name") == "service_status");
  CHECK(messages[4].at("tool_name") == "multi_tool_use_parallel");
  const auto large = body_of(kOllama, {{Speaker::user, std::string(100'000, 'x'), {}, {}}});
  CHECK(large.at("options").at("num_ctx") == 65536);
}

TEST_CASE("Ollama: errors after a 200, cuts and nonsense are no answer") {
  CHECK(read_stream(kOllama, line(R"("content":"x")") + end("length"))->text.raw() == "x…(cut)");
  CHECK_FALSE(read_stream(kOllama, line(kCall) + end("length")));
  CHECK_FALSE(read_stream(kOllama, end("load")));
  CHECK_FALSE(read_stream(kOllama, line(R"("content":"x")") + "{\"error\":\"sk-test\"}\n" + end("stop")));
  CHECK_FALSE(read_stream(kOllama, line(R"("content":"x")")));
  for (const char* nonsense : {"<html>\n", "[1]\n", "{\"message\":{\"tool_calls\":[7]}}\n", "{\"message\":{\"tool_calls\":[{}]}}\n"}) CHECK_FALSE(read_stream(kOllama, nonsense + end("stop")));
  CHECK(read_stream(kOllama, std::string(3U << 20U, 'x')).error().code == Code::too_large);  // a line without an end
  std::string many;
  for (int i = 0; i < 100; ++i) many += line(kCall);
  CHECK(read_stream(kOllama, many + end("stop")).error().code == Code::too_large);
  CHECK(kOllama.refusal(400, R"({"error":"m does not support tools"})").error.detail.contains("tools"));
  CHECK(kOllama.models(parse_object(R"({"models":[{"name":"x","model":"m:8b"}]})").value()).value() == std::vector<std::string>{"m:8b"});
}

}  // namespace
}  // namespace caip::pilot
