#include "throttle.h"

#include "base/network.h"

#include <algorithm>

namespace caip::auth {
namespace {

constexpr unsigned kFreePerPair = 5;
constexpr unsigned kFreePerAddress = 30;
constexpr Duration kLongest = std::chrono::minutes(15);
constexpr Duration kForget = std::chrono::hours(1);
constexpr std::size_t kMaxEntries = 20'000;

std::string pair_key(const std::string& who, const std::string& address) { return who + "\n" + network_of(address); }
std::string address_key(const std::string& address) { return "\n" + network_of(address); }

}  // namespace

Result<void> Throttle::check(const std::string& who, const std::string& address) const {
  const Instant now = clock_.now();
  return counts_.with([&](const Counts& counts) -> Result<void> {
    for (const auto& key : {pair_key(who, address), address_key(address)})
      if (const auto it = counts.find(key); it != counts.end() && now < it->second.until) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(it->second.until - now).count();
        return fail(Code::too_many, "too many failed attempts; try again in " + std::to_string(seconds) + " s");
      }
    return {};
  });
}

bool Throttle::first_refusal(const std::string& who, const std::string& address) {
  const Instant now = clock_.now();
  return counts_.with([&](Counts& counts) {
    bool first = false;
    for (const auto& key : {pair_key(who, address), address_key(address)})
      if (const auto it = counts.find(key); it != counts.end() && now < it->second.until && it->second.told != it->second.until) {
        it->second.told = it->second.until;
        first = true;
      }
    return first;
  });
}

void Throttle::count(Counts& counts, std::string key, unsigned free, Instant now) {
  Count& c = counts[std::move(key)];
  if (now - c.last > kForget) c = {};
  c.last = now;
  if (++c.failures < free) return;
  const unsigned doublings = std::min(c.failures - free, 12U);
  c.until = now + std::min<Duration>(std::chrono::seconds(1LL << doublings), kLongest);
}

void Throttle::failed(const std::string& who, const std::string& address) {
  const Instant now = clock_.now();
  counts_.with([&](Counts& counts) {
    // Full of live entries: an attack from very many addresses. Forgetting is the lesser evil;
    // the hashing slots bound the rate all the same.
    if (counts.size() >= kMaxEntries) std::erase_if(counts, [&](const auto& e) { return now - e.second.last > kLongest; });
    if (counts.size() >= kMaxEntries) counts.clear();
    count(counts, pair_key(who, address), kFreePerPair, now);
    count(counts, address_key(address), kFreePerAddress, now);
  });
}

void Throttle::succeeded(const std::string& who, const std::string& address) {
  counts_.with([&](Counts& counts) { counts.erase(pair_key(who, address)); });
}

}  // namespace caip::auth
