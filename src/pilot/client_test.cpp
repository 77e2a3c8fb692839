// caip-pilotd as it really runs, beside a scripted provider on a local socket.
#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include "pilot/client.h"

namespace caip::pilot {
namespace {

std::filesystem::path pilotd() {
  const char* build = std::getenv("CAIP_BINARY");
  return std::filesystem::path(build != nullptr ? build : "build/dev") / "bin" / "caip-pilotd";
}

// Answers one connection after the other with the given bytes, and keeps what was asked.
class Provided {
 public:
  explicit Provided(std::vector<std::string> answers) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd_, plain, size) == 0);
    REQUIRE(::listen(fd_, 8) == 0);
    REQUIRE(::getsockname(fd_, plain, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, list = std::move(answers)] {
      for (const auto& a : list) serve(a);
    });
  }
  Provided(const Provided&) = delete;
  Provided& operator=(const Provided&) = delete;
  ~Provided() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return origin() + "/v1"; }
  const std::vector<std::string>& asked() {
    ::shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    thread_ = std::jthread([] {});
    return asked_;
  }

 private:
  void serve(const std::string& answer) {
    const int c = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (c < 0) return;
    std::string request;
    char piece[4096];
    for (std::size_t want = std::string::npos; request.size() < want;) {
      const ssize_t n = ::recv(c, piece, sizeof piece, 0);
      if (n <= 0) break;
      request.append(piece, static_cast<std::size_t>(n));
      const auto head = request.find("\r\n\r\n");
      const auto length = request.find("Content-Length: ");
      if (head != std::string::npos && request.starts_with("GET ")) want = head + 4;
      if (head != std::string::npos && length != std::string::npos) want = head + 4 + std::stoul(request.substr(length + 16));
    }
    asked_.push_back(request);
    static_cast<void>(::send(c, answer.data(), answer.size(), MSG_NOSIGNAL));
    ::shutdown(c, SHUT_WR);
    while (::recv(c, piece, sizeof piece, 0) > 0) {}
    ::close(c);
  }

  int fd_;
  std::uint16_t port_ = 0;
  std::vector<std::string> asked_;
  std::jthread thread_;
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
const std::string kHello = kOk + "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
std::string refuse(const std::string& status, const std::string& body) { return "HTTP/1.1 " + status + "\r\nConnection: close\r\n\r\n" + body; }

Result<Turn> ask(Provided& provided, std::string* streamed = nullptr, const std::filesystem::path& key = {}) {
  auto client = make_client(pilotd(), {.base_url = provided.url(), .model = "m", .api_key_file = key, .allow_networks = {"127.0.0.1"}});
  const std::vector<Message> talk{{Speaker::user, "hi", {}, {}}};
  return client->turn(talk, {.on_text = [&](const Foreign& t) { if (streamed != nullptr) *streamed += t.raw(); }});
}

TEST_CASE("the built-in planner answers from its own process") {
  auto client = make_client(pilotd(), {});
  CHECK(client->about().label == "built-in, no model");
  std::vector<Message> talk{{Speaker::user, "nginx on web-1 is down, bring it back", {}, {}}};
  std::vector<std::string> reached;
  const auto said = converse(*client, talk, [&](std::string_view tool, const json::object&) -> Result<json::object> {
    reached.emplace_back(tool);
    return json::object{{"status", "active: inactive (dead)"}, {"impact", "caution"}};
  }, {.offer = Offer::all});
  REQUIRE(said);
  CHECK(reached == std::vector<std::string>{"service_status", "propose_service_action"});
  CHECK(said->messages.back().text.contains("waits for your decision"));
}

TEST_CASE("a model's answer is streamed, with the key in its header") {
  const auto key = std::filesystem::temp_directory_path() / ("caip-key-" + std::to_string(::getpid()));
  std::ofstream(key) << "sk-test\n";
  Provided provided({kHello});
  std::string streamed;
  const auto turn = ask(provided, &streamed, key);
  std::filesystem::remove(key);
  REQUIRE(turn);
  CHECK(turn->text.raw() == "Hello");
  CHECK(streamed == "Hello");
  REQUIRE(provided.asked().size() == 1);
  CHECK(provided.asked()[0].starts_with("POST /v1/chat/completions "));
  CHECK(provided.asked()[0].contains("Authorization: Bearer sk-test\r\n"));
}

TEST_CASE("each provider is spoken to in its own way: path, key, and what comes of the stream") {
  struct One {
    AiVendor vendor;
    std::string base, path, header, answer;
  };
  const std::string ndjson = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
  const std::vector<One> all{
      {AiVendor::anthropic, "", "/v1/messages ", "x-api-key: sk-test",
       kOk + "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
             "data: {\"type\":\"content_block_stop\",\"index\":0}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"},
      {AiVendor::openai, "/v1", "/v1/responses ", "Authorization: Bearer sk-test",
       kOk + "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hello\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n"},
      {AiVendor::gemini, "/v1beta", "/v1beta/models/m:streamGenerateContent?alt=sse ", "x-goog-api-key: sk-test",
       kOk + "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hello\"}]},\"finishReason\":\"STOP\"}]}\n\n"},
      {AiVendor::ollama, "", "/api/chat ", "Authorization: Bearer sk-test", ndjson + "{\"message\":{\"content\":\"Hello\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}"},
  };
  const auto key = std::filesystem::temp_directory_path() / ("caip-key-" + std::to_string(::getpid()));
  std::ofstream(key) << "sk-test\n";
  const std::vector<Message> talk{{Speaker::user, "hi", {}, {}}};
  for (const auto& one : all) {
    CAPTURE(text(one.vendor));
    Provided provided({one.answer});
    const Provider provider{.base_url = provided.origin() + one.base, .model = "m", .api_key_file = key, .vendor = one.vendor};
    std::string streamed;
    // Not the client's own provider; the networks are the client's.
    const auto client = make_client(pilotd(), {.base_url = {}, .model = {}, .api_key_file = {}, .owner_networks = {"127.0.0.1"}});
    const auto turn = client->turn(talk, {.provider = provider, .on_text = [&](const Foreign& t) { streamed += t.raw(); }});
    REQUIRE(turn);
    CHECK(turn->text.raw() == "Hello");
    CHECK(streamed == "Hello");
    REQUIRE(provided.asked().size() == 1);
    CHECK(provided.asked()[0].starts_with("POST " + one.path));
    CHECK(provided.asked()[0].contains(one.header + "\r\n"));
    const auto shut = make_client(pilotd(), {.base_url = {}, .model = {}, .api_key_file = {}, .allow_networks = {"127.0.0.0/8"}});  // those are for the installation's own
    CHECK(shut->turn(talk, {.provider = provider}).error().code == Code::forbidden);
  }
  std::filesystem::remove(key);
}

TEST_CASE("the models that a provider has: asked for with the key, bounded, and a refusal is one") {
  const auto client = make_client(pilotd(), {.base_url = {}, .model = {}, .api_key_file = {}, .owner_networks = {"127.0.0.1"}});
  const auto at = [&](const Provided& p) { return Provider{.base_url = p.origin(), .model = {}, .api_key_file = {}, .vendor = AiVendor::anthropic}; };
  const SendKey send_key = [](int fd) -> Result<void> {
    static_cast<void>(::send(fd, "sk-sent\n", 8, MSG_NOSIGNAL));
    return {};
  };
  const std::string json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
  Provided good({json + R"({"data":[{"type":"model","id":"m-2"},{"type":"model","id":"m-1"}],"has_more":false})"});
  CHECK(client->models(at(good), send_key).value() == std::vector<std::string>{"m-1", "m-2"});
  REQUIRE(good.asked().size() == 1);
  CHECK(good.asked()[0].starts_with("GET /v1/models?limit=1000 "));
  CHECK(good.asked()[0].contains("x-api-key: sk-sent\r\n"));
  Provided closed({refuse("401 No", R"({"error":{"message":"sk-sent"}})")});
  const auto no = client->models(at(closed), send_key);
  CHECK(no.error().detail.contains("refused the key"));
  for (const std::string& bad : {json + "<html>", json + "[]", json + R"({"data":7})", json + R"({"data":[)" + std::string(3U << 20U, ' ') + "]}"}) {
    Provided wrong({bad});
    CHECK_FALSE(client->models(at(wrong), send_key));
  }
  CHECK(make_client(pilotd(), {})->models(at(good), send_key).error().code == Code::forbidden);
}

TEST_CASE("how long a provider asks to wait is kept up to a limit, and its no to another try is one") {
  const auto later = [](const std::string& header) { return "HTTP/1.1 429 Busy\r\n" + header + "\r\nConnection: close\r\n\r\n{}"; };
  const auto began = std::chrono::steady_clock::now();
  Provided soon({later("retry-after-ms: 20"), kHello});
  CHECK(ask(soon).value().text.raw() == "Hello");
  Provided never({later("x-should-retry: false"), kHello});
  CHECK_FALSE(ask(never));
  CHECK(never.asked().size() == 1);
  Provided tomorrow({later("Retry-After: 86400"), kHello});
  CHECK_FALSE(ask(tomorrow));
  CHECK(tomorrow.asked().size() == 1);
  Provided overflow({later("Retry-After: 9223372036854775807"), kHello});
  CHECK_FALSE(ask(overflow));
  CHECK(overflow.asked().size() == 1);
  Provided endless({"HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" + std::string(1U << 20U, 'x')});
  CHECK(ask(endless).error().detail.contains("answered 400"));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
}

TEST_CASE("what may pass is tried again, what will not is not") {
  Provided busy({refuse("503 Busy", "<html>"), kHello});
  CHECK(ask(busy).value().text.raw() == "Hello");
  Provided closed({refuse("401 No", R"({"error":{"message":"bad key sk-test"}})"), kHello});
  const auto turn = ask(closed);
  REQUIRE_FALSE(turn);
  CHECK_FALSE(turn.error().detail.contains("sk-test"));
  CHECK(closed.asked().size() == 1);
}

TEST_CASE("a redirect is not followed and half a stream is no answer") {
  Provided there({kHello});  // it would answer, and be given the key and the talk
  Provided away({"HTTP/1.1 302 Found\r\nLocation: " + there.url() + "/chat/completions\r\nConnection: close\r\n\r\n"});
  CHECK_FALSE(ask(away));
  CHECK(there.asked().empty());
  Provided half({kOk + "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"list_servers\",\"arguments\":\"{}\"}}]}}]}\n\n", kHello});
  const auto turn = ask(half);
  REQUIRE_FALSE(turn);
  CHECK(half.asked().size() == 1);  // part of it was seen: not asked twice
}

TEST_CASE("S21: a provider is reached at public addresses, and elsewhere when the configuration allows the network, whatever name leads there") {
  const std::vector<Message> talk{{Speaker::user, "hi", {}, {}}};
  Provided provided({kHello});
  const auto at = [&](std::string url, std::vector<std::string> allowed) {
    return make_client(pilotd(), {.base_url = std::move(url), .model = "m", .api_key_file = {}, .allow_networks = std::move(allowed)})->turn(talk, {});
  };
  for (const auto& url : {provided.url(), std::string("https://localhost:1/v1"), std::string("https://169.254.169.254/v1")}) {
    const auto refused = at(url, {"10.0.0.0/8"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::forbidden);
    CHECK(refused.error().detail.contains("allow_networks"));
  }
  CHECK(at(provided.url(), {"127.0.0.0/8"}));
  CHECK(provided.asked().size() == 1);
}

TEST_CASE("a program that is not there, or ends at once, is an error and nothing worse") {
  const std::vector<Message> talk{{Speaker::user, "hi", {}, {}}};
  CHECK(make_client("/nonexistent", {})->turn(talk, {}).error().code == Code::unavailable);
  CHECK(make_client("/bin/true", {})->turn(talk, {}).error().code == Code::unavailable);
  CHECK(make_client(pilotd(), {}, 0)->turn(talk, {}).error().code == Code::too_many);
}

TEST_CASE("a turn is stopped at once: the process that hangs is killed, and nobody waits for who holds its socket") {
  const auto script = std::filesystem::temp_directory_path() / ("caip-hangs-" + std::to_string(::getpid()));
  const auto marks = script.string() + ".pid";
  // It answers to no signal that can be blocked, and leaves a process behind that keeps the socket open.
  std::ofstream(script) << "#!/bin/sh\ntrap '' TERM INT HUP\nexec 3<&0\nsleep 30 <&3 &\necho $$ $! > " << marks << ".new; mv " << marks << ".new " << marks << "\nwait\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const auto client = make_client(script, {});
  const std::vector<Message> talk{{Speaker::user, "hi", {}, {}}};
  std::stop_source stop;
  std::jthread presser([&] {
    while (!std::filesystem::exists(marks)) std::this_thread::yield();
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  CHECK(client->turn(talk, {.stop = stop.get_token()}).error().code == Code::unavailable);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  CHECK(client->turn(talk, {.stop = stop.get_token()}).error().code == Code::unavailable);  // and none begins
  pid_t hung = 0, left = 0;
  std::ifstream(marks) >> hung >> left;
  REQUIRE(hung > 0);
  CHECK(::kill(hung, 0) != 0);
  ::kill(left, SIGKILL);
  std::filesystem::remove(script);
  std::filesystem::remove(marks);
}

}  // namespace
}  // namespace caip::pilot
