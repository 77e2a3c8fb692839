// What is left to caip-keeper once it is confined, tried from inside in a child process.
#include "secrets/confine.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "secrets/serve.h"

namespace caip::secrets {
namespace {

constexpr int kOther = 7;  // a descriptor that was open when it was confined

// 0 when `attempt` said so, in a child that was hidden and confined, with a socket at kKeeperFd and another at kOther.
template <class F>
int confined(F attempt) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0) ::_exit(97);
    const int a = ::fcntl(pair[0], F_DUPFD, 50), b = ::fcntl(pair[1], F_DUPFD, 50);
    if (::dup2(a, kKeeperFd) != kKeeperFd || ::dup2(b, kOther) != kOther) ::_exit(98);
    if (!hide() || !confine()) ::_exit(99);
    ::_exit(attempt() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

template <class R>
bool refused(R result) {
  return result == static_cast<R>(-1) && errno == EPERM;
}

}  // namespace

TEST_CASE("hidden: nobody looks in, no core is left, and freed memory is overwritten", "[process]") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool good = ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 && hide();
    rlimit core{1, 1};
    good = good && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
    // With M_PERTURB new memory has the complement of what old memory is overwritten with.
    volatile unsigned char* fresh = static_cast<unsigned char*>(::malloc(100'000));
    good = good && fresh[50'000] == (0x5a ^ 0xff);
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("confined: it talks over its own socket and over no other descriptor", "[process]") {
  CHECK(confined([] { return ::send(kKeeperFd, "x", 1, MSG_NOSIGNAL) == 1; }) == 0);
  CHECK(confined([] { return refused(::write(kOther, "x", 1)) && refused(::send(kOther, "x", 1, 0)); }) == 0);
  CHECK(confined([] {
          char c = 0;
          return ::send(kKeeperFd, "x", 1, MSG_NOSIGNAL) == 1 && refused(::read(kOther, &c, 1)) && refused(::recv(kOther, &c, 1, 0));
        }) == 0);
  CHECK(confined([] {
          iovec part{};
          msghdr message{};
          message.msg_iov = &part;
          message.msg_iovlen = 1;
          return refused(::sendmsg(kKeeperFd, &message, 0)) && refused(::recvmsg(kKeeperFd, &message, 0));
        }) == 0);
}

TEST_CASE("confined: no file, no socket, no process, no other's memory, no memory that is code", "[process]") {
  CHECK(confined([] { return refused(::open("/dev/null", O_RDONLY)) && refused(::unlink("/tmp/caip-none")); }) == 0);
  CHECK(confined([] { return refused(::syscall(SYS_memfd_create, "x", 0)) && refused(::dup(kKeeperFd)); }) == 0);
  CHECK(confined([] {
          std::array<int, 2> ends{};
          return refused(::pipe(ends.data())) && refused(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()));
        }) == 0);
  CHECK(confined([] { return refused(::socket(AF_INET, SOCK_STREAM, 0)) && refused(::socket(AF_UNIX, SOCK_STREAM, 0)) && refused(::connect(kKeeperFd, nullptr, 0)); }) == 0);
  CHECK(confined([] { return refused(::listen(kOther, 1)) && refused(::accept(kOther, nullptr, nullptr)); }) == 0);
  CHECK(confined([] { return refused(::fork()); }) == 0);
  CHECK(confined([] {
          char name[] = "/usr/bin/true";
          char* argv[] = {name, nullptr};
          return refused(::execv(name, argv));
        }) == 0);
  CHECK(confined([] { return refused(::kill(::getpid(), 0)) && refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }) == 0);
  CHECK(confined([] { return refused(::syscall(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0)); }) == 0);
  CHECK(confined([] { return refused(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)) && refused(::syscall(SYS_prlimit64, 0, RLIMIT_CORE, nullptr, nullptr)); }) == 0);
  CHECK(confined([] { return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM; }) == 0);
  CHECK(confined([] {
          void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          return page != MAP_FAILED && refused(::mprotect(page, 4096, PROT_READ | PROT_EXEC));
        }) == 0);
}

}  // namespace caip::secrets
