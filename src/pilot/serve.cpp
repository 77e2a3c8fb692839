#include "pilot/serve.h"

#include "chat.h"
#include "planner.h"
#include "wire.h"

namespace caip::pilot {
namespace {

Result<Turn> answer(int fd) {
  LineReader reader(fd, kMaxRequest, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  CAIP_TRY(line, reader.line());
  CAIP_TRY(request, decode_request(line));
  std::string key;  // this process ends with the turn, and has no core file
  if (request.provider.key_follows) {
    CAIP_TRY(sent, reader.line());
    key = std::move(sent);
  }
  const auto on_text = [fd](const Foreign& text) { static_cast<void>(send_line(fd, encode_event({.delta = text.raw(), .done = {}, .error = {}}))); };
  if (!request.provider.base_url.empty()) return chat(request, on_text, key);
  Turn turn = plan(request.messages);
  if (turn.calls.empty()) on_text(turn.text);
  return turn;
}

}  // namespace

int serve_turn(int fd) {
  auto turn = answer(fd);
  Event event;
  if (turn) event.done = *std::move(turn);
  else event.error = std::move(turn).error();
  return send_line(fd, encode_event(event)) ? 0 : 1;
}

}  // namespace caip::pilot
