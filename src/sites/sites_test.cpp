// What orders about sites do to their rows, whatever becomes of the orders.
#include <catch2/catch_test_macros.hpp>

#include "server_world.h"
#include "sites/migrations.h"
#include "sites/site_service.h"

namespace caip::sites {
namespace {

storage::Migrations both() {
  auto all = servers::migrations();
  for (auto& one : sites::migrations()) all.push_back(one);
  return all;
}

constexpr Duration kGivenUp = servers::kOrderLife + channel::kClockSkew + std::chrono::seconds(1);

struct World : test::Domain {
  std::unique_ptr<SiteService> sites;
  std::uint8_t made = 0;

  World() : Domain(both()) {
    with_server();
    sites = std::make_unique<SiteService>(*db, *ledger, authorizer, clock);
    orders->follow(sites->follow());
  }
  static SiteSpec spec(std::vector<const char*> domains, std::optional<std::int64_t> port = {}) {
    std::vector<DomainName> names;
    for (const char* d : domains) names.push_back(DomainName::parse(d).value());
    return SiteSpec::of(port ? SiteKind::proxy : SiteKind::static_files, std::move(names), port, false).value();
  }
  static SiteId id(std::uint8_t n) { return SiteId(IdBytes{n}); }
  template <Action A> Result<servers::Operation> order(A action) {
    return orders->issue(authorize(owner.session(), std::move(action)).value());
  }
  Result<servers::Operation> create(SiteSpec s, const char* name = "shop") {
    return order(CreateSite{*server, id(++made), SiteName::parse(name).value(), std::move(s)});
  }
  Result<void> says(const servers::Operation& o, bool ok, json::object site = {}, bool unknown = false) {
    json::object result;
    if (!site.empty()) result["site"] = std::move(site);
    return orders->finish(agent(), o.id, {.ok = ok, .replayed = false, .result = std::move(result), .error = ok ? Foreign() : Foreign("no"), .unknown = unknown});
  }
  // Made and live.
  SiteId with_site(SiteSpec s = spec({"a.example"}), const char* name = "shop") {
    const auto o = create(std::move(s), name).value();
    REQUIRE(says(o, true));
    return id(made);
  }
  std::string state(std::uint8_t n = 1) {
    auto found = sites->get(owner.session(), id(n));
    return found ? std::string(text(*found)) : "none";
  }
  std::vector<std::string> notices() {
    std::vector<std::string> out;
    auto tx = db->begin_read();
    REQUIRE(tx.query("SELECT subject FROM notices WHERE kind = 'site.deletion' ORDER BY rowid", [&](const storage::Row& r) { out.push_back(r.text(0)); }));
    return out;
  }
  Result<Receipt<ForgetSite>> forget(const SiteId& site) {
    auto permit = authorizer.authorize_system(ForgetSite{*server, site}, org);
    return sites->forget(std::move(*permit));
  }
};

json::object on_server(const SiteSpec& spec, std::optional<Instant> ends = {}) {
  json::object out{{"exists", true}, {"ends_at", ends ? json::value(ends->str()) : json::value(nullptr)}};
  spec.write(out);
  return out;
}

}  // namespace

TEST_CASE("a site is there with its order, live with the answer, and gone again where it was refused") {
  World w;
  const auto o = w.create(World::spec({"a.example"})).value();
  CHECK(w.state() == "creating");
  REQUIRE(w.says(o, true));
  CHECK(w.state() == "live");
  const auto no = w.create(World::spec({"b.example"}), "other").value();
  CHECK(w.state(2) == "creating");
  REQUIRE(w.says(no, false));
  CHECK(w.state(2) == "none");
  CHECK(w.create(World::spec({"b.example"}), "other"));  // its name and its domain are nobody's
}

TEST_CASE("a name and a domain are one site's, and one order about it is under way at a time; what is refused is on the record") {
  World w;
  const SiteId site = w.with_site(World::spec({"a.example", "b.example"}));
  CHECK(w.create(World::spec({"c.example"})).error().code == Code::conflict);                // the name
  CHECK(w.create(World::spec({"c.example", "b.example"}), "x").error().detail.contains("b.example"));
  CHECK(w.sites->list(w.owner.session())->size() == 1);
  const auto o = w.order(ChangeSite{*w.server, site, World::spec({"a.example", "d.example"})}).value();
  CHECK(w.state() == "changing");
  CHECK(w.order(DeleteSite{*w.server, site, 24}).error().detail.contains("has not ended yet"));
  CHECK(w.create(World::spec({"d.example"}), "x").error().code == Code::conflict);  // both, until it has ended
  CHECK(w.create(World::spec({"b.example"}), "y").error().code == Code::conflict);
  REQUIRE(w.says(o, true));
  CHECK(w.sites->get(w.owner.session(), site)->spec == World::spec({"a.example", "d.example"}));
  CHECK(w.create(World::spec({"b.example"}), "z"));
  CHECK(w.order(ChangeSite{*w.server, site, World::spec({"a.example"}, 3000)}).error().detail.contains("kind"));
}

TEST_CASE("a change that failed leaves what was, with its domains and no others") {
  World w;
  const SiteId site = w.with_site();
  const auto o = w.order(ChangeSite{*w.server, site, World::spec({"b.example"})}).value();
  REQUIRE(w.says(o, false));
  CHECK(w.state() == "live");
  CHECK(w.sites->get(w.owner.session(), site)->spec == World::spec({"a.example"}));
  CHECK(w.create(World::spec({"a.example"}), "x").error().code == Code::conflict);
  CHECK(w.create(World::spec({"b.example"}), "x"));
}

TEST_CASE("deleted: a date, its name and domains kept, told; restored: as it was; forgotten when the date has come, and not before") {
  World w;
  const SiteId site = w.with_site();
  auto o = w.order(DeleteSite{*w.server, site, 48}).value();
  CHECK(w.state() == "deleting");
  REQUIRE(w.says(o, true, on_server(World::spec({"a.example"}), w.clock.now() + std::chrono::hours(48))));
  CHECK(w.state() == "deleted");
  CHECK(*w.sites->get(w.owner.session(), site)->ends == w.clock.now() + std::chrono::hours(48));
  CHECK(w.create(World::spec({"a.example"}), "x").error().code == Code::conflict);
  CHECK(w.order(ChangeSite{*w.server, site, World::spec({"b.example"})}).error().detail.contains("restore it first"));
  CHECK(w.order(DeleteSite{*w.server, site, 1}).error().code == Code::conflict);  // nobody shortens it
  CHECK(w.forget(site).error().code == Code::conflict);
  o = w.order(RestoreSite{*w.server, site}).value();
  CHECK(w.state() == "restoring");
  REQUIRE(w.says(o, true));
  CHECK((w.state() == "live" && !w.sites->get(w.owner.session(), site)->ends));
  CHECK(w.order(RestoreSite{*w.server, site}).error().code == Code::conflict);
  o = w.order(DeleteSite{*w.server, site, 1}).value();
  REQUIRE(w.says(o, true));
  w.clock.advance(std::chrono::hours(2) - std::chrono::seconds(1));
  CHECK((w.sites->due().empty() && !w.forget(site)));
  w.clock.advance(std::chrono::seconds(2));
  REQUIRE(w.sites->due().size() == 1);
  REQUIRE(w.forget(site));
  CHECK((w.state() == "none" && w.sites->due().empty() && w.create(World::spec({"a.example"}))));
}

TEST_CASE("the server's date counts within an hour of our own, and no further") {
  World w;
  const SiteId site = w.with_site();
  const auto o = w.order(DeleteSite{*w.server, site, 48}).value();
  REQUIRE(w.says(o, true, on_server(World::spec({"a.example"}), w.clock.now())));  // it would be gone by now
  CHECK(*w.sites->get(w.owner.session(), site)->ends == w.clock.now() + std::chrono::hours(47));
}

TEST_CASE("without an answer nothing is known, and the server is asked") {
  World w;
  const SiteId site = w.with_site();
  REQUIRE(w.order(ChangeSite{*w.server, site, World::spec({"b.example"})}));
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.state() == "unknown");
  for (const char* d : {"a.example", "b.example"}) CHECK(w.create(World::spec({d}), "x").error().code == Code::conflict);
  w.connect();
  auto o = w.order(CheckSite{*w.server, site}).value();
  REQUIRE(w.says(o, true, on_server(World::spec({"b.example"}))));
  CHECK(w.state() == "live");
  CHECK(w.sites->get(w.owner.session(), site)->spec == World::spec({"b.example"}));
  o = w.order(DeleteSite{*w.server, site, 24}).value();
  REQUIRE(w.says(o, false, {}, true));
  CHECK(w.state() == "unknown");
  o = w.order(CheckSite{*w.server, site}).value();
  REQUIRE(w.says(o, true, on_server(World::spec({"b.example"}), w.clock.now() + std::chrono::hours(24))));
  CHECK(w.state() == "deleted");
  // Where we know, what a server says is not believed over it; but for there being none.
  const SiteId other = w.with_site(World::spec({"c.example"}), "other");
  o = w.order(CheckSite{*w.server, other}).value();
  REQUIRE(w.says(o, true, on_server(World::spec({"evil.example"}))));
  CHECK(w.sites->get(w.owner.session(), other)->spec == World::spec({"c.example"}));
  o = w.order(CheckSite{*w.server, other}).value();
  REQUIRE(w.says(o, true, {{"exists", false}}));
  CHECK(w.state(w.made) == "unknown");
  o = w.order(CheckSite{*w.server, other}).value();
  REQUIRE(w.says(o, true, {{"exists", false}}));
  CHECK(w.state(w.made) == "none");
}

TEST_CASE("an order that never left has done nothing") {
  World w;
  w.wire_down = true;
  REQUIRE(w.create(World::spec({"a.example"})));
  w.clock.advance(kGivenUp);
  w.orders->tick();
  CHECK(w.state() == "none");
}

TEST_CASE("a site of another server, another organisation, or of none, is no site of an order") {
  World w;
  const SiteId site = w.with_site();
  CHECK(w.order(DeleteSite{*w.server, SiteId(IdBytes{99}), 24}).error().code == Code::conflict);
  CHECK(w.order(CheckSite{*w.server, SiteId(IdBytes{99})}).error().code == Code::conflict);
  const test::Person stranger{OrgId(IdBytes{77})};
  CHECK(w.sites->get(stranger.session(), site).error().code == Code::not_found);
  CHECK(w.sites->list(stranger.session())->empty());
}

TEST_CASE("sites go with their server and with their organisation") {
  World w;
  const SiteId site = w.with_site();
  {
    auto permit = w.authorize(w.owner.session(), DisconnectServer{*w.server});
    REQUIRE(w.servers->disconnect(std::move(*permit), ServerName::parse("web-1").value()));
  }
  CHECK(w.sites->due().empty());
  w.clock.advance(servers::kServerGrace + std::chrono::seconds(1));
  auto permit = w.authorizer.authorize_system(ForgetServer{*w.server}, w.org);
  REQUIRE(w.servers->forget(std::move(*permit)));
  REQUIRE(w.sites->due().size() == 1);
  REQUIRE(w.forget(site));
  CHECK(w.state() == "none");
}

}  // namespace caip::sites
