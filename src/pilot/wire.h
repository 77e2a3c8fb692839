// wire.h: what caipd and caip-pilotd say to each other over a socket pair: one line of JSON with
// the request, then lines of JSON with events. Both sides read strictly and with limits; caipd
// because pilotd parses what a model wrote.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pilot/client.h"

namespace caip::pilot {

inline constexpr std::size_t kMaxRequest = 8U << 20U;
inline constexpr std::size_t kMaxReply = 2U << 20U;  // all events of a turn
inline constexpr std::size_t kMaxText = 32768;       // of an answer
inline constexpr std::size_t kMaxCallBytes = 65536;  // arguments of a turn's calls
inline constexpr std::size_t kMaxCallCount = 32;
inline constexpr std::size_t kMaxState = 512U << 10U;  // what a provider wants back

struct TurnRequest {
  Provider provider;
  std::vector<Message> messages;
  Offer offer = Offer::reads;
  bool models = false;  // asked for instead of a turn
};
std::string encode_request(const Provider&, std::span<const Message>, Offer, std::string_view what = "turn");  // or "models"
Result<TurnRequest> decode_request(std::string_view line);

struct Event {  // exactly one is set
  std::optional<std::string> delta;
  std::optional<Turn> done;
  std::optional<Error> error;
  std::optional<std::vector<std::string>> models = {};
};
std::string encode_event(const Event&);
Result<Event> decode_event(std::string_view line);

// Lines from a socket, with a deadline and a limit on all bytes read.
class LineReader {
 public:
  LineReader(int fd, std::size_t max_bytes, std::chrono::steady_clock::time_point deadline)
      : fd_(fd), left_(max_bytes), deadline_(deadline) {}
  Result<std::string> line();  // unavailable: the other side is gone; timeout; too_large

 private:
  Result<void> more();

  int fd_;
  std::size_t left_;
  std::chrono::steady_clock::time_point deadline_;
  std::string buffer_;
};
Result<void> send_line(int fd, std::string line);

}  // namespace caip::pilot
