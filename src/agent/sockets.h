// agent/sockets.h (private): what listens, as the kernel says over netlink (sock_diag(7)), and whose it is.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace caip::agent {

struct Listening {
  bool tcp = true;  // or UDP
  std::string address;
  std::uint16_t port = 0;
  std::uint32_t uid = 0;
  std::uint64_t group = 0;  // number of its control group; 0: an older kernel
};
Result<std::vector<Listening>> listening();
// One datagram of the kernel's answer; false: it was the last. Nothing in it is believed that does not fit.
Result<bool> take_answer(std::string_view bytes, bool tcp, std::vector<Listening>& out);

class Groups {  // control groups by their number, which is the inode of their folder; as of when it is made
 public:
  Groups();
  void add(const std::filesystem::path& folder, const std::string& path, int depth);  // `path`: of that group, "" the root's
  std::string unit(std::uint64_t group) const;  // empty: of none

 private:
  std::map<std::uint64_t, std::string> units_;
};

}  // namespace caip::agent
