// agent/machine.h: what runs on this machine, what it listens on and how full its disks are. From /proc, the
// kernel's socket diagnosis (sock_diag(7)) and statvfs; needs no capability, so what only the owner of a process
// may see (its open files, its command line) is not there. Each list is the largest kMost; the rest is counted.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::wire { class Machine; }

namespace caip::agent {

inline constexpr std::size_t kMostListed = 1000;  // of processes, and of sockets; 200 of disks

struct ProcessStat {  // of /proc/PID/stat, in its units: clock ticks and pages
  std::string name;   // up to 15 bytes, whatever the process calls itself
  char state = '?';
  std::uint64_t cpu = 0, started = 0, resident = 0;
};
std::optional<ProcessStat> parse_process(std::string_view proc_pid_stat);
std::optional<std::uint32_t> parse_uid(std::string_view proc_pid_status);  // the effective one
// The control group that systemd goes by: of the unified tree, or its own of the old ones (cgroups(7)).
std::string_view group_path(std::string_view proc_pid_cgroup);
// The unit that a control group belongs to, as systemd has it: the first part of its path that is no slice. What a user or a
// container calls its own groups below that does not count.
std::string unit_of(std::string_view group_path);

Result<void> list_processes(wire::Machine&, const std::string& proc = "/proc");  // by memory
Result<void> list_sockets(wire::Machine&);  // listening TCP, then bound UDP; each by port
Result<void> list_disks(wire::Machine&, const std::string& mounts = "/proc/self/mounts");  // by size

}  // namespace caip::agent
