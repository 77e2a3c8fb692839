// failing_calls.h: the system calls by which a program changes files, in a test's hands: while one of these lives each is
// counted, and the n-th fails, with the error of the test's choice. One file of the program includes
// failing_calls_here.h, which puts them before the C library's. For one thread.
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

namespace caip::test {

class FailingCalls {
 public:
  explicit FailingCalls(std::size_t fail_at = 0, int error = EIO) : fail_at_(fail_at), error_(error) { looking() = this; }
  ~FailingCalls() { looking() = nullptr; }
  FailingCalls(const FailingCalls&) = delete;
  FailingCalls& operator=(const FailingCalls&) = delete;
  const std::vector<std::string>& seen() const { return seen_; }
  bool reached() const { return fail_at_ != 0 && seen_.size() >= fail_at_; }
  off_t given_away = -1;  // how long a file was when it got its owner

  static FailingCalls*& looking() {
    static FailingCalls* one = nullptr;
    return one;
  }
  static bool fails(const char* call) {
    FailingCalls* const me = looking();
    if (!me) return false;
    me->seen_.emplace_back(call);
    if (me->seen_.size() != me->fail_at_) return false;
    errno = me->error_;
    return true;
  }
  static struct stat stat_of(int fd) {
    struct stat s {};
    ::syscall(SYS_fstat, fd, &s);
    return s;
  }
  static const char* sync_of(int fd) { return S_ISDIR(stat_of(fd).st_mode) ? "sync the folder" : "sync the file"; }
  static constexpr std::size_t kMostAtOnce = 60'000;  // a long file takes more than one write

 private:
  std::size_t fail_at_;
  int error_;
  std::vector<std::string> seen_;
};

// The ways in which a disk fails.
inline constexpr std::array kDiskErrors{EIO, ENOSPC, EROFS, EDQUOT};

// One life for each call that can fail and each way it can; `life(n, error)` says whether there was an n-th call.
template <class Life>
std::size_t each_fault(Life life) {
  std::size_t hit = 0;
  for (const int error : kDiskErrors)
    for (std::size_t n = 1; life(n, error); ++n) ++hit;
  return hit;
}

}  // namespace caip::test
