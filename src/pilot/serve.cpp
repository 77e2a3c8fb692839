#include "pilot/serve.h"

#include "http.h"
#include "planner.h"
#include "wire.h"

namespace caip::pilot {
namespace {

Result<Event> answer(int fd) {
  LineReader reader(fd, kMaxRequest, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  CAIP_TRY(line, reader.line());
  CAIP_TRY(request, decode_request(line));
  std::string key;  // this process ends with the turn, and has no core file
  if (request.provider.key_follows) {
    CAIP_TRY(sent, reader.line());
    key = std::move(sent);
  }
  const auto on_text = [fd](const Foreign& text) { static_cast<void>(send_line(fd, encode_event({.delta = text.raw(), .done = {}, .error = {}}))); };
  Event out;
  if (request.models) {
    CAIP_TRY(found, models(request.provider, key));
    out.models = std::move(found);
  } else if (!request.provider.base_url.empty()) {
    CAIP_TRY(turn, ask(request, on_text, key));
    out.done = std::move(turn);
  } else {
    out.done = plan(request.messages);
    if (out.done->calls.empty()) on_text(out.done->text);
  }
  return out;
}

}  // namespace

int serve_turn(int fd) {
  auto event = answer(fd);
  if (!event) event = Event{.delta = {}, .done = {}, .error = std::move(event).error()};
  return send_line(fd, encode_event(*event)) ? 0 : 1;
}

}  // namespace caip::pilot
