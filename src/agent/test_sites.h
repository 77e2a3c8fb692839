// A site's server for tests: folders, a web server that can refuse, ignore and lie, and users of nobody's.
#pragma once
#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "agent/helper.h"
#include "agent/sites.h"
#include "site_config.h"
#include "site_files.h"
#include "site_notes.h"
#include "site_records.h"
#include "wire.pb.h"

namespace caip::agent::sites_test {

namespace fs = std::filesystem;

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-sites-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

inline std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Serves what was in its folder when it was last told to read it.
struct FakeWeb : WebServer {
  std::string folder;
  std::string in_force;
  bool installed = true, running = true, refuses = false, deaf = false, broken = false;
  int reloads = 0, checks = 0;
  std::string staged;
  std::set<std::string> somebody_elses = {};

  explicit FakeWeb(std::string path) : folder(std::move(path)) {}
  static std::string all_of(const std::string& path) {
    std::map<std::string, std::string> sorted;
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".conf") sorted[entry.path().filename()] = read(entry.path());
    std::string out;
    for (const auto& [name, text] : sorted) out += text;
    return out;
  }
  Result<void> ready() override { return installed && running ? Result<void>() : fail(Code::precondition_failed, "nginx does not run"); }
  bool runs() override { return running; }
  Result<void> check(const std::string& path) override {
    ++checks;
    staged = all_of(path);
    return refuses ? fail(Code::invalid, "nginx: [emerg] no") : Result<void>();
  }
  Result<void> reload() override {
    ++reloads;
    if (broken) return fail(Code::invalid, "systemd ended the job with: failed");
    if (!deaf) in_force = all_of(folder);
    return {};
  }
  bool answers(const std::string& domain, const std::string& path) override {
    if (!running || somebody_elses.contains(domain)) return false;
    std::istringstream blocks(in_force);
    std::string line;
    for (bool mine = false; std::getline(blocks, line);) {
      if (line == "server {") mine = false;
      if (line.contains("server_name")) mine = (" " + line.substr(14, line.size() - 15) + " ").contains(" " + domain + " ");
      if (mine && line == "  location = " + path + " {") return true;
    }
    return false;
  }
  bool accepts(std::int64_t port) override { return port == 3000; }
};

struct FakeUsers : SiteUsers {
  std::set<SiteId> there = {};
  bool keeps = false;
  Result<Owner> make(const SiteId& id) override { return there.insert(id), Owner{::geteuid(), ::getegid()}; }
  Result<void> remove(const SiteId& id) override { return keeps ? fail(Code::internal, "userdel ended with 8") : (there.erase(id), Result<void>()); }
  Result<gid_t> web_group() override { return ::getegid(); }
};

struct World {
  Folder folder;
  std::int64_t jumped = 0;  // seconds by which the clock ran ahead of the machine
  ManualClock clock{Instant(1'000'000'000'000'000)};
  ServerId server{IdBytes{1}};
  SitePlaces places{.state = folder.path + "/state", .files = folder.path + "/srv", .configs = folder.path + "/conf.d", .ipv6 = true, .patience = Duration(0),
                    .uptime = [this] { return clock.now().micros() / 1'000'000 - jumped; }};
  FakeWeb web{places.configs};
  FakeUsers users;
  int orders = 0;

  World() {
    fs::create_directory(places.configs);
    fs::create_directory(places.state);
    fs::permissions(folder.path, fs::perms::owner_all);
  }
  Result<void> idle() { return Sites(places, web, users, clock).run(); }
  // By way of the notes, as the helper does it.
  Result<wire::Site> order(const ServerAction& action) {
    const OperationId id{IdBytes{9, static_cast<std::uint8_t>(++orders)}};
    CAIP_CHECKED(leave_order(places.state, {id, action, clock.now()}));
    CAIP_CHECKED(idle());
    CAIP_TRY(answer, take_answer(places.state));
    if (!answer || answer->order != id) return fail(Code::timeout);
    wire::Site site;
    REQUIRE(site.ParseFromString(answer->site));
    if (!answer->ok) return fail(Code::invalid, answer->error);
    return site;
  }
  static SiteId id(std::uint8_t n = 7) { return SiteId(IdBytes{n}); }
  std::string config(std::uint8_t n = 7) const { return places.configs + "/" + config_name(id(n)); }
  fs::path home(std::uint8_t n = 7) const { return fs::path(places.files) / id(n).str(); }
  SiteRecords records() const { return SiteRecords(places.state); }
  Result<wire::Site> create(SiteSpec spec, std::uint8_t n = 7) { return order(CreateSite{server, id(n), SiteName::parse("shop-" + std::to_string(n)).value(), std::move(spec)}); }
  Result<wire::Site> change(SiteSpec spec) { return order(ChangeSite{server, id(), std::move(spec)}); }
  Result<wire::Site> remove(std::int64_t hours = 168) { return order(DeleteSite{server, id(), hours}); }
  Result<wire::Site> restore() { return order(RestoreSite{server, id()}); }
  Result<wire::Site> check() { return order(CheckSite{server, id()}); }
};

inline SiteSpec spec(std::vector<const char*> domains, std::optional<std::int64_t> port = {}, bool redirect = false) {
  std::vector<DomainName> names;
  for (const char* d : domains) names.push_back(DomainName::parse(d).value());
  return SiteSpec::of(port ? SiteKind::proxy : SiteKind::static_files, std::move(names), port, redirect).value();
}

inline mode_t mode_of(const fs::path& path) {
  struct stat s {};
  REQUIRE(::lstat(path.c_str(), &s) == 0);
  return s.st_mode & 07777;
}

}  // namespace caip::agent::sites_test
