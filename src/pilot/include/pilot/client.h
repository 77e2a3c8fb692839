// pilot/client.h: asking the pilot, from caipd. Each turn runs in a caip-pilotd of its own, so
// that what one organisation's text does to a parser ends with that turn. Text and calls that
// come back are untrusted: calls are drafts, converse() hands only declared tools with checked
// arguments to the caller's ToolHost, and the host decides with the human's own rights.
#pragma once
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
};
struct Turn {
  Foreign text;
  std::vector<ToolCall> calls;
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
};
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
  Offer offer = Offer::reads;
  OnText on_text = {};
  SendKey send_key = {};
  // Ends the answer at once (Code::unavailable), whatever its process does: that is killed, and not waited for.
  std::stop_token stop = {};
};

class PilotClient {  // thread-safe
 public:
  virtual ~PilotClient() = default;
  virtual About about() const = 0;
  virtual Result<Turn> turn(std::span<const Message>, const Terms&) = 0;
  // Ends the turns that run (Code::unavailable) and every later one, at once.
  virtual void stop() = 0;
};
// Starts `program` (caip-pilotd) once a turn, at most `at_once` at a time (more: Code::too_many).
std::unique_ptr<PilotClient> make_client(std::filesystem::path program, Provider, unsigned at_once = 8);

// The answer to one question: turns and tool calls in alternation until the pilot is done, at
// most 8 turns and 8 calls a turn. A tool that is not on offer reaches the host by its name alone, which refuses it on
// the record; what it says goes to the model. Returns the messages that came to `history`, the last one
// being the pilot's answer.
using ToolHost = std::function<Result<json::object>(std::string_view tool, const json::object& arguments)>;
Result<std::vector<Message>> converse(PilotClient&, std::vector<Message> history, const ToolHost&, const Terms&);

}  // namespace caip::pilot
