// agent/users.h (private): names of local users. From /etc/passwd alone: asking a directory server could hang.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace caip::agent {

class Users {  // as of when it is made
 public:
  explicit Users(const char* file = "/etc/passwd");
  std::string name(std::uint32_t uid) const;  // the number, where it has none

 private:
  std::map<std::uint32_t, std::string> names_;
};

}  // namespace caip::agent
