#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/guarded.h"
#include "base/log.h"
#include "crypto/mldsa.h"
#include "crypto/secret.h"
#include "authorities.h"
#include "frame.h"
#include "key_files.h"
#include "keeper_wire.h"
#include "keys_now.h"
#include "secrets/patience.h"

namespace caip::secrets {
namespace {

constexpr int kEndWithinMs = 5000;  // of a keeper whose input has ended

class Child {  // the process and our end of its socketpair
 public:
  Child(int fd, pid_t pid) : fd_(fd), pid_(pid) {}
  Child(Child&& o) noexcept : fd_(std::exchange(o.fd_, -1)), pid_(std::exchange(o.pid_, -1)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (fd_ >= 0) ::close(fd_);  // the child ends at the end of its input
    if (pid_ <= 0) return;
    if (!ends()) kill();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  int fd() const { return fd_; }
  // Not waited for yet, so the number is still its own.
  void kill() const { ::kill(pid_, SIGKILL); }
  // How long a question or its answer may stand still on its way.
  void patience(Duration d) const {
    const auto s = std::chrono::duration_cast<std::chrono::seconds>(d);
    const timeval limit{.tv_sec = s.count(), .tv_usec = static_cast<suseconds_t>(std::chrono::duration_cast<std::chrono::microseconds>(d - s).count())};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }

 private:
  bool ends() const {
    pollfd end{.fd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), .events = POLLIN, .revents = 0};
    if (end.fd < 0) return false;
    const bool ended = ::poll(&end, 1, kEndWithinMs) == 1;
    ::close(end.fd);
    return ended;
  }
  int fd_;
  pid_t pid_;
};

Result<Child> spawn(const std::string& program, const std::string& folder, const SealFiles& files) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail(Code::internal, "no socketpair");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], kKeeperFd);  // clears close-on-exec, also for 3 to 3
  // Nothing else of ours: a keeper that is started again would hold the listening socket and every connection.
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, kKeeperFd + 1);
  std::vector<std::string> words{program, "--keys", folder};
  for (const auto& [flag, path] : {std::pair{"--key-file", &files.key_file}, {"--passphrase-file", &files.passphrase_file}, {"--credential", &files.credential_file}}) {
    if (path->empty()) continue;
    words.emplace_back(flag);
    words.push_back(*path);
  }
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pair[1]);
  if (failed != 0) {
    ::close(pair[0]);
    return fail(Code::unavailable, "cannot start " + program + ": " + std::strerror(failed));
  }
  return Child(pair[0], pid);
}

struct Started {
  Child child;
  Standing now;
};

Result<Started> start(const std::string& program, const std::string& folder, const SealFiles& files, const KeeperPatience& patience) {
  CAIP_TRY(child, spawn(program, folder, files));
  child.patience(patience.start);
  auto ready = receive_frame(child.fd());
  if (!ready && ready.error().code == Code::timeout) {
    child.kill();
    return fail(Code::timeout, "caip-keeper did not start in time");
  }
  child.patience(patience.answer);
  if (!ready || ready->front() != 0) {
    const std::string why = ready ? std::string(text_of(BytesView(*ready).subspan(1))) : "it ended";
    return fail(Code::unavailable, "caip-keeper did not start: " + why);
  }
  CAIP_TRY(now, decode_standing(BytesView(*ready).subspan(1)));
  return Started{std::move(child), std::move(now)};
}

// A keeper may have died between the file that a rotation wrote and its answer.
bool is_or_follows(const Authority& now, const Authority& before) { return now.pem == before.pem || now.earlier.starts_with(before.pem); }

class RemoteKeeper final : public Keeper {
 public:
  RemoteKeeper(std::string program, std::string folder, SealFiles files, KeeperPatience patience, Started started)
      : program_(std::move(program)), folder_(std::move(folder)), files_(std::move(files)), patience_(patience), now_(std::move(started.now)), line_(Line{.child = std::optional<Child>(std::move(started.child)), .silent_until = {}}) {}

  Result<Bytes> sign(SigningUse use, BytesView message) override {
    static constexpr std::array kVerbs{Verb::sign_jwt, Verb::sign_checkpoint, Verb::sign_order, Verb::sign_cosign};
    return ask(kVerbs[static_cast<std::size_t>(use)], message);
  }
  Result<Bytes> sign_with(SigningUse use, BytesView key, BytesView message) override {
    return ask(Verb::sign_with, Writer().u8(static_cast<std::uint8_t>(use)).bytes(key).bytes(message).take());
  }
  Bytes public_key(SigningUse use) override { return now_.with([&](const Standing& s) { return newest_of(s.inventory, use); }); }
  std::vector<Bytes> verify_keys(SigningUse use, Instant now) override {
    return now_.with([&](const Standing& s) { return accepted(s.inventory, use, now); });
  }
  Result<Bytes> pepper_hmac(BytesView password) override { return ask(Verb::pepper, password); }
  Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId& server, Instant from, Duration life) override {
    const std::string operand = server.str() + "\n" + std::to_string(from.micros()) + "\n" + std::to_string(life / std::chrono::microseconds(1)) + "\n" + csr_pem;
    CAIP_TRY(pem, ask(Verb::agent_certificate, view(operand)));
    return std::string(text_of(pem));
  }
  Result<TlsIdentity> issue_server_certificate(KeyClass authority, const std::vector<std::string>& names) override {
    if (!is_authority(authority)) return fail(Code::invalid, "the key " + std::string(text(authority)) + " is no authority's");
    std::string operand(1, authority == KeyClass::ca ? '\0' : '\1');
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
  Authority authority(KeyClass key) override {
    return now_.with([&](const Standing& s) { return key == KeyClass::ca ? s.ca : key == KeyClass::agent_ca ? s.agent_ca : Authority{}; });
  }
  Result<Items> seal(const OrgId& org, Items items) override { return values(Verb::seal, {}, org, items); }
  Result<Items> open(const OrgId& org, SecretUse use, Items items) override { return values(Verb::open, use, org, items); }
  Result<Items> reseal(const OrgId& org, Items items) override { return values(Verb::reseal, {}, org, items); }
  Result<SshKey> make_ssh_key(const OrgId& org, Item item) override {
    Items one;
    one.push_back(std::move(item));
    Bytes operand = encode_items(org, one);
    auto made = ask(Verb::make_ssh_key, operand);
    wipe(operand);
    if (!made) return std::unexpected(made.error());
    Reader r(*made);
    const BytesView public_key = r.bytes(), sealed = r.bytes();
    CAIP_CHECKED(r.finish());
    return SshKey{Bytes(public_key.begin(), public_key.end()), SecretBytes(Bytes(sealed.begin(), sealed.end()))};
  }
  Result<Bytes> ssh_sign(const OrgId& org, Item item, BytesView message) override {
    Items one;
    one.push_back(std::move(item));
    return ask(Verb::ssh_sign, Writer().bytes(encode_items(org, one)).bytes(message).take());
  }

  Inventory inventory() override {
    return now_.with([](const Standing& s) { return s.inventory; });
  }
  Result<void> rotate(KeyClass key) override { return change({.what = KeyChange::What::rotate, .key = key, .org = {}, .generation = newest_generation(inventory(), key)}); }
  Result<void> destroy_previous(KeyClass key) override { return change({.what = KeyChange::What::destroy_previous, .key = key, .org = {}}); }
  Result<std::uint32_t> new_data_key(const OrgId& org) override {
    CAIP_CHECKED(change({.what = KeyChange::What::new_data_key, .org = org.str()}));
    return newest_data_key(inventory(), org);
  }
  Result<void> new_signing_key(KeyClass key) override { return change({.what = KeyChange::What::new_signing_key, .key = key, .org = {}}); }
  Result<std::string> succession(KeyClass key, std::uint64_t log_size) override {
    CAIP_TRY(text, ask(Verb::succession, Writer().u8(static_cast<std::uint8_t>(key)).u64(log_size).take()));
    return std::string(text_of(text));
  }
  Result<void> destroy_signing_key(KeyClass key, std::uint32_t generation) override {
    return change({.what = KeyChange::What::destroy_signing_key, .key = key, .org = {}, .generation = generation});
  }
  Result<void> destroy_data_keys(const OrgId& org, std::optional<std::uint32_t> generation) override {
    return change({.what = KeyChange::What::destroy_data_keys, .org = org.str(), .generation = generation.value_or(0)});
  }

 private:
  struct Line {  // to the keeper; there is none between the end of one and the start of the next
    std::optional<Child> child;
    std::chrono::steady_clock::time_point silent_until;
  };
  Result<Items> values(Verb verb, std::optional<SecretUse> use, const OrgId& org, const Items& items) {
    if (items.size() > kMostItems) return fail(Code::too_large, "too many values at once");
    Bytes operand = encode_items(org, items);
    if (use) operand.insert(operand.begin(), static_cast<std::uint8_t>(*use));
    auto reply = ask(verb, operand);
    wipe(operand);
    if (!reply) return std::unexpected(reply.error());
    auto decoded = decode_items(*reply);
    wipe(*reply);
    if (!decoded) return std::unexpected(decoded.error());
    return std::move(decoded->second);
  }

  // The file is on disk before the keeper goes by it. Nobody else's question comes in between: one that starts a dead
  // keeper again before the file is replaced would have it go by the old one for good. One that dies after that has read
  // the new file when it is asked to adopt it, and has nothing to do.
  Result<void> change(const KeyChange& c) {
    return line_.with([&](Line& line) -> Result<void> {
      CAIP_TRY(file, answer(line, Verb::prepare, encode_change(c)));
      CAIP_CHECKED(replace_file(folder_ + "/keyring", std::string(text_of(file))));
      CAIP_TRY(now, answer(line, Verb::adopt, {}));
      CAIP_TRY(standing, decode_standing(now));
      now_.with([&](Standing& s) { s = std::move(standing); });
      return {};
    });
  }

  Result<Bytes> ask(Verb verb, BytesView operand) {
    return line_.with([&](Line& line) { return answer(line, verb, operand); });
  }

  Result<Bytes> answer(Line& line, Verb verb, BytesView operand) {
    if (operand.size() + 1 > kMaxFrame) return fail(Code::too_large, "too long for the keeper");
    auto reply = exchange(line, verb, operand);
    if (!reply) return reply;
    const std::uint8_t status = reply->front();
    if (status != 0) return fail(static_cast<Code>(status - 1), std::string(text_of(BytesView(*reply).subspan(1))));
    reply->erase(reply->begin());
    return reply;
  }

  // One question at a time. A keeper that died is replaced and asked again: no verb minds that. One that is silent is ended
  // and replaced, once; when the next one is as silent, whoever is in line behind this question hears of it at once, instead of
  // each waiting as long after the other.
  Result<Bytes> exchange(Line& line, Verb verb, BytesView operand) {
    Error last{Code::unavailable, "the keeper is gone"};
    if (std::chrono::steady_clock::now() < line.silent_until) return silence();
    for (int n = 0, silent = 0; n < kTries; ++n) {
      auto reply = try_once(line, verb, operand);
      if (reply) return reply;
      last = reply.error();
      if (last.code != Code::timeout || ++silent < kSilences) continue;
      line.silent_until = std::chrono::steady_clock::now() + patience_.answer;
      return silence();
    }
    return std::unexpected(last);
  }
  static std::unexpected<Error> silence() { return fail(Code::unavailable, "caip-keeper does not answer; it was ended and is started again"); }

  Result<Bytes> try_once(Line& line, Verb verb, BytesView operand) {
    if (!line.child) CAIP_CHECKED(restart(line.child));
    auto reply = send_frame(line.child->fd(), static_cast<std::uint8_t>(verb), operand) ? receive_frame(line.child->fd()) : lost_connection();
    if (reply) return reply;
    log::warn("caip-keeper is started again", {{"why", reply.error().detail}});
    line.child->kill();
    line.child.reset();  // waits for its end, so that its lock is free
    return reply;
  }

  Result<void> restart(std::optional<Child>& child) {
    CAIP_TRY(started, start(program_, folder_, files_, patience_));
    // Other keys than before are another installation's: nothing may be signed with them.
    return now_.with([&](Standing& s) -> Result<void> {
      if (!is_or_follows(started.now.ca, s.ca) || !is_or_follows(started.now.agent_ca, s.agent_ca)) return fail(Code::unavailable, "caip-keeper came back with another authority");
      child.emplace(std::move(started.child));
      s = std::move(started.now);
      return {};
    });
  }

  static constexpr int kTries = 5;
  static constexpr int kSilences = 2;
  const std::string program_, folder_;
  const SealFiles files_;
  const KeeperPatience patience_;
  Guarded<Standing> now_;
  Guarded<Line> line_;
};

}  // namespace

Result<std::unique_ptr<Keeper>> start_keeper(const std::string& program, const std::string& folder, const SealFiles& files, const KeeperPatience& patience) {
  CAIP_TRY(started, start(program, folder, files, patience));
  return std::unique_ptr<Keeper>(std::make_unique<RemoteKeeper>(program, folder, files, patience, std::move(started)));
}

Result<std::unique_ptr<Keeper>> start_keeper(const std::string& program, const std::string& folder, const SealFiles& files) {
  return start_keeper(program, folder, files, KeeperPatience{});
}

}  // namespace caip::secrets
