#include "machine.h"

#include <mntent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "agent/config.h"
#include "sockets.h"
#include "tidy.h"
#include "users.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostDisks = 200;
constexpr std::size_t kMostMounts = 10'000;
constexpr int kMostRead = 20'000;               // processes that are looked at
constexpr std::size_t kMostText = 64 * 1024;  // of one file in /proc
constexpr std::size_t kMostStat = 4 * 1024 * 1024;  // /proc/stat has a number for each interrupt of each processor

std::string slurp(const std::string& path, std::size_t most = kMostText) {
  auto text = read_file(path, most);
  return text ? *std::move(text) : std::string();
}

template <class N>
std::optional<N> number(std::string_view text) {
  N out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (auto begin = text.find_first_not_of(" \n"); begin != text.npos; begin = text.find_first_not_of(" \n", begin)) {
    const auto end = std::min(text.find_first_of(" \n", begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

// Seconds since 1970 at which this machine started.
std::int64_t boot_time(const std::string& proc) {
  const std::string text = slurp(proc + "/stat", kMostStat);
  const auto at = text.find("\nbtime ");
  if (at == text.npos) return 0;
  const std::string_view rest = std::string_view(text).substr(at + 7);
  return number<std::int64_t>(rest.substr(0, rest.find('\n'))).value_or(0);
}

// The largest stay, and what goes is counted.
template <class List, class Key>
void keep_largest(List& list, std::size_t most, Key key, wire::Machine& out) {
  std::ranges::sort(list, std::ranges::greater(), key);
  if (const auto size = static_cast<std::size_t>(list.size()); size > most) {
    out.set_left_out(static_cast<std::uint32_t>(size - most));
    list.DeleteSubrange(static_cast<int>(most), static_cast<int>(size - most));
  }
}

// File systems that a disk answers for, and that only the kernel answers for: any other (FUSE, a network's) may never answer,
// and whoever mounts it says what its device is called.
constexpr std::array<std::string_view, 12> kOnDisks{"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "exfat", "ntfs3", "bcachefs", "jfs"};
constexpr std::array<std::string_view, 14> kOfKernel{"tmpfs", "devtmpfs", "ramfs", "overlay", "squashfs", "proc", "sysfs", "devpts", "cgroup", "cgroup2", "mqueue", "hugetlbfs", "securityfs", "bpf"};

struct Mount {
  std::string path, device, type;
};

// What one sees: mounted over, an earlier one is out of sight.
Result<std::map<std::string, Mount>> visible(const std::string& mounts) {
  const std::unique_ptr<FILE, decltype([](FILE* f) { ::endmntent(f); })> file(::setmntent(mounts.c_str(), "re"));
  if (!file) return fail(Code::internal, "the mounts cannot be listed");
  std::map<std::string, Mount> out;
  mntent entry{};
  std::string text(16 * 1024, '\0');
  while (out.size() < kMostMounts && ::getmntent_r(file.get(), &entry, text.data(), static_cast<int>(text.size())) != nullptr)
    out.insert_or_assign(entry.mnt_dir, Mount{entry.mnt_dir, entry.mnt_fsname, entry.mnt_type});
  return out;
}

// Whether the way to it leads through nothing that may hang.
bool reached_safely(const Mount& m, const std::map<std::string, Mount>& all) {
  for (std::string path = fs::path(m.path).parent_path(); path.size() > 1; path = fs::path(path).parent_path()) {
    const auto above = all.find(path);
    if (above != all.end() && !std::ranges::contains(kOnDisks, above->second.type) && !std::ranges::contains(kOfKernel, above->second.type)) return false;
  }
  return true;
}

bool is_disk(const Mount& m, const std::map<std::string, Mount>& all) {
  return m.path == "/" || (std::ranges::contains(kOnDisks, m.type) && reached_safely(m, all));
}

}  // namespace

std::optional<ProcessStat> parse_process(std::string_view text) {
  // The name stands in brackets and may have brackets and blanks of its own.
  const auto open = text.find('('), close = text.rfind(')');
  if (open == text.npos || close == text.npos || close < open) return std::nullopt;
  const auto rest = words(text.substr(close + 1));  // from the third field, the state, on
  if (rest.size() < 22 || rest[0].size() != 1) return std::nullopt;
  const auto field = [&](std::size_t n) { return number<std::uint64_t>(rest[n - 3]); };  // as proc_pid_stat(5) counts
  const auto user = field(14), system = field(15), started = field(22), resident = field(24);
  if (!user || !system || !started || !resident) return std::nullopt;
  return ProcessStat{std::string(text.substr(open + 1, close - open - 1)), rest[0][0], *user + *system, *started, *resident};
}

std::optional<std::uint32_t> parse_uid(std::string_view text) {
  const auto at = text.find("\nUid:\t");
  if (at == text.npos) return std::nullopt;
  text.remove_prefix(at + 6);
  text = text.substr(0, text.find('\n'));
  const auto first = text.find('\t');
  if (first == text.npos) return std::nullopt;
  text.remove_prefix(first + 1);
  return number<std::uint32_t>(text.substr(0, text.find('\t')));
}

std::string_view group_path(std::string_view text) {
  std::string_view old;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with("0::")) return line.substr(3);
    if (const auto at = line.find(":name=systemd:"); at != line.npos) old = line.substr(at + 14);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return old;
}

std::string unit_of(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view part = path.substr(0, path.find('/'));
    if (!part.ends_with(".slice")) return part.ends_with(".service") || part.ends_with(".scope") ? std::string(part) : std::string();
    path.remove_prefix(part.size());
  }
  return {};
}

Result<void> list_processes(wire::Machine& out, const std::string& proc) {
  out.set_of("processes");
  const Users users;
  const std::int64_t boot = boot_time(proc);
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)), page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint32_t unread = 0;
  std::error_code error;
  for (fs::directory_iterator at(proc, error), end; !error && at != end; at.increment(error)) {
    const auto pid = number<std::uint32_t>(at->path().filename().string());
    if (!pid) continue;
    if (out.processes_size() >= kMostRead) {
      ++unread;
      continue;
    }
    const std::string folder = at->path().string();
    const auto stat = parse_process(slurp(folder + "/stat"));
    const auto uid = parse_uid(slurp(folder + "/status"));
    if (!stat || !uid) continue;  // it ended meanwhile
    wire::Process& p = *out.add_processes();
    p.set_pid(*pid);
    p.set_name(tidy(stat->name, 64));
    p.set_user(users.name(*uid));
    p.set_unit(tidy(unit_of(group_path(slurp(folder + "/cgroup"))), kMaxUnitText));
    p.set_memory(stat->resident * page);
    p.set_cpu_ms(stat->cpu * 1000 / ticks);
    p.set_started_at(boot + static_cast<std::int64_t>(stat->started / ticks));
    p.set_state(std::string(1, stat->state));
  }
  if (error) return fail(Code::internal, "the processes cannot be listed: " + error.message());
  keep_largest(*out.mutable_processes(), kMostListed, [](const wire::Process& p) { return p.memory(); }, out);
  out.set_left_out(out.left_out() + unread);
  return {};
}

Result<void> list_sockets(wire::Machine& out) {
  out.set_of("sockets");
  CAIP_TRY(all, listening());
  const Users users;
  const Groups groups;
  for (const Listening& s : all) {
    wire::Socket& to = *out.add_sockets();
    to.set_protocol(s.tcp ? "tcp" : "udp");
    to.set_address(s.address);
    to.set_port(s.port);
    to.set_user(users.name(s.uid));
    to.set_unit(tidy(groups.unit(s.group), kMaxUnitText));
  }
  // TCP first: anybody can bind UDP ports by the thousand.
  const auto place = [](const wire::Socket& s) { return std::tuple(s.protocol() == "tcp", -static_cast<std::int64_t>(s.port()), s.address()); };
  keep_largest(*out.mutable_sockets(), kMostListed, place, out);
  return {};
}

Result<void> list_disks(wire::Machine& out, const std::string& mounts) {
  out.set_of("disks");
  CAIP_TRY(all, visible(mounts));
  std::set<dev_t> seen;  // mounted in several places, it is one disk
  for (const auto& [path, mount] : all) {
    struct stat where {};
    struct statvfs disk {};
    if (!is_disk(mount, all) || ::stat(path.c_str(), &where) != 0 || !seen.insert(where.st_dev).second) continue;
    if (::statvfs(path.c_str(), &disk) != 0 || disk.f_blocks == 0) continue;
    wire::Disk& d = *out.add_disks();
    d.set_path(tidy(path, kMaxUnitText));
    d.set_device(tidy(mount.device, kMaxUnitText));
    d.set_type(tidy(mount.type, 32));
    d.set_size(disk.f_blocks * disk.f_frsize);
    d.set_used((disk.f_blocks - disk.f_bfree) * disk.f_frsize);
    d.set_free(disk.f_bavail * disk.f_frsize);
    d.set_inodes(disk.f_files);
    d.set_inodes_used(disk.f_files - disk.f_ffree);
  }
  keep_largest(*out.mutable_disks(), kMostDisks, [](const wire::Disk& d) { return d.size(); }, out);
  return {};
}

}  // namespace caip::agent
