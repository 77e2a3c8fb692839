#include "seats.h"

#include <algorithm>

namespace caip::channel {
namespace {

constexpr std::size_t kManyBarred = 1024;

void less(std::unordered_map<std::string, int>& counts, const std::string& key) {
  auto found = counts.find(key);
  if (found != counts.end() && --found->second <= 0) counts.erase(found);
}

int count(const std::unordered_map<std::string, int>& counts, const std::string& key) {
  auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

std::chrono::nanoseconds Bucket::take(double cost, SteadyTime now, const HubLimits& limits) {
  if (at_ != SteadyTime{}) spent_ = std::max(0.0, spent_ - std::chrono::duration<double>(now - at_).count() * limits.frames_per_second);
  at_ = now;
  spent_ += cost;
  const double over = spent_ - limits.frames_at_once;
  if (over <= 0) return {};
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(over / limits.frames_per_second));
}

const char* Seats::take(const std::string& identity, const std::string& address, SteadyTime now) {
  if (barred(identity, now)) return "barred for a moment";
  if (count(identities_, identity) >= limits_.per_identity) return "too many connections with one key";
  if (count(waiting_, address) >= limits_.waiting_per_address) return "too many connections of one address that said no hello";
  ++identities_[identity];
  ++waiting_[address];
  return nullptr;
}

void Seats::welcomed(const std::string& address) { less(waiting_, address); }

void Seats::leave(const std::string& identity, const std::string& address, bool waiting) {
  less(identities_, identity);
  if (waiting) less(waiting_, address);
}

void Seats::bar(const std::string& identity, SteadyTime now) {
  if (barred_.size() >= kManyBarred) std::erase_if(barred_, [&](const auto& item) { return item.second <= now; });
  barred_[identity] = now + limits_.bar;
}

bool Seats::barred(const std::string& identity, SteadyTime now) {
  auto found = barred_.find(identity);
  return found != barred_.end() && now < found->second;
}

}  // namespace caip::channel
