#include "notifications/workers.h"

namespace caip::notifications {
namespace {

constexpr auto kLook = std::chrono::milliseconds(200);

}  // namespace

void Workers::add(Step step) {
  threads_.emplace_back([this, step = std::move(step)](const std::stop_token& stop) { work(step, stop); });
}

void Workers::stop() {
  for (auto& t : threads_) t.request_stop();
  threads_.clear();
}

void Workers::work(const Step& step, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (step(stop)) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kLook, [] { return false; });
  }
}

}  // namespace caip::notifications
