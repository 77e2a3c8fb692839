// Google's Gemini API as it is written on the wire.
#include "test_stream.h"

namespace caip::pilot {
namespace {

std::string chunk(const std::string& parts, const std::string& reason = "") {
  return "data: {\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[" + parts + "]}" + (reason.empty() ? "" : ",\"finishReason\":\"" + reason + "\"") + "}],\"usageMetadata\":{\"promptTokenCount\":300}}\n\n";
}
const std::string kCall = R"({"functionCall":{"name":"service_status","args":{"server":"web-1"}},"thoughtSignature":"c2ln"})";
const std::string kStream = chunk(R"({"text":"I think","thought":true},{"text":"Gr\u00fc\u00dfe"})") + chunk("{\"text\":\" \xe2\x82\xac\"}") + chunk(kCall + R"(,{"functionCall":{"name":"list_servers"}},{"of":"tomorrow"})", "STOP");

TEST_CASE("Gemini: the reason is STOP with calls too; what is thought is not shown, its signature is kept on its part") {
  const Turn turn = same_however_cut(kGemini, kStream, "data: ");
  CHECK(turn.text.raw() == "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac");
  REQUIRE(turn.calls.size() == 2);
  CHECK(turn.calls[0].arguments == R"({"server":"web-1"})");
  CHECK(turn.calls[1].arguments.empty());
  CHECK(turn.state == R"([{"text":"Grüße"},{"text":" €"},{"thoughtSignature":"c2ln","call":0},{"call":1}])");
}

TEST_CASE("Gemini: signatures go back untouched on the same part, and all results of a turn in one content") {
  const auto body = body_of(kGemini, talk_with_calls(R"([{"text":"I'll look."},{"thoughtSignature":"c2ln","call":0},{"call":1}])"));
  const auto& contents = body.at("contents").as_array();
  REQUIRE(contents.size() == 3);
  CHECK(json::serialize(contents[1]) ==
        R"({"role":"model","parts":[{"text":"I'll look."},{"functionCall":{"id":"call_0_0","name":"service_status","args":{"server":"web-1","unit":"nginx"}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"call_0_1","name":"multi_tool_use_parallel","args":{}}}]})");
  const auto& parts = contents[2].at("parts").as_array();
  REQUIRE(parts.size() == 3);
  CHECK(json::serialize(parts[0]) == R"({"functionResponse":{"id":"call_0_0","name":"service_status","response":{"output":{"status":"active"}}}})");
  CHECK(parts[1].at("functionResponse").at("name") == "multi_tool_use_parallel");
  CHECK(parts[1].at("functionResponse").at("response").as_object().contains("error"));
  CHECK(parts[2].at("text") == "and now?");
  CHECK(body.at("tools").at(0).at("functionDeclarations").at(0).as_object().contains("parametersJsonSchema"));
  CHECK(std::string(body.at("systemInstruction").at("parts").at(0).at("text").as_string()).contains("Pilot"));
}

TEST_CASE("Gemini: the key is a header and the model a plain part of the path") {
  CHECK(kGemini.headers("sk-test") == std::vector<std::string>{"x-goog-api-key: sk-test"});
  const auto path = [](std::string model) { return kGemini.path({.base_url = "u", .model = std::move(model), .api_key_file = {}}); };
  CHECK(path("models/gemini-x") == "/models/gemini-x:streamGenerateContent?alt=sse");
  CHECK(path("../../x?key=") == "/models/..%2F..%2Fx%3Fkey%3D:streamGenerateContent?alt=sse");
}

TEST_CASE("Gemini: blocked, cut, broken and hostile streams; a wait that it asks for stands in its answer") {
  CHECK_FALSE(read_stream(kGemini, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n"));
  CHECK(read_stream(kGemini, chunk(R"({"text":"x"})", "MAX_TOKENS"))->text.raw() == "x…(cut)");
  for (const char* reason : {"MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL", "OTHER", "OF_TOMORROW"}) CHECK_FALSE(read_stream(kGemini, chunk(kCall, reason)));
  for (const char* reason : {"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "UNEXPECTED_TOOL_CALL"}) CHECK_FALSE(read_stream(kGemini, chunk(R"({"text":"x"})", reason)));
  CHECK_FALSE(read_stream(kGemini, chunk(R"({"text":"x"})")));  // no reason: it ended early
  CHECK_FALSE(read_stream(kGemini, chunk(R"({"text":"x"})") + "data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"sk-test\"}}\n\n"));
  for (const char* nonsense : {"data: <html>\n\n", "data: {\"candidates\":[7]}\n\n", "data: {\"candidates\":[{\"content\":{\"parts\":[7]}}]}\n\n"}) CHECK_FALSE(read_stream(kGemini, nonsense + chunk("", "STOP")));
  std::string many, signatures;
  for (int i = 0; i < 100; ++i) many += chunk(kCall);
  for (int i = 0; i < 100; ++i) signatures += chunk(R"({"text":"","thoughtSignature":")" + std::string(10'000, 'x') + "\"}");
  CHECK(read_stream(kGemini, many + chunk("", "STOP")).error().code == Code::too_large);
  CHECK(read_stream(kGemini, signatures + chunk("", "STOP")).error().code == Code::too_large);
  const auto busy = kGemini.refusal(429, R"({"error":{"code":429,"message":"sk-test","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38.2s"}]}})");
  CHECK(busy.retry);
  CHECK(busy.wait_seconds == 39);
  CHECK_FALSE(kGemini.refusal(429, R"({"error":{"details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}})").retry);
  CHECK(kGemini.refusal(400, R"({"error":{"details":[{"reason":"API_KEY_INVALID"}]}})").error.detail.contains("key"));
  CHECK(kGemini.models(parse_object(R"({"models":[{"name":"models/b"},{"name":"models/a"}]})").value()).value() == std::vector<std::string>{"a", "b"});
}

}  // namespace
}  // namespace caip::pilot
