// A site's life on a server, with a web server that can refuse, ignore and lie, and with everything that a crash can leave.
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

namespace caip::agent {
namespace {

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

std::string read(const fs::path& path) {
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
  ManualClock clock{Instant(1'000'000'000'000'000)};
  ServerId server{IdBytes{1}};
  SitePlaces places{.state = folder.path + "/state", .files = folder.path + "/srv", .configs = folder.path + "/conf.d", .ipv6 = true, .patience = Duration(0)};
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

SiteSpec spec(std::vector<const char*> domains, std::optional<std::int64_t> port = {}, bool redirect = false) {
  std::vector<DomainName> names;
  for (const char* d : domains) names.push_back(DomainName::parse(d).value());
  return SiteSpec::of(port ? SiteKind::proxy : SiteKind::static_files, std::move(names), port, redirect).value();
}

mode_t mode_of(const fs::path& path) {
  struct stat s {};
  REQUIRE(::lstat(path.c_str(), &s) == 0);
  return s.st_mode & 07777;
}

}  // namespace

TEST_CASE("a site is made: tried first, then in force for each of its domains, with a folder and a page of its own") {
  World w;
  const auto made = w.create(spec({"a.example", "www.a.example"}));
  REQUIRE(made);
  CHECK(w.web.checks == 1);
  CHECK(w.web.staged == w.web.in_force);
  CHECK((made->exists() && !made->deleted() && made->answers_size() == 2 && made->silent_size() == 0 && made->bytes() > 0 && made->bytes_whole()));
  CHECK(made->spec() == R"({"domains":["a.example","www.a.example"],"kind":"static","redirect":false})");
  CHECK(read(w.home() / "public" / "index.html").contains("Nothing here yet"));
  CHECK((mode_of(w.home()) == 0755 && mode_of(w.home() / "public") == 0750 && mode_of(w.places.files) == 0711));
  CHECK(w.users.there == std::set{w.id()});
  CHECK(w.records().all().value().at(w.id()).state == SiteState::live);
}

TEST_CASE("what the web server refuses changes nothing, and what it does not serve goes back to what was") {
  World w;
  w.web.refuses = true;
  CHECK(w.create(spec({"a.example"})).error().detail.contains("[emerg] no"));
  CHECK((!fs::exists(w.config()) && !fs::exists(w.home()) && w.users.there.empty() && w.records().all().value().empty() && w.web.in_force.empty()));
  w.web.refuses = false;
  w.web.somebody_elses = {"a.example"};  // by a configuration of somebody's own
  CHECK(w.create(spec({"a.example"})).error().detail.contains("another one on this server has that name"));
  CHECK((!fs::exists(w.config()) && !fs::exists(w.home()) && w.web.in_force.empty()));
  w.web.somebody_elses.clear();
  REQUIRE(w.create(spec({"a.example"})));
  const std::string before = read(w.config());
  w.web.refuses = true;
  CHECK_FALSE(w.change(spec({"b.example"})));
  CHECK((read(w.config()) == before && w.web.in_force == before));
  w.web.refuses = false;
  w.web.somebody_elses = {"b.example"};
  CHECK_FALSE(w.change(spec({"a.example", "b.example"})));
  CHECK((read(w.config()) == before && w.web.in_force == before));
  CHECK(w.records().all().value().at(w.id()).spec == spec({"a.example"}));
  w.web.running = false;
  CHECK(w.create(spec({"c.example"}), 8).error().detail.contains("does not run"));
}

TEST_CASE("a site is changed as it is ordered, and its kind is not") {
  World w;
  REQUIRE(w.create(spec({"a.example"}, 3000)));
  REQUIRE(w.change(spec({"a.example", "b.example"}, 3001, true)));
  CHECK(w.web.in_force.contains("proxy_pass http://127.0.0.1:3001;"));
  CHECK(w.web.in_force.contains("return 308 $scheme://a.example$request_uri;"));
  CHECK(w.check()->answers_size() == 2);
  CHECK_FALSE(w.check()->upstream());
  REQUIRE(w.change(spec({"a.example"}, 3000)));
  CHECK(w.check()->upstream());
  CHECK(w.change(spec({"a.example"})).error().detail.contains("kind"));
}

TEST_CASE("a domain is one site's, also while that is deleted") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  CHECK(w.create(spec({"b.example", "a.example"}), 8).error().detail.contains("a.example is a domain of the site shop-7"));
  REQUIRE(w.remove());
  CHECK_FALSE(w.create(spec({"a.example"}), 8));
  REQUIRE(w.create(spec({"b.example"}), 8));
  CHECK_FALSE(w.create(spec({"c.example"}), 8));  // made already
}

TEST_CASE("deleted: out of service and whole; restored: as it was; at its end: gone, and not a moment before") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  std::ofstream(w.home() / "public" / "page.html") << "mine";
  const std::string before = read(w.config());
  const auto gone = w.remove(2);
  REQUIRE(gone);
  CHECK((gone->deleted() && gone->ends() == (w.clock.now() + std::chrono::hours(2)).str() && gone->exists()));
  CHECK((!fs::exists(w.config()) && w.web.in_force.empty() && mode_of(w.home()) == 0700 && w.users.there.contains(w.id())));
  CHECK_FALSE(w.change(spec({"b.example"})));
  CHECK_FALSE(w.remove());
  REQUIRE(w.restore());
  CHECK((read(w.config()) == before && w.web.in_force == before && mode_of(w.home()) == 0755 && read(w.home() / "public" / "page.html") == "mine"));
  CHECK_FALSE(w.restore());
  REQUIRE(w.remove(2));
  w.clock.advance(std::chrono::hours(2) - std::chrono::seconds(1));
  REQUIRE(w.idle());
  CHECK(fs::exists(w.home() / "public" / "page.html"));
  w.clock.advance(std::chrono::seconds(1));
  CHECK(w.restore().error().detail.contains("is over"));
  CHECK((!fs::exists(w.home()) && w.users.there.empty() && w.records().all().value().empty()));
  CHECK_FALSE(w.check()->exists());
}

TEST_CASE("a site that does not come out of the web server is not called deleted") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  const std::string before = read(w.config());
  w.web.deaf = true;
  CHECK(w.remove().error().detail.contains("goes on serving"));
  CHECK((read(w.config()) == before && w.records().all().value().at(w.id()).state == SiteState::live && mode_of(w.home()) == 0755));
  w.web.deaf = false;
  w.web.running = false;  // then it serves nothing
  REQUIRE(w.remove());
}

TEST_CASE("an order is done once, whatever becomes of its answer, and a crash goes back to what the records say") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  const std::string before = read(w.config());
  REQUIRE(leave_order(w.places.state, {OperationId{IdBytes{3}}, ChangeSite{w.server, w.id(), spec({"b.example"})}, w.clock.now()}));
  REQUIRE(take_order(w.places.state));  // and killed right there
  REQUIRE(w.idle());
  CHECK((read(w.config()) == before && !take_answer(w.places.state).value()));

  SECTION("an order that was left there and found much later is not done") {
    REQUIRE(leave_order(w.places.state, {OperationId{IdBytes{4}}, ChangeSite{w.server, w.id(), spec({"b.example"})}, w.clock.now() + -std::chrono::minutes(2)}));
    REQUIRE(w.idle());
    CHECK(read(w.config()) == before);
    CHECK(take_answer(w.places.state).value()->error.contains("too long ago"));
  }
  SECTION("killed between the swap and the record: the configuration of before, in force again") {
    Site half = w.records().all().value().at(w.id());
    half.spec = spec({"b.example"});
    std::ofstream(w.config()) << make_config(half, w.places.files, true).text;
    REQUIRE(w.web.reload());
    REQUIRE(w.idle());
    CHECK((read(w.config()) == before && w.web.in_force == before));
  }
  SECTION("killed while it was made: nothing of it stays") {
    Site half{w.id(8), SiteName::parse("half").value(), spec({"h.example"}), SiteState::creating, {}};
    REQUIRE(w.records().put(half));
    REQUIRE(w.users.make(half.id));
    REQUIRE(SiteFiles(w.places.files).make(half.id, {::geteuid(), ::getegid()}, ::getegid(), true));
    std::ofstream(w.config(8)) << make_config(half, w.places.files, true).text;
    REQUIRE(w.web.reload());
    REQUIRE(w.idle());
    CHECK((!fs::exists(w.home(8)) && !fs::exists(w.config(8)) && !w.users.there.contains(half.id) && w.web.in_force == before));
    CHECK(fs::exists(w.home()));
  }
  SECTION("killed while it was deleted, before the record: it is there") {
    fs::remove(w.config());
    fs::permissions(w.home(), fs::perms::owner_all);
    REQUIRE(w.web.reload());
    REQUIRE(w.idle());
    CHECK((read(w.config()) == before && w.web.in_force == before && mode_of(w.home()) == 0755));
  }
  SECTION("killed while it was restored, before the record: it is deleted") {
    REQUIRE(w.remove());
    std::ofstream(w.config()) << before;
    fs::permissions(w.home(), fs::perms(0755));
    REQUIRE(w.web.reload());
    REQUIRE(w.idle());
    CHECK((!fs::exists(w.config()) && w.web.in_force.empty() && mode_of(w.home()) == 0700));
    REQUIRE(w.restore());
  }
  SECTION("killed while it was removed: the rest goes, and nothing is restored") {
    REQUIRE(w.remove(1));
    Site half = w.records().all().value().at(w.id());
    half.state = SiteState::removing;
    REQUIRE(w.records().put(half));
    CHECK(w.restore().error().detail.contains("being removed"));
    REQUIRE(w.idle());
    CHECK((!fs::exists(w.home()) && w.users.there.empty() && w.records().all().value().empty()));
  }
}

TEST_CASE("one site that cannot be settled keeps no other from what is ordered") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  REQUIRE(w.create(spec({"b.example"}), 8));
  fs::remove_all(w.home());
  std::ofstream(w.places.state + "/site_broken.json") << "{";
  REQUIRE(w.order(ChangeSite{w.server, w.id(8), spec({"b.example", "c.example"})}));
  CHECK(w.web.in_force.contains("server_name b.example c.example;"));
  // A web server that does not read its configuration: the order is carried out all the same, and says so.
  fs::remove(w.config(8));
  w.web.broken = true;
  const auto looked = w.order(CheckSite{w.server, w.id(8)});
  REQUIRE(looked);
  CHECK((fs::exists(w.config(8)) && !w.order(ChangeSite{w.server, w.id(8), spec({"b.example"})})));
  w.web.broken = false;
  REQUIRE(w.web.reload());
  // A user who cannot be removed yet: its turn comes again.
  REQUIRE(w.order(DeleteSite{w.server, w.id(8), 1}));
  w.clock.advance(std::chrono::hours(1));
  w.users.keeps = true;
  REQUIRE(w.idle());
  CHECK((!fs::exists(w.home(8)) && w.records().all().value().at(w.id(8)).state == SiteState::removing));
  w.users.keeps = false;
  REQUIRE(w.idle());
  CHECK_FALSE(w.records().all().value().contains(w.id(8)));
}

TEST_CASE("S22: nothing that a site's user plants leads anywhere: not a link, not a depth, not a name") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  const fs::path outside = fs::path(w.folder.path) / "outside";
  fs::create_directory(outside);
  std::ofstream(outside / "keep") << std::string(1 << 20, 'x');
  const fs::path in = w.home() / "public";
  fs::create_directory_symlink(outside, in / "dir-link");
  fs::create_symlink(outside / "keep", in / "file-link");
  fs::create_symlink("/", in / "root");
  fs::create_directory_symlink("..", in / "up");
  fs::create_hard_link(outside / "keep", in / "hard");
  fs::path deep = in;
  for (int i = 0; i < 300; ++i) fs::create_directory(deep /= "d");
  std::ofstream(deep / "bottom") << "x";
  for (const char* name : {"-rf", ".caip-0", "a b", "new\nline", "*"}) fs::create_directory(in / name), std::ofstream(in / name / "f") << "x";
  const auto used = w.check();
  REQUIRE(used);
  CHECK(used->bytes() < (3U << 20));  // the hard link counts, what links point at does not
  REQUIRE(w.remove(1));
  w.clock.advance(std::chrono::hours(1));
  REQUIRE(w.idle());
  CHECK_FALSE(fs::exists(w.home()));
  CHECK(fs::file_size(outside / "keep") == (1U << 20));
}

TEST_CASE("S22: a link in the place of a site's folder, or of all of them, is not followed") {
  World w;
  const fs::path outside = fs::path(w.folder.path) / "outside";
  fs::create_directory(outside);
  std::ofstream(outside / "keep") << "x";
  fs::permissions(outside / "keep", fs::perms(0644));
  SECTION("its folder") {
    fs::create_directory(w.places.files);
    fs::create_directory_symlink(outside, w.home());
    CHECK_FALSE(w.create(spec({"a.example"})));
  }
  SECTION("all of them") {
    fs::create_directory_symlink(outside, w.places.files);
    CHECK_FALSE(w.create(spec({"a.example"})));
  }
  SECTION("somebody else may write there") {
    fs::create_directory(w.places.files);
    fs::permissions(w.places.files, fs::perms(0777));
    CHECK(w.create(spec({"a.example"})).error().detail.contains("root's alone"));
  }
  SECTION("the folder within") {
    REQUIRE(w.create(spec({"a.example"})));
    fs::remove_all(w.home() / "public");
    fs::create_directory_symlink(outside, w.home() / "public");
    CHECK(w.check()->bytes() == 0);
    REQUIRE(w.remove(1));
    w.clock.advance(std::chrono::hours(1));
    REQUIRE(w.idle());
  }
  CHECK(fs::exists(outside / "keep"));
  CHECK(mode_of(outside / "keep") == 0644);
}

TEST_CASE("the configuration is made of typed values: each directive is one of ours") {
  Site site{World::id(), SiteName::parse("shop").value(), spec({"a.example", "xn--bcher-kva.example"}, {}, true), SiteState::live, {}};
  const SiteConfig files = make_config(site, "/srv/caip-sites", true);
  CHECK(files.text.contains("root /srv/caip-sites/" + site.id.str() + "/public;"));
  CHECK(files.text.contains("disable_symlinks on from=$document_root;"));
  CHECK(files.text.contains("server_name xn--bcher-kva.example;"));
  CHECK(files.text.contains("listen [::]:80;"));
  CHECK_FALSE(make_config(site, "/srv/caip-sites", false).text.contains("[::]"));
  CHECK_FALSE(files.text.contains("@mark@"));
  CHECK(files.mark.starts_with("/.well-known/caip-site/"));
  Site other = site;
  other.spec = spec({"a.example"}, 3000);
  const SiteConfig proxy = make_config(other, "/srv/caip-sites", true);
  CHECK(proxy.mark != files.mark);
  CHECK(proxy.text.contains("proxy_set_header X-Forwarded-For $remote_addr;"));
  for (const std::string& text : {files.text, proxy.text}) {
    CHECK(std::ranges::count(text, '{') == std::ranges::count(text, '}'));
    CHECK_FALSE(text.contains("\n\n"));
  }
  CHECK(decode_site(encode(site)).value().spec == site.spec);
  for (const char* bad : {"", "{}", "null", R"({"v":1})"}) CHECK_FALSE(decode_site(bad));
  std::string changed = encode(site);
  changed.replace(changed.find("a.example"), 9, "A.example");
  CHECK_FALSE(decode_site(changed));
}

namespace {

// In the place of systemd: starts what it is given.
struct FakeUnits : UnitManager {
  std::function<void()> worker = [] {};
  int starts = 0;
  Result<void> list(wire::UnitList&) override { return {}; }
  Result<void> status(const UnitName&, wire::Unit&) override { return {}; }
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName&) override { return std::vector<std::string>{}; }
  Result<void> run(UnitVerb verb, const UnitName& unit) override {
    REQUIRE((verb == UnitVerb::start && unit.str() == "caip-sites.service"));
    ++starts;
    worker();
    return {};
  }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override { return std::vector<std::string>{}; }
  Result<void> reboot() override { return {}; }
};

}  // namespace

TEST_CASE("the helper's half: an answer to this order, or what is known without one") {
  World w;
  FakeUnits units;
  SiteDesk desk(units, w.places.state);
  wire::Site site;
  const CreateSite create{w.server, w.id(), SiteName::parse("shop").value(), spec({"a.example"})};
  units.worker = [&] { REQUIRE(w.idle()); };
  REQUIRE(desk.run(OperationId{IdBytes{1}}, create, w.clock.now(), site));
  CHECK((site.exists() && site.answers_size() == 1 && units.starts == 1));
  CHECK(desk.run(OperationId{IdBytes{2}}, create, w.clock.now(), site).error().code == Code::invalid);  // the worker's no

  units.worker = [] {};  // a run that had begun before did not see it, the next one does
  int nth = 0;
  units.worker = [&] { if (++nth == 2) REQUIRE(w.idle()); };
  REQUIRE(desk.run(OperationId{IdBytes{3}}, CheckSite{w.server, w.id()}, w.clock.now(), site));

  units.worker = [] {};
  CHECK(desk.run(OperationId{IdBytes{4}}, CheckSite{w.server, w.id()}, w.clock.now(), site).error().code == Code::unavailable);
  CHECK_FALSE(fs::exists(w.places.state + "/order"));  // nobody finds it later
  units.worker = [&] { static_cast<void>(take_order(w.places.state)); };  // and died
  CHECK(desk.run(OperationId{IdBytes{5}}, CheckSite{w.server, w.id()}, w.clock.now(), site).error().code == Code::timeout);
  units.worker = [&] {
    static_cast<void>(take_order(w.places.state));
    REQUIRE(leave_answer(w.places.state, {.order = OperationId{IdBytes{99}}, .ok = true}));
  };
  CHECK(desk.run(OperationId{IdBytes{6}}, CheckSite{w.server, w.id()}, w.clock.now(), site).error().code == Code::timeout);
  REQUIRE(leave_order(w.places.state, {OperationId{IdBytes{7}}, create, w.clock.now()}));
  const SiteDesk after_a_crash(units, w.places.state);
  CHECK_FALSE(fs::exists(w.places.state + "/order"));
}

TEST_CASE("the notes between helper and worker take nothing but what was written") {
  World w;
  CHECK_FALSE(take_order(w.places.state).value());
  for (const char* bad : {"", "{}", "x", R"({"action":"{}","order":"opr_00000000000000000000000000","v":1})"}) {
    std::ofstream(w.places.state + "/order") << bad;
    CHECK_FALSE(take_order(w.places.state));
    CHECK_FALSE(fs::exists(w.places.state + "/order"));  // not tried again and again
    std::ofstream(w.places.state + "/answer") << bad;
    CHECK_FALSE(take_answer(w.places.state));
  }
}

}  // namespace caip::agent
