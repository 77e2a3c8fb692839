// pilot ask: puts a question and waits for the answer. At a terminal the answer is shown while
// it is written (server-sent events); what counts is the conversation as the server keeps it.
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "api.h"
#include "base/sse.h"
#include "base/text.h"
#include "commands.h"
#include "terminal.h"

namespace caip::cli {
namespace {

using std::chrono::steady_clock;

// Prints the pieces of one conversation's answer as they come.
class Live {
 public:
  Live(Api& api, std::string conversation, long seconds)
      : conversation_(std::move(conversation)), thread_([this, copy = api, seconds]() mutable {
          SseParser parser(1U << 20U);
          static_cast<void>(copy.events(seconds, [&](std::string_view piece) { return take(parser, piece); }, [this] { return over(); }));
          const std::scoped_lock lock(mutex_);
          open_ = over_ = true;
          changed_.notify_all();
        }) {}
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;
  ~Live() {
    static_cast<void>(take_printed());
    thread_.join();
  }

  void wait_open() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(2), [&] { return open_; });
  }
  void nap() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(300));
  }
  // No more is printed after this; what was printed so far.
  std::string take_printed() {
    const std::scoped_lock lock(mutex_);
    over_ = true;
    return printed_;
  }
 private:
  bool over() {
    const std::scoped_lock lock(mutex_);
    return over_;
  }
  bool take(SseParser& parser, std::string_view piece) {
    const std::scoped_lock lock(mutex_);
    if (!open_) changed_.notify_all();
    open_ = true;
    if (over_) return false;
    return parser.feed(piece, [&](const SseEvent& event) { return on_event(event); }).has_value();
  }
  bool on_event(const SseEvent& event) {
    const auto body = parse_object(event.data);
    if (!body || text_of_member(*body, "conversation_id") != conversation_) return true;
    if (event.name == "pilot.delta") {
      const std::string text = text_of_member(*body, "text");
      printed_ += text;
      print_piece(shown_lines(text));
    }
    changed_.notify_all();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string conversation_;
  std::string printed_;
  bool open_ = false;
  bool over_ = false;
  std::thread thread_;  // last: it uses the others
};

Result<json::object> set_mode(Api& api, const Line& line) {
  return api.put("/pilot/conversations/" + percent_encoded(line.conversation) + "/mode", {{"mode", line.mode}});
}

Result<std::string> conversation_for(Api& api, const Line& line) {
  if (!line.conversation.empty()) {
    if (!line.mode.empty()) CAIP_CHECKED(set_mode(api, line));
    return line.conversation;
  }
  CAIP_TRY(made, api.post("/pilot/conversations", line.mode.empty() ? json::object{} : json::object{{"mode", line.mode}}));
  const std::string id = text_of_member(made, "id");
  if (id.empty()) return fail(Code::internal, "the server named no conversation");
  return id;
}

// The messages after ours once the pilot's answer is the last of them. The server says under
// which id that will be.
std::optional<json::array> answer_in(const json::object& conversation, const std::string& ours, const std::string& reply) {
  const json::value* messages = conversation.if_contains("messages");
  if (messages == nullptr || !messages->is_array()) return std::nullopt;
  json::array after;
  bool seen = false;
  for (const auto& m : messages->get_array()) {
    if (!m.is_object()) continue;
    if (seen) after.push_back(m);
    seen = seen || text_of_member(m.get_object(), "id") == ours;
  }
  if (after.empty()) return std::nullopt;
  if (!reply.empty() && text_of_member(after.back().get_object(), "id") != reply) {
    // What became of a proposal may already stand behind the answer.
    while (!after.empty() && text_of_member(after.back().get_object(), "id") != reply) after.pop_back();
    if (after.empty()) return std::nullopt;
  }
  const auto& last = after.back().get_object();
  if (text_of_member(last, "role") != "pilot" || text_of_member(last, "text").empty()) return std::nullopt;
  return after;
}

// What stands where the answer would: the AI was stopped while it answered.
std::optional<std::string> word_in_place(const json::object& conversation) {
  const json::value* messages = conversation.if_contains("messages");
  if (messages == nullptr || !messages->is_array() || messages->get_array().empty()) return std::nullopt;
  const auto& last = messages->get_array().back();
  if (!last.is_object() || text_of_member(last.get_object(), "role") != "tool") return std::nullopt;
  return text_of_member(last.get_object(), "text");
}

void print_answer(const json::array& messages, const std::string& printed) {
  const auto& last = messages.back().get_object();
  const std::string text = text_of_member(last, "text");
  if (!printed.empty() && text.starts_with(printed)) print(shown_lines(text.substr(printed.size())));
  else print((printed.empty() ? "" : "\n") + shown_lines(text));
  if (const auto label = text_of_member(last, "label"); !label.empty()) say("(" + shown(label) + ")");
  for (const auto& m : messages)
    if (const auto approval = text_of_member(m.get_object(), "approval_id"); !approval.empty())
      print("An action waits for your decision: caip approval show " + shown(approval) + " (a plan: caip plan list)");
}

std::string_view meaning(std::string_view mode) {
  if (mode == "ask") return "It reads and explains here, and proposes nothing; what it had proposed here is denied";
  if (mode == "agent") return "A plan of several changes is allowed as a whole here, but for what is destructive; any other change is a card of its own";
  return "Each change that it wants here is a card of its own, which waits for a person's yes";
}

}  // namespace

Result<int> pilot_mode(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, line.mode.empty() ? api.get("/pilot/conversations/" + percent_encoded(line.conversation)) : set_mode(api, line));
  if (line.as_json) return print_json(now), 0;
  const std::string mode = text_of_member(now, "mode");
  print(shown(mode));
  if (!line.mode.empty()) say(meaning(mode));
  return 0;
}

Result<int> pilot_ask(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(conversation, conversation_for(api, line));
  const std::string path = "/pilot/conversations/" + percent_encoded(conversation);
  std::unique_ptr<Live> live;
  if (!line.as_json && !line.no_wait && ::isatty(STDOUT_FILENO) == 1) {
    live = std::make_unique<Live>(api, conversation, static_cast<long>(line.timeout));
    live->wait_open();
  }
  CAIP_TRY(sent, api.post(path + "/messages", {{"text", line.text}}));
  const auto* message = object_member(sent, "message");
  const std::string ours = text_of_member(message != nullptr ? *message : sent, "id");
  if (line.no_wait) {
    if (line.as_json) print_json(json::object{{"conversation_id", conversation}, {"messages", json::array{}}});
    else print(shown(conversation));
    return 0;
  }
  const auto end = steady_clock::now() + std::chrono::seconds(line.timeout);
  for (;;) {
    CAIP_TRY(state, api.get(path));
    if (const auto messages = answer_in(state, ours, text_of_member(sent, "reply_id"))) {
      if (line.as_json) print_json(json::object{{"conversation_id", conversation}, {"messages", *messages}});
      else {
        print_answer(*messages, live ? live->take_printed() : std::string{});
        say("(to go on: caip pilot ask --conversation " + shown(conversation) + " …)");
      }
      return 0;
    }
    if (const json::value* going = state.if_contains("answering"); going != nullptr && going->is_bool() && !going->get_bool()) {
      if (const auto stopped = word_in_place(state)) return fail(Code::ai_off, *stopped);
      return fail(Code::unavailable, "the pilot did not answer: it was interrupted; ask again with --conversation " + shown(conversation));
    }
    if (steady_clock::now() >= end) return fail(Code::timeout, "no answer after " + std::to_string(line.timeout) + " s; see it later in conversation " + shown(conversation));
    if (live) live->nap();
    else std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
}

}  // namespace caip::cli
