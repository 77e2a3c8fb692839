#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/guarded.h"
#include "crypto/mldsa.h"
#include "crypto/secret.h"
#include "keeper_wire.h"
#include "secrets/keeper.h"

namespace caip::secrets {
namespace {

constexpr std::size_t kKeys = std::size_t{3} * 32 + crypto::kMldsaPublic;  // in the first frame

class Child {  // the process and our end of its socketpair
 public:
  Child(int fd, pid_t pid) : fd_(fd), pid_(pid) {}
  Child(Child&& o) noexcept : fd_(std::exchange(o.fd_, -1)), pid_(std::exchange(o.pid_, -1)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (fd_ >= 0) ::close(fd_);  // the child ends at the end of its input
    if (pid_ > 0)
      while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
      }
  }
  int fd() const { return fd_; }

 private:
  int fd_;
  pid_t pid_;
};

class RemoteKeeper final : public Keeper {
 public:
  RemoteKeeper(Child child, std::array<Bytes, 4> keys, std::string ca)
      : fd_(child.fd()), child_(std::move(child)), keys_(std::move(keys)), ca_(std::move(ca)) {}

  Result<Bytes> sign(SigningUse use, BytesView message) override {
    static constexpr std::array kVerbs{Verb::sign_jwt, Verb::sign_checkpoint, Verb::sign_order, Verb::sign_cosign};
    return ask(kVerbs[static_cast<std::size_t>(use)], message);
  }
  Bytes public_key(SigningUse use) override { return keys_[static_cast<std::size_t>(use)]; }
  Result<Bytes> pepper_hmac(BytesView password) override { return ask(Verb::pepper, password); }
  Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId& server) override {
    CAIP_TRY(pem, ask(Verb::agent_certificate, view(server.str() + "\n" + csr_pem)));
    return std::string(text_of(pem));
  }
  Result<TlsIdentity> issue_server_certificate(const std::vector<std::string>& names) override {
    std::string operand;
    for (const auto& name : names) {
      if (name.find('\n') != name.npos) return fail(Code::invalid, "not a host name");
      operand += name + "\n";
    }
    CAIP_TRY(pem, ask(Verb::server_certificate, view(operand)));
    const std::string_view text = text_of(pem);
    const auto at = text.find("-----BEGIN PRIVATE KEY-----");
    if (at == text.npos) return fail(Code::internal, "the keeper sent no key");
    TlsIdentity identity{std::string(text.substr(0, at)), std::string(text.substr(at))};
    wipe(pem);
    return identity;
  }
  std::string ca_certificate_pem() override { return ca_; }

 private:
  Result<Bytes> ask(Verb verb, BytesView operand) {
    if (operand.size() + 1 > kMaxFrame) return fail(Code::too_large, "too long for the keeper");
    auto reply = fd_.with([&](int fd) -> Result<Bytes> {
      if (!send_frame(fd, static_cast<std::uint8_t>(verb), operand)) return fail(Code::unavailable, "the keeper is gone");
      return receive_frame(fd);
    });
    if (!reply) return reply;
    const std::uint8_t status = reply->front();
    if (status != 0) return fail(static_cast<Code>(status - 1), std::string(text_of(BytesView(*reply).subspan(1))));
    reply->erase(reply->begin());
    return reply;
  }

  Guarded<int> fd_;  // one question at a time
  Child child_;
  std::array<Bytes, 4> keys_;
  std::string ca_;
};

Result<Child> spawn(const std::string& program, const std::string& folder) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail(Code::internal, "no socketpair");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], kKeeperFd);  // clears close-on-exec, also for 3 to 3
  std::string name = program, flag = "--keys", where = folder;
  char* const argv[] = {name.data(), flag.data(), where.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pair[1]);
  if (failed != 0) {
    ::close(pair[0]);
    return fail(Code::unavailable, "cannot start " + program + ": " + std::strerror(failed));
  }
  return Child(pair[0], pid);
}

}  // namespace

Result<std::unique_ptr<Keeper>> start_keeper(const std::string& program, const std::string& folder) {
  CAIP_TRY(child, spawn(program, folder));
  auto ready = receive_frame(child.fd());
  if (!ready || ready->size() <= 1 + kKeys || ready->front() != 0) {
    std::string why = ready && ready->front() != 0 ? std::string(text_of(BytesView(*ready).subspan(1))) : "it ended";
    return fail(Code::unavailable, "caip-keeper did not start: " + why);
  }
  std::array<Bytes, 4> keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto part = BytesView(*ready).subspan(1 + 32 * i, i < 3 ? 32 : crypto::kMldsaPublic);
    keys[i].assign(part.begin(), part.end());
  }
  std::string ca(text_of(BytesView(*ready).subspan(1 + kKeys)));
  return std::unique_ptr<Keeper>(std::make_unique<RemoteKeeper>(std::move(child), std::move(keys), std::move(ca)));
}

}  // namespace caip::secrets
