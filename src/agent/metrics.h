// agent/metrics.h: what this machine is doing, from /proc and statvfs.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace caip::wire { class Hello; class Metrics; }

namespace caip::agent {

struct CpuTimes {
  std::uint64_t busy = 0, total = 0;
};
struct NetBytes {
  std::uint64_t received = 0, sent = 0;
};
CpuTimes parse_stat(std::string_view proc_stat);
NetBytes parse_net(std::string_view proc_net_dev);  // all interfaces but lo
std::uint64_t meminfo_bytes(std::string_view proc_meminfo, std::string_view name);

class MetricsReader {  // remembers the last reading: rates are since then
 public:
  explicit MetricsReader(std::string proc = "/proc");
  void read(wire::Metrics&);

 private:
  std::string proc_;
  CpuTimes cpu_;
  NetBytes net_;
  std::chrono::steady_clock::time_point at_;
};

void read_hello(wire::Hello&);

}  // namespace caip::agent
