#include "throttle.h"

#include <algorithm>
#include <cstring>

#include "base/network.h"
#include "crypto/hash.h"

namespace caip::auth {
namespace {

constexpr std::size_t kMaxEntries = 20'000;

Counter counter(Budget budget, std::string_view kind, const std::string& what) {
  return {crypto::sha256(view(std::string(kind) + '\n' + what)), budget};
}

}  // namespace

Counters counters_of_stranger(const std::string& account, const std::string& address) {
  const std::string network = network_of(address);
  return {counter(kOfPair, "pair", account + '\n' + network), counter(kOfNetwork, "network", network), counter(kOfAccount, "account", account)};
}

Counters counters_of_codes(const std::string& account, const std::string& address) {
  return {counter(kOfCodes, "codes", account + '\n' + network_of(address)), counter(kOfAllCodes, "all codes", account)};
}

Counters counters_of_device(const std::string& device) { return {counter(kOfDevice, "device", device)}; }

std::size_t Throttle::Hash::operator()(const Digest& d) const noexcept {
  std::size_t out = 0;
  std::memcpy(&out, d.data(), sizeof out);
  return out;
}

Result<void> Throttle::check(const Counts& counts, const Counters& counters, Instant now) {
  for (const Counter& c : counters)
    if (const auto it = counts.find(c.key); it != counts.end() && now < it->second.until) {
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(it->second.until - now).count();
      return fail(Code::too_many, "too many failed attempts; try again in " + std::to_string(seconds) + " s");
    }
  return {};
}

Result<void> Throttle::check(const Counters& counters) const {
  const Instant now = clock_.now();
  return counts_.with([&](const Counts& counts) { return check(counts, counters, now); });
}

bool Throttle::first_refusal(const Counters& counters) {
  const Instant now = clock_.now();
  return counts_.with([&](Counts& counts) {
    bool first = false;
    for (const Counter& c : counters)
      if (const auto it = counts.find(c.key); it != counts.end() && now < it->second.until && it->second.told != it->second.until) {
        it->second.told = it->second.until;
        first = true;
      }
    return first;
  });
}

std::vector<Failures> Throttle::count(Counts& counts, const Counters& counters, Instant now) {
  // Full of live entries: an attack from very many addresses. Forgetting is the lesser evil;
  // the hashing slots bound the rate all the same.
  if (counts.size() >= kMaxEntries) std::erase_if(counts, [&](const auto& e) { return now - e.second.last > e.second.forget; });
  if (counts.size() >= kMaxEntries) counts.clear();
  std::vector<Failures> out;
  for (const Counter& c : counters) {
    Count& count = counts[c.key];
    if (now - count.last > c.budget.forget) count = {};
    count.last = now;
    count.forget = c.budget.forget;
    if (++count.failures >= c.budget.free) {
      const auto doublings = std::min<std::int64_t>(count.failures - c.budget.free, 12);
      count.until = now + std::min<Duration>(std::chrono::seconds(1LL << doublings), c.budget.longest);
    }
    out.push_back({c.key, count.failures, count.last, count.until});
  }
  return out;
}

std::vector<Failures> Throttle::failed(const Counters& counters) {
  const Instant now = clock_.now();
  return counts_.with([&](Counts& counts) { return count(counts, counters, now); });
}

Result<std::vector<Failures>> Throttle::take(const Counters& counters) {
  const Instant now = clock_.now();
  return counts_.with([&](Counts& counts) -> Result<std::vector<Failures>> {
    CAIP_CHECKED(check(counts, counters, now));
    return count(counts, counters, now);
  });
}

void Throttle::succeeded(const Counters& counters) {
  counts_.with([&](Counts& counts) { counts.erase(counters.front().key); });
}

void Throttle::forget(const Counters& counters) {
  counts_.with([&](Counts& counts) {
    for (const Counter& c : counters) counts.erase(c.key);
  });
}

void Throttle::load(const std::vector<Failures>& rows) {
  counts_.with([&](Counts& counts) {
    for (const auto& f : rows) counts[f.key] = Count{.failures = f.failures, .last = f.last, .until = f.until};
  });
}

}  // namespace caip::auth
