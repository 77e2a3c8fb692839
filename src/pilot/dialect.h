// dialect.h: what the protocols of AI providers differ in: the shape of a request, what a stream says, what a refusal means,
// which models there are. One row of functions each. Who connects, waits, tries again and counts bytes is http.cpp.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ai.h"
#include "wire.h"

namespace caip::pilot {

// What comes of one stream, with the limits that are the same for all: text is shown as it comes, calls wait for the end.
class Gathered {
 public:
  explicit Gathered(OnText on_text) : on_text_(std::move(on_text)) {}
  Result<void> text(std::string_view piece);
  Result<std::size_t> begin_call(std::string_view id, std::string_view name);  // its number
  Result<void> arguments(std::size_t call, std::string_view piece);
  // What the provider wants back as it was, in its place: a piece of its own, or {"call":0} for a call, {"text":"…"} for text.
  Result<void> keep(json::object piece);
  ToolCall& call(std::size_t number) { return calls_.at(number); }
  const std::vector<ToolCall>& calls() const { return calls_; }
  bool empty() const { return text_.empty() && calls_.empty(); }
  Turn turn(bool cut) &&;

 private:
  OnText on_text_;
  std::string text_;
  std::vector<ToolCall> calls_;
  std::size_t call_bytes_ = 0, kept_bytes_ = 0;
  json::array kept_;
};

// One stream. Strict and bounded; unknown members, kinds and events are skipped, as every provider asks for.
class Reader {
 public:
  explicit Reader(OnText on_text) : said_(std::move(on_text)) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;
  // One event's data, or one line; false: the stream is over (or failed, see finish).
  bool on_data(std::string_view data);
  bool started() const { return started_; }  // something of the answer came: it is not asked for twice
  Result<Turn> finish();                     // half a stream is no answer

 protected:
  virtual bool ends(std::string_view) const { return false; }  // an end that is no JSON
  virtual Result<void> take(const json::object&) = 0;
  virtual Result<bool> whole() = 0;  // whether it was cut at its length limit; an error: it is no answer
  Gathered said_;
  bool done_ = false, started_ = false;

 private:
  std::optional<Error> error_;
};

struct Refusal {  // what an answer other than 200 means
  Error error;
  bool retry = false;  // it may work later
  std::optional<long> wait_seconds = {};  // that the answer itself asks for
};

enum class Framing : std::uint8_t { events, lines };

struct Dialect {
  std::string_view base_url;  // where nobody gave another; empty: somebody has to
  Framing framing;
  std::string (*path)(const Provider&);  // behind the base
  std::string_view models_path;
  std::vector<std::string> (*headers)(const std::string& key);  // of a key that is not empty
  std::string (*body)(const TurnRequest&);
  std::unique_ptr<Reader> (*reader)(OnText);
  Refusal (*refusal)(long status, std::string_view body);
  Result<std::vector<std::string>> (*models)(const json::object&);
};
extern const Dialect kChat, kResponses, kAnthropic, kGemini, kOllama;
const Dialect& dialect_of(AiVendor) noexcept;

// https:// anywhere; http:// to this machine only, since the key and the talk travel in it. No user, query or fragment in the base.
Result<std::string> url_of(const Provider&, std::string_view path);
const std::string& instructions(Offer);

// What is the same in all of them, or nearly.
std::string_view text_in(const json::object&, std::string_view name);
const json::object* object_in(const json::object&, std::string_view name);
const json::array* array_in(const json::object&, std::string_view name);
std::optional<std::int64_t> integer_in(const json::object&, std::string_view name);
Error protocol(std::string_view what);
Error broken_off();
Refusal common_refusal(long status);
json::object arguments_object(const ToolCall&);  // {} of what is no object
json::value schema_of(const Tool&);
// The pieces that were kept of a message, or its text and calls where there are none; `call` and `text` stand for ours.
void each_piece(const Message&, const std::function<void(const json::object& kept)>& kept, const std::function<void(const ToolCall&, const json::object& kept)>& call,
                const std::function<void(std::string_view text, const json::object& kept)>& text);
// Names in a list of objects, e.g. "id" in data; at most 1000 of at most 256 bytes, without what is hidden.
Result<std::vector<std::string>> names_in(const json::object&, std::string_view list, std::string_view name, std::string_view prefix = {});

}  // namespace caip::pilot
