#include "http/events.h"

namespace caip::http {

std::string event_frame(std::string_view name, std::string_view data) {
  std::string frame = "event: ";
  frame.append(name).append("\ndata: ");
  for (char c : data)  // a line break would end the field
    if (c != '\n' && c != '\r') frame += c;
  return frame.append("\n\n");
}

bool EventQueue::push(Frame frame) {
  std::scoped_lock lock(mutex_);
  if (closed_) return false;
  if (frames_.size() >= kMaxFrames) closed_ = true;
  else frames_.push_back(std::move(frame));
  wake_locked();
  return !closed_;
}

void EventQueue::close() {
  std::scoped_lock lock(mutex_);
  closed_ = true;
  wake_locked();
}

void EventQueue::end() {
  std::scoped_lock lock(mutex_);
  frames_.clear();
  closed_ = true;
  wake_locked();
}

EventQueue::Frame EventQueue::pop() {
  std::scoped_lock lock(mutex_);
  if (frames_.empty()) return nullptr;
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

bool EventQueue::closed() const {
  std::scoped_lock lock(mutex_);
  return closed_;
}

void EventQueue::on_change(std::function<void()> wake) {
  std::scoped_lock lock(mutex_);
  wake_ = std::move(wake);
}

// The callback only posts to the connection's executor, so calling it under the lock is safe
// and makes on_change(nullptr) final.
void EventQueue::wake_locked() {
  if (wake_) wake_();
}

}  // namespace caip::http
