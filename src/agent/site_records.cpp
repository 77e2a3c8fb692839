#include "site_records.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "agent/config.h"
#include "base/log.h"
#include "fd.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostBytes = 1024 * 1024;  // of a file of the web server's configuration
constexpr std::size_t kMostFiles = 2000;
constexpr std::string_view kRecord = ".json";

Result<void> unlink_for_good(const std::string& folder, const std::string& file) {
  const Fd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return fail(Code::internal, folder + ": " + ::strerror(errno));
  if (::unlinkat(dir.get(), file.c_str(), 0) != 0 && errno != ENOENT) return fail(Code::internal, folder + "/" + file + ": " + ::strerror(errno));
  if (::fsync(dir.get()) != 0) return fail(Code::internal, folder + ": " + ::strerror(errno));
  return {};
}

}  // namespace

std::string SiteRecords::file_of(const SiteId& id) const { return folder_ + "/" + id.str() + std::string(kRecord); }

Result<SiteMap> SiteRecords::all() const {
  SiteMap out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(kRecord)) continue;
    auto text = read_file(entry.path().string(), 64 * 1024);
    auto site = text ? decode_site(*text) : std::unexpected(text.error());
    if (site && name == site->id.str() + std::string(kRecord)) out.emplace(site->id, *std::move(site));
    else log::error("the record of a site cannot be read; what is there of it is left as it is", {{"file", name}, {"why", site ? "another name" : site.error().detail}});
  }
  if (error) return fail(Code::internal, folder_ + ": " + error.message());
  return out;
}

Result<void> SiteRecords::put(const Site& site) const { return write_file(file_of(site.id), encode(site), 0600); }
Result<void> SiteRecords::drop(const SiteId& id) const { return unlink_for_good(folder_, id.str() + std::string(kRecord)); }

std::optional<std::string> SiteConfigs::read(const SiteId& id) const {
  auto text = read_file(folder_ + "/" + config_name(id), kMostBytes);
  return text ? std::optional(*std::move(text)) : std::nullopt;
}

// Beside it first, under a name that the web server does not read.
Result<void> SiteConfigs::write(const SiteId& id, const std::string& text) const { return write_file(folder_ + "/" + config_name(id), text, 0644); }
Result<void> SiteConfigs::remove(const SiteId& id) const { return unlink_for_good(folder_, config_name(id)); }

Result<void> SiteConfigs::stage(const std::string& into, const SiteId& id, const std::optional<std::string>& text) const {
  std::error_code error;
  fs::remove_all(into, error);
  if (::mkdir(into.c_str(), 0755) != 0) return fail(Code::internal, into + ": " + ::strerror(errno));
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (name == config_name(id) || !entry.is_regular_file(error)) continue;
    if (++count > kMostFiles) return fail(Code::too_large, folder_ + " has too many files");
    CAIP_TRY(bytes, read_file(entry.path().string(), kMostBytes));
    CAIP_CHECKED(write_file(into + "/" + name, bytes, 0644));
  }
  if (error) return fail(Code::internal, folder_ + ": " + error.message());
  if (text) CAIP_CHECKED(write_file(into + "/" + config_name(id), *text, 0644));
  return {};
}

}  // namespace caip::agent
