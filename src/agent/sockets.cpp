#include "sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "fd.h"
#include "machine.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostSockets = 100'000;
constexpr std::size_t kMostGroups = 100'000;
constexpr int kDeepest = 16;

Error refused(const char* what) { return {Code::internal, std::string("the sockets cannot be listed: ") + what}; }

Result<void> ask(int fd, std::uint8_t family, std::uint8_t protocol) {
  struct {
    nlmsghdr head;
    inet_diag_req_v2 body;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = family;
  request.body.sdiag_protocol = protocol;
  // A UDP socket that is bound and not connected is "closed".
  request.body.idiag_states = 1U << (protocol == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE);
  if (::send(fd, &request, sizeof request, 0) != static_cast<ssize_t>(sizeof request)) return std::unexpected(refused(::strerror(errno)));
  return {};
}

constexpr std::size_t aligned(std::size_t n) { return (n + 3) & ~std::size_t{3}; }  // as netlink(7) has it

template <class T>
std::optional<T> front(std::string_view bytes) {
  T out{};
  if (bytes.size() < sizeof out) return std::nullopt;
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

// The attributes behind a message: each a length, with these four bytes, a type and its value.
std::uint64_t group_of(std::string_view attributes) {
  while (const auto head = front<rtattr>(attributes)) {
    if (head->rta_len < sizeof *head || head->rta_len > attributes.size()) break;
    if (head->rta_type == INET_DIAG_CGROUP_ID) return front<std::uint64_t>(attributes.substr(sizeof *head, head->rta_len - sizeof *head)).value_or(0);
    attributes.remove_prefix(std::min(aligned(head->rta_len), attributes.size()));
  }
  return 0;
}

std::optional<Listening> read_one(std::string_view body, bool tcp) {
  const auto m = front<inet_diag_msg>(body);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (!m || m->id.idiag_sport == 0 || ::inet_ntop(m->idiag_family, m->id.idiag_src, text.data(), text.size()) == nullptr) return std::nullopt;
  return Listening{tcp, text.data(), ntohs(m->id.idiag_sport), m->idiag_uid, group_of(body.substr(sizeof *m))};
}

Result<void> read_all(int fd, bool tcp, std::vector<Listening>& out) {
  std::array<char, 32 * 1024> buffer{};
  for (;;) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::unexpected(refused(::strerror(errno)));
    CAIP_TRY(more, take_answer({buffer.data(), static_cast<std::size_t>(n)}, tcp, out));
    if (!more) return {};
  }
}

}  // namespace

Result<bool> take_answer(std::string_view bytes, bool tcp, std::vector<Listening>& out) {
  while (const auto head = front<nlmsghdr>(bytes)) {
    if (head->nlmsg_len < sizeof *head || head->nlmsg_len > bytes.size()) return std::unexpected(refused("an answer that cannot be read"));
    const std::string_view body = bytes.substr(sizeof *head, head->nlmsg_len - sizeof *head);
    if (head->nlmsg_type == NLMSG_DONE) {  // with what went wrong, where something did
      if (const int why = front<int>(body).value_or(0); why < 0) return std::unexpected(refused(::strerror(-why)));
      return false;
    }
    if (head->nlmsg_type == NLMSG_ERROR) return std::unexpected(refused("the kernel does not say"));
    if (auto one = read_one(body, tcp)) out.push_back(*std::move(one));
    if (out.size() > kMostSockets) return fail(Code::too_large, "too many sockets");
    bytes.remove_prefix(std::min(aligned(head->nlmsg_len), bytes.size()));
  }
  return true;
}

Result<std::vector<Listening>> listening() {
  const Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) return std::unexpected(refused(::strerror(errno)));
  std::vector<Listening> out;
  for (const int family : {AF_INET, AF_INET6})
    for (const int protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
      CAIP_CHECKED(ask(fd.get(), static_cast<std::uint8_t>(family), static_cast<std::uint8_t>(protocol)));
      CAIP_CHECKED(read_all(fd.get(), protocol == IPPROTO_TCP, out));
    }
  return out;
}

namespace {

// The unified tree: on hosts that have the old ones too it is mounted below them, and each numbers its folders for itself.
std::optional<fs::path> unified(const fs::path& root) {
  struct statfs what {};
  for (const fs::path& at : {root, root / "unified"})
    if (::statfs(at.c_str(), &what) == 0 && what.f_type == CGROUP2_SUPER_MAGIC) return at;
  return std::nullopt;
}

}  // namespace

Groups::Groups() {
  if (const auto root = unified("/sys/fs/cgroup")) add(*root, "", 0);
}

// Groups come and go meanwhile: what cannot be opened is passed over.
void Groups::add(const fs::path& folder, const std::string& path, int depth) {
  std::error_code error, ignored;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && units_.size() < kMostGroups; at.increment(error)) {
    struct stat group {};
    if (!at->is_directory(ignored) || at->is_symlink(ignored) || ::stat(at->path().c_str(), &group) != 0) continue;
    const std::string inner = path + "/" + at->path().filename().string();
    if (auto unit = unit_of(inner); !unit.empty()) units_.emplace(group.st_ino, std::move(unit));
    if (depth < kDeepest) add(at->path(), inner, depth + 1);
  }
}

std::string Groups::unit(std::uint64_t group) const {
  const auto found = units_.find(group);
  return found == units_.end() ? std::string() : found->second;
}

}  // namespace caip::agent
