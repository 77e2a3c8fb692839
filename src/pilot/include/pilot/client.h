// pilot/client.h: asking the pilot, from caipd. Each turn runs in a caip-pilotd of its own, so
// that what one organisation's text does to a parser ends with that turn. Text and calls that
// come back are untrusted: calls are drafts, converse() hands only declared tools with checked
// arguments to the caller's ToolHost, and the host decides with the human's own rights.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "model/ai.h"
#include "pilot/tools.h"

namespace caip::pilot {

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text as the model wrote it
};
enum class Speaker : std::uint8_t { user, pilot, tool };
struct Message {
  Speaker speaker = Speaker::user;
  std::string text;
  std::vector<ToolCall> calls;  // pilot only
  std::string call_id;          // tool only: which call this answers
  std::string state = {};       // pilot only: what the provider wants back as it was; opaque to everybody else
};
struct Turn {
  Foreign text;
  std::vector<ToolCall> calls;
  std::string state = {};
};

// Without a base_url the built-in planner answers.
struct Provider {
  std::string base_url;                // https://api.example/v1 · http:// only on this machine
  std::string model;
  std::filesystem::path api_key_file;  // read by caip-pilotd alone; empty: no key
  bool key_follows = false;            // SendKey sends it with each turn instead
  std::string max_tokens_field = "max_tokens";  // newer OpenAI models want max_completion_tokens
  std::int64_t max_tokens = 2048;
  std::vector<std::string> allow_networks = {};  // reached besides public addresses, as outbound::Network has them
  AiVendor vendor = AiVendor::openai_compatible;  // whose protocol
  std::vector<std::string> owner_networks = {};  // of the installation's: the same for providers that others than it chose (Terms)
};
std::string_view default_base_url(AiVendor) noexcept;  // empty: somebody has to say
Result<void> acceptable(const Provider&);              // whether its address is one; which addresses it may lead to is asked when it is connected to
struct About {
  std::string label;  // "built-in, no model" or the model's name; shown wherever the pilot speaks
  std::optional<std::string> model;
  bool builtin = true;
  std::vector<std::string> examples;
};
About about(const Provider&);

using OnText = std::function<void(const Foreign&)>;
// Writes the provider's key and a line end to the turn's socket. The key does not pass through
// this room in caipd; caip-pilotd reads it after the request. Empty: no key, or from a file.
using SendKey = std::function<Result<void>(int fd)>;

struct Terms {  // of one answer
  std::optional<Provider> provider = {};  // instead of the client's own; reached at public addresses and in its owner_networks
  Offer offer = Offer::reads;
  std::size_t steps = 100;  // calls, whatever became of them, before it ends
  OnText on_text = {};
  SendKey send_key = {};
  std::function<Result<void>()> before_turn = {};  // an error ends the answer
  std::chrono::milliseconds patience = std::chrono::minutes(10);  // with the whole answer
  // Ends the answer at once (Code::unavailable), whatever its process does: that is killed, and not waited for.
  std::stop_token stop = {};
};

class PilotClient {  // thread-safe
 public:
  virtual ~PilotClient() = default;
  virtual About about() const = 0;
  virtual Result<Turn> turn(std::span<const Message>, const Terms&) = 0;
  // The names of the models that a provider has for this key.
  virtual Result<std::vector<std::string>> models(const Provider&, const SendKey&) = 0;
  // Ends the turns that run (Code::unavailable) and every later one, at once.
  virtual void stop() = 0;
};
// Starts `program` (caip-pilotd) once a turn, at most `at_once` at a time (more: Code::too_many).
std::unique_ptr<PilotClient> make_client(std::filesystem::path program, Provider, unsigned at_once = 16);

// The answer to one question: turns and tool calls in alternation until the pilot is done, at most 8 calls a turn. Where
// one would be beyond terms.steps the answer ends and says so, and nothing of that turn goes on. A tool that is not on offer reaches the host by its name alone, which refuses it on
// the record; what it says goes to the model.
struct Answer {
  std::vector<Message> messages;  // that came to `history`, the last one being the pilot's answer
  std::size_t steps = 0;
  std::optional<std::string> beyond = {};  // the tool that was one step too many
};
using ToolHost = std::function<Result<json::object>(std::string_view tool, const json::object& arguments)>;
Result<Answer> converse(PilotClient&, std::vector<Message> history, const ToolHost&, const Terms&);

}  // namespace caip::pilot
