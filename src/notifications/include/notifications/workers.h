// notifications/workers.h: threads that work through a queue: each does a step, and another at once as long as there was
// something to do; else it looks again a moment later.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace caip::notifications {

class Workers final {
 public:
  using Step = std::function<bool(const std::stop_token&)>;  // whether there was something to do
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { stop(); }
  void add(Step);  // one more thread; from one thread, like stop()
  void stop();     // when the steps that are under way have ended

 private:
  void work(const Step&, const std::stop_token&);
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<std::jthread> threads_;
};

}  // namespace caip::notifications
