// What the machine says of itself: the kernel's files as they are and as a process may make them look, and this very machine.
#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <rapidcheck.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "fd.h"
#include "machine.h"
#include "sockets.h"
#include "tidy.h"
#include "users.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

constexpr std::string_view kAfterName = " S 1 2 3 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 1234 99999 77 18446744073709551615 1\n";

std::string stat_of(std::string_view name) { return "42 (" + std::string(name) + ")" + std::string(kAfterName); }

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "caip-machine-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void put(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
};

}  // namespace

TEST_CASE("a process is read whatever it calls itself") {
  for (const char* name : {"nginx", "a b", ") S 1 2", "((", "x) R 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9", ""}) {
    const auto p = parse_process(stat_of(name));
    REQUIRE(p.has_value());
    CHECK(p->name == name);
    CHECK(p->state == 'S');
    CHECK(p->cpu == 300);
    CHECK(p->started == 1234);
    CHECK(p->resident == 77);
  }
  for (const char* bad : {"", "42", "42 (a", "42 a) S", "42 (a) S 1 2", ")("}) CHECK_FALSE(parse_process(bad));
  CHECK_FALSE(parse_process("42 (a) S 1 2 3 0 -1 4194560 1 0 0 0 x 50 0 0 20 0 1 0 1234 99999 77"));
}

TEST_CASE("whose a process is, and to which service it belongs") {
  CHECK(parse_uid("Name:\tnginx\nUid:\t33\t34\t35\t36\nGid:\t1\t1\t1\t1\n") == 34);  // the one that counts
  for (const char* bad : {"", "Uid:\t1\t2", "\nUid:\t1", "\nUid:\tx\ty\n", "\nUid:\t1\t-1\n"}) CHECK_FALSE(parse_uid(bad));
  const auto unit = [](std::string_view text) { return unit_of(group_path(text)); };
  CHECK(unit("0::/system.slice/nginx.service\n") == "nginx.service");
  CHECK(unit("12:pids:/other.service\n1:name=systemd:/old.service\n0::/system.slice/nginx.service\n") == "nginx.service");  // both kinds at once
  CHECK(unit("12:pids:/other.service\n1:name=systemd:/system.slice/nginx.service\n") == "nginx.service");
  CHECK(unit("0::/system.slice/system-getty.slice/getty@tty1.service/sub/leaf\n") == "getty@tty1.service");
  // What users and containers call their own groups is not what this machine's systemd calls its units.
  CHECK(unit("0::/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service\n") == "user@1000.service");
  CHECK(unit("0::/machine.slice/systemd-nspawn@c.service/payload/system.slice/ssh.service\n") == "systemd-nspawn@c.service");
  CHECK(unit("0::/docker/nginx.service\n").empty());
  CHECK(unit("0::/user.slice/user-1000.slice/session-3.scope\n") == "session-3.scope");
  for (const char* none : {"0::/\n", "", "12:pids:/other.service\n", "0::", "\n\n"}) CHECK(unit(none).empty());
}

TEST_CASE("processes of a made up /proc: the largest first, so many of them, the rest counted; what ended meanwhile is passed over") {
  const Folder proc;
  proc.put("stat", "cpu 1 2 3\nbtime 1000\nprocesses 5\n");
  for (int pid = 1; pid <= 1003; ++pid) {
    const std::string folder = std::to_string(pid) + "/";
    proc.put(folder + "stat", std::to_string(pid) + " (\xff" + "p) R 1 2 3 0 -1 4 1 0 0 0 200 100 0 0 20 0 1 0 300 9 " + std::to_string(pid) + " 1 1\n");
    proc.put(folder + "status", "Name:\tp\nUid:\t4000000\t4000000\t0\t0\n");
    proc.put(folder + "cgroup", "0::/system.slice/a.service\n");
  }
  proc.put("7777/stat", stat_of("gone"));  // no status
  proc.put("self/stat", stat_of("not a number"));
  wire::Machine out;
  REQUIRE(list_processes(out, proc.path.string()));
  REQUIRE(out.processes_size() == static_cast<int>(kMostListed));
  CHECK(out.left_out() == 3);
  CHECK(out.processes(0).pid() == 1003);
  CHECK(out.processes(999).pid() == 4);
  const wire::Process& first = out.processes(0);
  CHECK(valid_utf8(first.name()));
  CHECK(first.user() == "4000000");
  CHECK(first.unit() == "a.service");
  CHECK(first.memory() == 1003 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  CHECK(first.cpu_ms() == 300 * 1000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  CHECK(first.started_at() == 1000 + 300 / ::sysconf(_SC_CLK_TCK));
  CHECK_FALSE(list_processes(out, (proc.path / "none").string()));
}

TEST_CASE("this test finds itself among the processes of this machine, and no command line") {
  REQUIRE(::prctl(PR_SET_NAME, "it is (me)") == 0);
  wire::Machine out;
  REQUIRE(list_processes(out));
  const auto me = std::ranges::find_if(out.processes(), [](const wire::Process& p) { return p.pid() == static_cast<std::uint32_t>(::getpid()); });
  REQUIRE(me != out.processes().end());
  CHECK(me->name() == "it is (me)");
  CHECK(me->user() == Users().name(::geteuid()));
  CHECK(me->memory() > 0);
  CHECK(me->started_at() > 1'600'000'000);
}

TEST_CASE("what listens is found, over both protocols and families; what is only connected or not bound is not") {
  const auto bound = [](int family, int type) {
    Fd fd(::socket(family, type | SOCK_CLOEXEC, 0));
    sockaddr_in6 six{.sin6_family = AF_INET6, .sin6_port = 0, .sin6_flowinfo = 0, .sin6_addr = in6addr_loopback, .sin6_scope_id = 0};
    sockaddr_in four{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const bool v6 = family == AF_INET6;
    REQUIRE(::bind(fd.get(), v6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four), v6 ? sizeof six : sizeof four) == 0);
    socklen_t size = v6 ? sizeof six : sizeof four;
    REQUIRE(::getsockname(fd.get(), v6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four), &size) == 0);
    return std::pair(std::move(fd), static_cast<std::uint32_t>(ntohs(v6 ? six.sin6_port : four.sin_port)));
  };
  for (const int family : {AF_INET, AF_INET6})
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      CAPTURE(family, type);
      const auto [fd, port] = bound(family, type);
      const auto there = [&, wanted = port] {
        wire::Machine out;
        REQUIRE(list_sockets(out));
        return std::ranges::any_of(out.sockets(), [&](const wire::Socket& s) {
          return s.port() == wanted && s.protocol() == (type == SOCK_STREAM ? "tcp" : "udp") && s.address() == (family == AF_INET ? "127.0.0.1" : "::1") && s.user() == Users().name(::geteuid());
        });
      };
      if (type == SOCK_STREAM) {
        CHECK_FALSE(there());
        REQUIRE(::listen(fd.get(), 1) == 0);
      }
      CHECK(there());
    }
}

TEST_CASE("the disk that is mounted at the root is listed once, with what statvfs says; what is no disk and what cannot be asked is not") {
  const Folder f;
  f.put("mounts", "/dev/root / ext4 rw 0 0\n/dev/root / ext4 rw 0 0\n/dev/gone /no/such\\040place xfs rw 0 0\nproc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n");
  wire::Machine out;
  REQUIRE(list_disks(out, (f.path / "mounts").string()));
  REQUIRE(out.disks_size() == 1);
  struct statvfs now {};
  REQUIRE(::statvfs("/", &now) == 0);
  CHECK(out.disks(0).path() == "/");
  CHECK(out.disks(0).device() == "/dev/root");
  CHECK(out.disks(0).size() == now.f_blocks * now.f_frsize);
  CHECK(out.disks(0).used() <= out.disks(0).size());
  CHECK(out.disks(0).inodes_used() <= out.disks(0).inodes());
  CHECK_FALSE(list_disks(out, (f.path / "none").string()));
}

TEST_CASE("what may never answer is not asked: FUSE that calls itself a disk, a network's, what lies over a disk, and what is reached through them") {
  const Folder f;
  const auto listed = [&](std::string mounts, std::string path) {
    f.put("mounts", mounts);
    wire::Machine out;
    REQUIRE(list_disks(out, (f.path / "mounts").string()));
    CHECK(out.of() == "disks");
    return std::ranges::any_of(out.disks(), [&](const wire::Disk& d) { return d.path() == path; });
  };
  const std::string at = f.path.string(), in = (f.path / "in").string();
  std::filesystem::create_directories(in);
  CHECK(listed("/dev/sda1 " + at + " ext4 rw 0 0\n", at));
  CHECK(listed("tank/x " + at + " zfs rw 0 0\n", at));
  for (const char* type : {"fuse", "fuse.sshfs", "fuseblk", "nfs4", "cifs", "9p", "ceph", "unheard-of"}) {
    CAPTURE(type);
    const std::string over = "/dev/sda9 " + at + " " + type + " rw 0 0\n";
    CHECK_FALSE(listed(over, at));
    CHECK_FALSE(listed("/dev/sda1 " + at + " ext4 rw 0 0\n" + over, at));
    CHECK_FALSE(listed(over + "/dev/loop0 " + in + " ext4 rw 0 0\n", in));
  }
  CHECK(listed("tmpfs " + at + " tmpfs rw 0 0\n/dev/loop0 " + in + " ext4 rw 0 0\n", in));
}

TEST_CASE("users are those of /etc/passwd, others a number") {
  const Folder f;
  f.put("passwd", "root:x:0:0::/root:/bin/sh\nbroken\nlong:x:7:7:" + std::string(100'000, 'x') + ":/:/bin/sh\nwww\xff:x:33:33::/:/bin/false\nsecond:x:33:33::/:/bin/false\n");
  const Users users((f.path / "passwd").c_str());
  CHECK(users.name(0) == "root");
  CHECK(valid_utf8(users.name(33)));
  CHECK(users.name(33).starts_with("www"));
  CHECK(users.name(5) == "5");
}

TEST_CASE("an answer of the kernel's that is cut or says that it is longer than it is, is refused or left out, never read beyond") {
  std::string whole(sizeof(nlmsghdr) + sizeof(inet_diag_msg) + 12, '\0');
  nlmsghdr head{.nlmsg_len = static_cast<std::uint32_t>(whole.size()), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = 0, .nlmsg_seq = 0, .nlmsg_pid = 0};
  inet_diag_msg body{};
  body.idiag_family = AF_INET;
  body.id.idiag_sport = htons(443);
  const std::uint16_t attribute[2] = {12, INET_DIAG_CGROUP_ID};
  const std::uint64_t group = 77;
  std::memcpy(whole.data(), &head, sizeof head);
  std::memcpy(whole.data() + sizeof head, &body, sizeof body);
  std::memcpy(whole.data() + sizeof head + sizeof body, attribute, sizeof attribute);
  std::memcpy(whole.data() + sizeof head + sizeof body + sizeof attribute, &group, sizeof group);
  std::vector<Listening> out;
  REQUIRE(take_answer(whole + whole, true, out).value());
  REQUIRE(out.size() == 2);
  CHECK(out[1].port == 443);
  CHECK(out[1].group == 77);
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    const std::string part = whole.substr(0, cut);  // a buffer of its own, for the sanitizers
    out.clear();
    const auto r = take_answer(part, true, out);
    CHECK(out.empty());
    CHECK(r.value_or(false) == (cut < sizeof(nlmsghdr)));
  }
  for (const std::uint32_t length : {0U, 15U, 16U, 17U, 80U}) {
    head.nlmsg_len = length;
    std::string wrong = whole;
    std::memcpy(wrong.data(), &head, sizeof head);
    out.clear();
    static_cast<void>(take_answer(wrong, true, out));
    CHECK(out.empty());
  }
  head = {.nlmsg_len = sizeof head, .nlmsg_type = NLMSG_DONE, .nlmsg_flags = 0, .nlmsg_seq = 0, .nlmsg_pid = 0};
  CHECK_FALSE(take_answer({reinterpret_cast<const char*>(&head), sizeof head}, true, out).value());
  head.nlmsg_type = NLMSG_ERROR;
  CHECK_FALSE(take_answer({reinterpret_cast<const char*>(&head), sizeof head}, true, out));
  // The last message says why there is nothing, where the kernel could not look.
  const auto last = [&](int why) {
    head = {.nlmsg_len = sizeof head + sizeof why, .nlmsg_type = NLMSG_DONE, .nlmsg_flags = 0, .nlmsg_seq = 0, .nlmsg_pid = 0};
    std::string message(sizeof head + sizeof why, '\0');
    std::memcpy(message.data(), &head, sizeof head);
    std::memcpy(message.data() + sizeof head, &why, sizeof why);
    return take_answer(message, true, out);
  };
  CHECK_FALSE(last(0).value());
  CHECK_FALSE(last(-ENOENT));
}

TEST_CASE("a control group's number names its service") {
  const Folder f;
  std::filesystem::create_directories(f.path / "system.slice" / "nginx.service" / "inner");
  struct stat folder {};
  REQUIRE(::stat((f.path / "system.slice" / "nginx.service" / "inner").c_str(), &folder) == 0);
  std::filesystem::path deep = f.path / "system.slice";
  for (int i = 0; i < 300; ++i) deep /= "d";
  std::filesystem::create_directories(deep);
  Groups groups;
  groups.add(f.path, "", 0);
  CHECK(groups.unit(folder.st_ino) == "nginx.service");
  CHECK(groups.unit(0).empty());
}

TEST_CASE("the largest lists fit a frame") {
  wire::OrderResult r;
  for (std::size_t i = 0; i < kMostListed; ++i) {
    wire::Process& p = *r.mutable_machine()->add_processes();
    p.set_pid(UINT32_MAX);
    p.set_name(tidy(std::string(100, '\xff'), 64));
    p.set_user(tidy(std::string(100, '\xff'), 64));
    p.set_unit(tidy(std::string(500, '\xff'), kMaxUnitText));
    p.set_memory(UINT64_MAX);
    p.set_cpu_ms(UINT64_MAX);
    p.set_started_at(INT64_MIN);
  }
  CHECK(r.ByteSizeLong() < 900 * 1024);
  r.clear_machine();
  for (std::size_t i = 0; i < kMostListed; ++i) {
    wire::Socket& s = *r.mutable_machine()->add_sockets();
    s.set_address(std::string(INET6_ADDRSTRLEN, 'f'));
    s.set_port(65'535);
    s.set_user(tidy(std::string(100, '\xff'), 64));
    s.set_unit(tidy(std::string(500, '\xff'), kMaxUnitText));
  }
  CHECK(r.ByteSizeLong() < 900 * 1024);
}

}  // namespace caip::agent
