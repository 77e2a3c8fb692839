#include "pilot/client.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>

#include "planner.h"
#include "wire.h"

namespace caip::pilot {
namespace {

constexpr std::chrono::seconds kPatience{180};      // with a turn
constexpr std::chrono::seconds kShortPatience{10};  // with a list of models

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// The processes that answer now. A child is reaped under the lock, so that stop() never signals a
// number that is somebody else's by then.
class Children {
 public:
  bool add(pid_t pid) {  // false: stopped meanwhile
    const std::scoped_lock lock(mutex_);
    pids_.insert(pid);
    return !stopped_;
  }
  void remove(pid_t pid) {
    const std::scoped_lock lock(mutex_);
    ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    pids_.erase(pid);
  }
  void stop() {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
  }

 private:
  std::mutex mutex_;
  std::set<pid_t> pids_;
  bool stopped_ = false;
};

class Child {  // never outlives its turn
 public:
  Child(Children& all, pid_t pid) : all_(all), pid_(pid), wanted_(all.add(pid)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { all_.remove(pid_); }
  bool wanted() const { return wanted_; }

 private:
  Children& all_;
  pid_t pid_;
  bool wanted_;
};

// What the child gets from our environment: where to find a proxy and the authorities.
std::vector<std::string> environment() {
  std::vector<std::string> out{"LANG=C.UTF-8"};
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    if (const char* value = std::getenv(name)) out.push_back(std::string(name) + "=" + value);
  return out;
}

// The program's standard input is the socket; it inherits standard error and nothing else.
Result<pid_t> start(const std::filesystem::path& program, const std::filesystem::path& key_file, int socket) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, socket, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  std::string name = program.string(), key = key_file.string();
  auto variables = environment();
  std::vector<char*> envp;
  for (auto& v : variables) envp.push_back(v.data());
  envp.push_back(nullptr);
  std::array<char*, 3> argv{name.data(), key.empty() ? nullptr : key.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &files, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return fail(Code::unavailable, "cannot start the pilot's process");
  return pid;
}

class Slots {  // at most so many at once
 public:
  explicit Slots(std::atomic<unsigned>& used, unsigned max) : used_(used), taken_(used_.fetch_add(1) < max) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  ~Slots() { used_.fetch_sub(1); }
  bool taken() const { return taken_; }

 private:
  std::atomic<unsigned>& used_;
  bool taken_;
};

class ProcessClient final : public PilotClient {
 public:
  ProcessClient(std::filesystem::path program, Provider provider, unsigned at_once)
      : program_(std::move(program)), provider_(std::move(provider)), at_once_(at_once) {}

  About about() const override { return pilot::about(provider_); }

  Result<Turn> turn(std::span<const Message> messages, const Terms& terms) override {
    Provider provider = terms.provider.value_or(provider_);
    provider.allow_networks = terms.provider ? provider_.owner_networks : provider_.allow_networks;
    CAIP_TRY(event, exchange(std::move(provider), {"turn", messages, kPatience}, terms));
    if (!event.done) return fail(Code::unavailable, "the pilot said something else");
    return *std::move(event.done);
  }

  Result<std::vector<std::string>> models(const Provider& provider, const SendKey& send_key) override {
    Provider there = provider;
    there.allow_networks = provider_.owner_networks;
    CAIP_TRY(event, exchange(std::move(there), {"models", {}, kShortPatience}, {.send_key = send_key}));
    if (!event.models) return fail(Code::unavailable, "the pilot said something else");
    return *std::move(event.models);
  }

  void stop() override { children_.stop(); }

 private:
  struct Question {
    std::string_view what;
    std::span<const Message> messages;
    std::chrono::seconds patience;
  };
  // One process, one question; its last event.
  Result<Event> exchange(Provider provider, const Question& question, const Terms& terms) {
    if (terms.stop.stop_requested()) return fail(Code::unavailable, "the pilot was stopped");
    const Slots slot(running_, at_once_);
    if (!slot.taken()) return fail(Code::too_many, "the pilot is busy; try again in a moment");
    std::array<int, 2> pair{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return fail(Code::unavailable, "no socket for the pilot's process");
    const Fd ours(pair[0]);
    Fd theirs(pair[1]);
    CAIP_TRY(pid, start(program_, provider.api_key_file, theirs.get()));
    const Child child(children_, pid);
    theirs.close();
    if (!child.wanted()) return fail(Code::unavailable, "the pilot is being stopped");
    // It may hang, and so may whatever else holds its end of the socket: our end is shut, so nothing waits for either.
    // Gone before `child`, which frees the process id.
    const std::stop_callback end(terms.stop, [pid, fd = ours.get()] {
      ::kill(pid, SIGKILL);
      ::shutdown(fd, SHUT_RDWR);
    });
    provider.key_follows = static_cast<bool>(terms.send_key);
    CAIP_CHECKED(send_line(ours.get(), encode_request(provider, question.messages, terms.offer, question.what)));
    if (terms.send_key) CAIP_CHECKED(terms.send_key(ours.get()));
    return listen(ours.get(), std::min<std::chrono::milliseconds>(question.patience, terms.patience), terms.on_text);
  }

  static Result<Event> listen(int fd, std::chrono::milliseconds patience, const OnText& on_text) {
    LineReader reader(fd, kMaxReply, std::chrono::steady_clock::now() + patience);
    for (;;) {
      CAIP_TRY(line, reader.line());
      CAIP_TRY(event, decode_event(line));
      if (event.error) return std::unexpected(*event.error);
      if (event.done || event.models) return event;
      if (event.delta && on_text) on_text(Foreign(*event.delta, kMaxText));
    }
  }

  std::filesystem::path program_;
  Provider provider_;
  unsigned at_once_;
  std::atomic<unsigned> running_{0};
  Children children_;
};

}  // namespace

About about(const Provider& provider) {
  if (provider.base_url.empty()) return {std::string(kBuiltinLabel), std::nullopt, true, planner_examples()};
  return {provider.model, provider.model, false, planner_examples()};
}

std::unique_ptr<PilotClient> make_client(std::filesystem::path program, Provider provider, unsigned at_once) {
  return std::make_unique<ProcessClient>(std::move(program), std::move(provider), at_once);
}

}  // namespace caip::pilot
