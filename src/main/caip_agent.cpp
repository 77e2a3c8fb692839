// caip-agent: `enrol` once, then `run` as a service. `run` starts as root: it reads the
// configuration, starts caip-helper with a socketpair, drops every privilege, confines itself
// and only then opens its first connection.
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "agent/agent.h"
#include "agent/confine.h"
#include "agent/enrol.h"
#include "agent/panic.h"
#include "base/log.h"
#include "base/product.h"

namespace {

using namespace caip;

constexpr int kUsage = 2;
constexpr int kHelperChannel = 3;
constexpr const char* kHelp =
    "caip-agent enrol --server HOST:PORT --ca FILE --agent-ca FILE --agent-ca-sha256 HEX --token-stdin\n"
    "caip-agent run\n"
    "caip-agent panic [--reason TEXT]   stop all orders on this server, at once and without network\n"
    "caip-agent panic --end             let them run again\n"
    "caip-agent --version\n";

int usage() {
  std::fputs(kHelp, stderr);
  return kUsage;
}

int complain(const Error& error) {
  std::fprintf(stderr, "caip-agent: %s\n", error.detail.empty() ? std::string(code_text(error.code)).c_str() : error.detail.c_str());
  return 1;
}

// One line, at most 512 bytes.
SecretBytes read_token() {
  Bytes token;
  std::uint8_t c = 0;
  while (token.size() < 512 && ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') token.push_back(c);
  while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) token.pop_back();
  return SecretBytes(std::move(token));
}

int enrol(const std::vector<std::string>& args) {
  std::string server, ca, agent_ca, agent_ca_sha256, dir = agent::kConfigDir;
  bool from_stdin = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (args[i] == "--token-stdin") from_stdin = true;
    else if (args[i] == "--server" && more) server = args[++i];
    else if (args[i] == "--ca" && more) ca = args[++i];
    else if (args[i] == "--agent-ca" && more) agent_ca = args[++i];
    else if (args[i] == "--agent-ca-sha256" && more) agent_ca_sha256 = args[++i];
    else if (args[i] == "--config" && more) dir = args[++i];
    else return usage();
  }
  if (server.empty() || ca.empty() || agent_ca.empty() || agent_ca_sha256.empty() || !from_stdin) return usage();
  auto endpoint = agent::Endpoint::parse(server);
  if (!endpoint) return complain(endpoint.error());
  auto ca_pem = agent::read_file(ca, 64 * 1024);
  if (!ca_pem) return complain(ca_pem.error());
  auto agent_ca_pem = agent::read_file(agent_ca, 64 * 1024);
  if (!agent_ca_pem) return complain(agent_ca_pem.error());
  if (auto done = agent::enrol(*endpoint, {*ca_pem, *agent_ca_pem, agent_ca_sha256}, read_token(), dir); !done) return complain(done.error());
  std::puts("This server is enrolled.");
  return 0;
}

int panic(const std::vector<std::string>& args) {
  const bool end = args.size() == 1 && args[0] == "--end", why = args.size() == 2 && args[0] == "--reason";
  if (!args.empty() && !end && !why) return usage();
  const auto done = end ? agent::end_panic(agent::kConfigDir) : agent::begin_panic(agent::kConfigDir, why ? args[1] : "", SystemClock().now());
  if (!done) return complain(done.error());
  std::puts(end ? "Orders run on this server again." : "No order runs on this server any more; what runs already comes to its end. caip-agent panic --end lets them run again.");
  return 0;
}

// Beside our own program, wherever that is installed.
std::string helper_path() {
  std::array<char, 4096> self{};
  ssize_t n = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  std::string path(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return path.substr(0, path.rfind('/') + 1) + "caip-helper";
}

Result<int> start_helper() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return fail(Code::internal, "socketpair");
  // Should the pair itself sit on 3, dup2 onto itself would leave it close-on-exec.
  if (pair[1] == kHelperChannel) {
    int moved = ::dup(pair[1]);
    ::close(pair[1]);
    pair[1] = moved;
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pair[1], kHelperChannel);
  std::string path = helper_path(), name = "caip-helper";
  std::array<char*, 2> argv{name.data(), nullptr};
  std::array<char*, 1> nothing{};  // no environment: it runs nothing by name
  pid_t pid = 0;
  int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), nothing.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pair[1]);
  if (error != 0) return fail(Code::internal, path + ": " + ::strerror(error));
  return pair[0];
}

// Two of them would look like two machines with one identity, which are shut out. For as long as this process lives.
Result<void> be_the_only_one() {
  const std::string file = std::string(agent::kHelperState) + "/lock";  // root's folder: nobody else takes it
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(Code::internal, file + ": " + ::strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return fail(Code::conflict, "an agent is running here already");
  return {};
}

Result<void> run() {
  CAIP_CHECKED(be_the_only_one());
  CAIP_TRY(config, agent::load_agent(agent::kConfigDir));
  CAIP_TRY(channel, start_helper());
  CAIP_TRY(network_half, agent::Agent::prepare(std::move(config), channel));
  CAIP_CHECKED(agent::drop_privileges(agent::kUser));
  CAIP_CHECKED(agent::confine_syscalls());
  log::info("the agent is confined");
  return std::unexpected(network_half.run());
}

}  // namespace

int main(int argc, char** argv) {
  agent::harden_process();
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> args(argv + std::min(argc, 1), argv + argc);
  if (args.size() == 1 && args[0] == "--version") {
    std::printf("caip-agent %s\n", std::string(kVersion).c_str());
    return 0;
  }
  if (args.empty()) return usage();
  const std::string command = args[0];
  args.erase(args.begin());
  if (command == "enrol") return enrol(args);
  if (command == "panic") return panic(args);
  if (command != "run" || !args.empty()) return usage();
  if (auto ran = run(); !ran) return complain(ran.error());
  return 0;
}
