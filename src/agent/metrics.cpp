#include "metrics.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <charconv>

#include "agent/config.h"
#include "base/product.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

std::string slurp(const std::string& path) {
  auto text = read_file(path, 1024 * 1024);
  return text ? *std::move(text) : std::string();
}

// Calls f(line) for each line.
template <class F>
void lines(std::string_view text, F f) {
  while (!text.empty()) {
    auto end = text.find('\n');
    f(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

bool take_number(std::string_view& text, std::uint64_t& out) {
  auto start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::uint64_t rate(std::uint64_t now, std::uint64_t before, double seconds) {
  return now > before && seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(now - before) / seconds) : 0;
}

}  // namespace

CpuTimes parse_stat(std::string_view text) {
  CpuTimes out;
  if (!text.starts_with("cpu ")) return out;
  text.remove_prefix(4);
  text = text.substr(0, text.find('\n'));
  std::uint64_t v = 0;
  for (int field = 0; field < 8 && take_number(text, v); ++field) {  // guest time is in user already
    out.total += v;
    if (field != 3 && field != 4) out.busy += v;  // idle, iowait
  }
  return out;
}

NetBytes parse_net(std::string_view text) {
  NetBytes out;
  lines(text, [&](std::string_view line) {
    auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view name = line.substr(0, colon);
    name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
    if (name == "lo") return;
    line.remove_prefix(colon + 1);
    std::uint64_t v = 0;
    for (int field = 0; field < 9 && take_number(line, v); ++field) {
      if (field == 0) out.received += v;
      if (field == 8) out.sent += v;
    }
  });
  return out;
}

std::uint64_t meminfo_bytes(std::string_view text, std::string_view name) {
  std::uint64_t kib = 0;
  lines(text, [&](std::string_view line) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') return;
    line.remove_prefix(name.size() + 1);
    std::uint64_t v = 0;
    if (take_number(line, v)) kib = v;
  });
  return kib * 1024;
}

MetricsReader::MetricsReader(std::string proc)
    : proc_(std::move(proc)), cpu_(parse_stat(slurp(proc_ + "/stat"))), net_(parse_net(slurp(proc_ + "/net/dev"))),
      at_(std::chrono::steady_clock::now()) {}

void MetricsReader::read(wire::Metrics& out) {
  auto now = std::chrono::steady_clock::now();
  double seconds = std::chrono::duration<double>(now - at_).count();
  CpuTimes cpu = parse_stat(slurp(proc_ + "/stat"));
  if (cpu.total > cpu_.total && cpu.busy >= cpu_.busy)
    out.set_cpu_ratio(static_cast<double>(cpu.busy - cpu_.busy) / static_cast<double>(cpu.total - cpu_.total));
  NetBytes net = parse_net(slurp(proc_ + "/net/dev"));
  out.set_net_rx_bps(rate(net.received, net_.received, seconds));
  out.set_net_tx_bps(rate(net.sent, net_.sent, seconds));
  const std::string memory = slurp(proc_ + "/meminfo");
  std::uint64_t total = meminfo_bytes(memory, "MemTotal"), available = meminfo_bytes(memory, "MemAvailable");
  out.set_mem_total(total);
  out.set_mem_used(total > available ? total - available : 0);
  struct statvfs disk {};
  if (::statvfs("/", &disk) == 0) {
    out.set_disk_total(disk.f_blocks * disk.f_frsize);
    out.set_disk_used((disk.f_blocks - disk.f_bfree) * disk.f_frsize);
  }
  const std::string load = slurp(proc_ + "/loadavg");
  double one = 0;
  if (std::from_chars(load.data(), load.data() + load.size(), one).ec == std::errc()) out.set_load1(one);
  cpu_ = cpu;
  net_ = net;
  at_ = now;
}

void read_hello(wire::Hello& out) {
  struct utsname names {};
  if (::uname(&names) == 0) {
    out.set_hostname(names.nodename);
    out.set_kernel(std::string(names.sysname) + " " + names.release + " " + names.machine);
  }
  lines(slurp("/etc/os-release"), [&](std::string_view line) {
    constexpr std::string_view kKey = "PRETTY_NAME=";
    if (!line.starts_with(kKey)) return;
    line.remove_prefix(kKey.size());
    if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
    out.set_os(std::string(line));
  });
  out.set_version(std::string(kVersion));
}

}  // namespace caip::agent
