#include "users.h"

#include <pwd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "tidy.h"

namespace caip::agent {

namespace {

bool pass_over_line(FILE* file) {
  for (int c = 0; (c = std::fgetc(file)) != EOF;)
    if (c == '\n') return true;
  return false;
}

}  // namespace

Users::Users(const char* path) {
  const std::unique_ptr<FILE, decltype([](FILE* f) { std::fclose(f); })> file(std::fopen(path, "re"));
  passwd entry{}, *found = nullptr;
  std::vector<char> text(64 * 1024);
  for (int r = 0; file && (r = ::fgetpwent_r(file.get(), &entry, text.data(), text.size(), &found)) != ENOENT;) {
    if (r == 0 && found != nullptr) names_.emplace(found->pw_uid, tidy(found->pw_name, 64));
    else if (r != ERANGE || !pass_over_line(file.get())) break;  // it stays before a line that is too long
  }
}

std::string Users::name(std::uint32_t uid) const {
  const auto found = names_.find(uid);
  return found == names_.end() ? std::to_string(uid) : found->second;
}

}  // namespace caip::agent
