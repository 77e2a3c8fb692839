// What a site's configuration is made of, and what goes between the helper and the worker.
#include "test_sites.h"

namespace caip::agent {

using namespace sites_test;

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
