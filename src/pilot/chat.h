// chat.h: a client of OpenAI-compatible chat completions, streamed. What comes back is
// untrusted: bounded, parsed strictly, merged by index; a stream that ends early is no answer,
// so nothing of it is carried out.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wire.h"

namespace caip::pilot {

// https:// anywhere; http:// to this machine only, since the key and the talk travel in it.
Result<std::string> chat_url(const Provider&);
std::string chat_body(const TurnRequest&);

class StreamReader {
 public:
  explicit StreamReader(OnText on_text) : on_text_(std::move(on_text)) {}
  // One event's data; false: the stream is over (or failed, see finish).
  bool on_data(std::string_view data);
  bool started() const { return started_; }
  Result<Turn> finish();

 private:
  struct Partial {
    std::optional<std::int64_t> index;
    ToolCall call;
  };
  Result<void> take(std::string_view data);
  Result<void> take_text(const json::value*);
  Result<void> take_call(const json::object&);
  Partial* partial_for(const json::object&);

  OnText on_text_;
  std::string text_;
  std::vector<Partial> calls_;
  std::size_t call_bytes_ = 0;
  std::string finish_reason_;
  std::optional<Error> error_;
  bool done_ = false;
  bool started_ = false;
};

// What an answer other than 200 means. `retry`: it may work later.
struct Refusal {
  Error error;
  bool retry = false;
};
Refusal refusal_of(long status, std::string_view body);

// `key`: what was sent for this turn, when provider.key_follows.
Result<Turn> chat(const TurnRequest&, const OnText&, const std::string& key);

}  // namespace caip::pilot
