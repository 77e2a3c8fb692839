// What is left to caip-pilotd once it is confined, tried from inside in a child process.
#include "pilot/confine.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace caip::pilot {
namespace {

// 0 when `attempt` said so, inside a confined child.
template <class F>
int confined(const std::string& key_file, F attempt) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!confine(key_file)) ::_exit(99);
    ::_exit(attempt() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

bool readable(const char* path) {
  const int fd = ::open(path, O_RDONLY);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

struct File {
  std::string path = "/tmp/caip-confine-" + std::to_string(::getpid());
  File() { std::ofstream(path) << "key"; }
  ~File() { ::unlink(path.c_str()); }
};

}  // namespace

TEST_CASE("confined: no file but its own is read, none is written or made") {
  const File key;
  CHECK(confined(key.path, [&] { return readable(key.path.c_str()) && readable("/etc/hosts"); }) == 0);
  CHECK(confined("", [&] { return !readable(key.path.c_str()) && errno == EACCES; }) == 0);
  for (const char* path : {"/etc/passwd", "/root", "/proc/1/environ", "/proc/self/mem", "/var/lib"})
    CHECK(confined("", [&] { return !readable(path); }) == 0);
  CHECK(confined(key.path, [&] { return ::open(key.path.c_str(), O_WRONLY) < 0; }) == 0);
  CHECK(confined("", [&] { return ::open("/tmp/caip-made", O_WRONLY | O_CREAT, 0600) < 0; }) == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("confined: no process is started, signalled or looked into; no memory becomes code") {
  CHECK(confined("", [] { return ::fork() < 0 && errno == EPERM; }) == 0);
  CHECK(confined("", [] {
          char name[] = "/usr/bin/true";
          char* argv[] = {name, nullptr};
          ::execv(name, argv);
          return errno == EPERM || errno == EACCES;
        }) == 0);
  CHECK(confined("", [] { return ::kill(::getppid(), 0) < 0 && errno == EPERM; }) == 0);
  CHECK(confined("", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM; }) == 0);
  CHECK(confined("", [] { return ::socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM; }) == 0);
  CHECK(confined("", [] { return ::ioctl(STDERR_FILENO, TIOCSTI, "x") < 0 && errno == EPERM; }) == 0);
  CHECK(confined("", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0 && errno == EPERM; }) == 0);
  CHECK(confined("", [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }) == 0);
}
#endif

TEST_CASE("confined: sockets and threads still work, which is what it is there for") {
  CHECK(confined("", [] {
          const int s = ::socket(AF_INET, SOCK_STREAM, 0);
          bool ran = false;
          std::thread([&] { ran = true; }).join();
          return s >= 0 && ran;
        }) == 0);
  CHECK(confined("", [] {
          addrinfo* found = nullptr;
          const bool resolved = ::getaddrinfo("localhost", "443", nullptr, &found) == 0;
          return resolved && found != nullptr;
        }) == 0);
}

}  // namespace caip::pilot
