// http/events.h: the way of one server-sent event from any thread to one connection. Bounded:
// a reader that is too slow is cut off and reconnects, instead of filling memory.
#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace caip::http {

std::string event_frame(std::string_view name, std::string_view data);  // data: one line of JSON

class EventQueue {  // thread-safe
 public:
  using Frame = std::shared_ptr<const std::string>;
  static constexpr std::size_t kMaxFrames = 512;

  bool push(Frame frame);  // false: closed, or full and therefore closed
  void close();
  void end();              // and what waits goes to nobody
  Frame pop();             // null when empty
  bool closed() const;
  // Called, from any thread, after something changed. Set to null to stop.
  void on_change(std::function<void()> wake);

 private:
  void wake_locked();
  mutable std::mutex mutex_;
  std::deque<Frame> frames_;
  bool closed_ = false;
  std::function<void()> wake_;
};

}  // namespace caip::http
