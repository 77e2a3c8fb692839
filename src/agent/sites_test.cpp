// A site's life on a server, with a web server that can refuse, ignore and lie, and with everything that a crash can leave.
#include "test_sites.h"

namespace caip::agent {

using namespace sites_test;

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

TEST_CASE("a clock that jumps removes nothing: the machine has to have run for that time, too") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  REQUIRE(w.remove(2));
  w.clock.advance(std::chrono::hours(1000));
  w.jumped = 1000 * 3600;
  REQUIRE(w.idle());
  CHECK(fs::exists(w.home()));
  REQUIRE(w.restore());
  REQUIRE(w.remove(2));
  w.clock.advance(std::chrono::hours(3));
  w.jumped += 2 * 3600;
  REQUIRE(w.idle());
  CHECK(fs::exists(w.home()));
  w.jumped = w.clock.now().micros() / 1'000'000 - 60;  // booted a minute ago
  REQUIRE(w.idle());
  w.clock.advance(std::chrono::minutes(58));
  REQUIRE(w.idle());
  CHECK(fs::exists(w.home()));
  w.clock.advance(std::chrono::minutes(1));
  REQUIRE(w.idle());
  CHECK_FALSE(fs::exists(w.home()));
}

TEST_CASE("where something of a site lies without a record, it is left alone") {
  World w;
  REQUIRE(w.create(spec({"a.example"})));
  std::ofstream(w.places.state + "/" + World::id().str() + ".json") << "broken";
  CHECK(w.create(spec({"b.example"})).error().detail.contains("somebody has to look at it"));
  CHECK(fs::exists(w.home() / "public" / "index.html"));
  fs::remove_all(w.home());
  CHECK_FALSE(w.create(spec({"b.example"})));  // its configuration
  CHECK(fs::exists(w.config()));
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

}  // namespace caip::agent
