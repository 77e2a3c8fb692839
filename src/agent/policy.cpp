#include "agent/policy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/panic.h"
#include "base/json.h"
#include "fd.h"

namespace caip::agent {
namespace {

constexpr std::size_t kMostBytes = 16 * 1024;

struct Policy {
  bool ai = true;
  std::vector<AiScope> forbid, forbid_ai;
};

Result<std::vector<AiScope>> scopes(const json::object& o, std::string_view name) {
  std::vector<AiScope> out;
  const json::value* given = o.if_contains(name);
  if (given == nullptr) return out;
  if (!given->is_array()) return fail(Code::invalid, std::string(name) + " is a list");
  for (const json::value& one : given->get_array()) {
    if (!one.is_string()) return fail(Code::invalid, std::string(name) + " is a list of names");
    CAIP_TRY(scope, AiScope::parse(one.get_string()));
    out.push_back(std::move(scope));
  }
  return out;
}

Result<Policy> parse(std::string_view text) {
  CAIP_TRY(o, parse_object(text));
  for (const auto& member : o)
    if (member.key() != "ai" && member.key() != "forbid" && member.key() != "forbid_ai") return fail(Code::unknown_member, "there is no rule " + std::string(member.key()));
  Policy p;
  if (const json::value* ai = o.if_contains("ai")) {
    if (!ai->is_bool()) return fail(Code::invalid, "ai is true or false");
    p.ai = ai->get_bool();
  }
  CAIP_TRY(forbid, scopes(o, "forbid"));
  CAIP_TRY(forbid_ai, scopes(o, "forbid_ai"));
  p.forbid = std::move(forbid);
  p.forbid_ai = std::move(forbid_ai);
  return p;
}

// Nothing: there is no file. No other than root may have written it, also not by a link.
Result<std::optional<std::string>> read(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return std::optional<std::string>{};
  if (!fd) return fail(Code::invalid, ::strerror(errno));
  struct stat s {};
  if (::fstat(fd.get(), &s) != 0 || !S_ISREG(s.st_mode)) return fail(Code::invalid, "it is no file");
  if (s.st_uid != ::geteuid() || (s.st_mode & (S_IWGRP | S_IWOTH)) != 0) return fail(Code::invalid, "others than root may write it");
  std::string text(kMostBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::invalid, ::strerror(errno));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > kMostBytes) return fail(Code::invalid, "it is larger than 16 KiB");
  text.resize(size);
  return std::optional(std::move(text));
}

bool among(const std::vector<AiScope>& scopes, std::string_view name) {
  const auto category = name.substr(0, name.find('.'));
  return std::ranges::any_of(scopes, [&](const AiScope& s) { return s.str() == name || s.str() == category; });
}

}  // namespace

std::optional<Error> PolicyFile::forbids(const ServerAction& action, bool by_ai) const {
  if (auto stopped = panic(std::filesystem::path(path_).parent_path())) return stopped;
  if (!writes(action)) return std::nullopt;
  const auto no = [&](const std::string& why) { return Error{Code::forbidden, "this server's own policy (" + path_ + ") " + why}; };
  const auto text = read(path_);
  if (!text) return no("cannot be read, so nothing is changed here: " + text.error().detail);
  if (!*text) return std::nullopt;
  const auto policy = parse(**text);
  if (!policy) return no("cannot be understood, so nothing is changed here: " + policy.error().detail);
  const std::string name(name_of(widen(action)));
  if (among(policy->forbid, name)) return no("forbids " + name);
  if (by_ai && !policy->ai) return no("forbids what an AI asked for");
  if (by_ai && among(policy->forbid_ai, name)) return no("forbids " + name + " where an AI asked for it");
  return std::nullopt;
}

}  // namespace caip::agent
