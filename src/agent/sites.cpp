// The verbs of a site, and what a crash leaves of them. The record is what counts: it is written when all else holds, and a run
// begins by putting everything back to what the records say.
#include "agent/sites.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ranges>
#include <thread>
#include <cerrno>

#include "agent/config.h"
#include "agent/helper.h"
#include "base/log.h"
#include "fd.h"
#include "overloaded.h"
#include "site_files.h"
#include "site_notes.h"
#include "site_records.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

constexpr std::size_t kMostSites = 500;
constexpr std::size_t kMostError = 1000;
constexpr Duration kFresh = std::chrono::seconds(90);  // of an order that was left here: later nobody waits for it
constexpr auto kAgain = std::chrono::milliseconds(50);  // between two looks at the web server

}  // namespace

struct Sites::Work {
  const SitePlaces& places;
  WebServer& web;
  SiteUsers& users;
  const Clock& clock;
  SiteRecords records{places.state};
  SiteConfigs configs{places.configs};
  SiteFiles files{places.files};
  SiteMap sites = {};

  SiteConfig config_of(const Site& site) const { return make_config(site, places.files, places.ipv6); }
  std::string staging() const { return places.state + "/staging"; }

  Result<Site> must_find(const SiteId& id) const {
    const auto it = sites.find(id);
    if (it == sites.end()) return fail(Code::not_found, "this server has no such site");
    return it->second;
  }
  Result<Site> must_be(const SiteId& id, SiteState state) const {
    CAIP_TRY(site, must_find(id));
    if (site.state == state) return site;
    return fail(Code::conflict, site.state == SiteState::deleted ? "the site is deleted; restore it first" : site.state == SiteState::live ? "the site is not deleted" : "the site is being removed");
  }
  // A deleted site keeps its domains: it must be able to come back.
  Result<void> free_domains(const SiteId& id, const SiteSpec& spec) const {
    for (const auto& [other, site] : sites)
      for (const DomainName& d : spec.domains())
        if (other != id && std::ranges::contains(site.spec.domains(), d)) return fail(Code::conflict, d.str() + " is a domain of the site " + site.name.str() + " on this server");
    return {};
  }

  using Deadline = std::chrono::steady_clock::time_point;
  Deadline deadline() const { return std::chrono::steady_clock::now() + places.patience; }
  bool comes_to(const DomainName& domain, const std::string& mark, bool wanted, Deadline until) const {
    while (web.answers(domain.str(), mark) != wanted) {
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(kAgain);
    }
    return true;
  }
  // In force for all of its domains, by its own mark.
  Result<void> holds(const Site& site, const SiteConfig& config) const {
    const Deadline until = deadline();  // one for all
    for (const DomainName& d : site.spec.domains())
      if (!comes_to(d, config.mark, true, until))
        return fail(Code::conflict, "nginx does not serve " + d.str() + " by this site's configuration: another one on this server has that name, or /etc/nginx/nginx.conf does not read " + places.configs);
    return {};
  }

  // As it was, as far as this server still can.
  void back(const SiteId& id, const std::optional<std::string>& before) const {
    const auto put = before ? configs.write(id, *before) : configs.remove(id);
    const auto loaded = web.runs() ? web.reload() : Result<void>();
    for (const auto& r : {put, loaded})
      if (!r) log::error("a site's configuration could not be put back", {{"site", id.str()}, {"why", r.error().detail}});
  }

  // Tried, swapped, looked at; where that fails, nothing has changed.
  Result<void> apply(const Site& site) const {
    CAIP_CHECKED(web.ready());
    const SiteConfig config = config_of(site);
    CAIP_CHECKED(configs.stage(staging(), site.id, config.text));
    CAIP_CHECKED(web.check(staging()));
    const auto before = configs.read(site.id);
    CAIP_CHECKED(configs.write(site.id, config.text));
    auto done = web.reload();
    if (done) done = holds(site, config);
    if (!done) back(site.id, before);
    return done;
  }

  // Out of the web server, and out of force.
  Result<void> withdraw(const Site& site) const {
    const auto before = configs.read(site.id);
    CAIP_CHECKED(configs.remove(site.id));
    if (!web.runs()) return {};
    auto done = configs.stage(staging(), site.id, std::nullopt);
    if (done) done = web.check(staging());
    if (done) done = web.reload();
    if (done && !comes_to(site.spec.domains().front(), config_of(site).mark, false, deadline())) done = fail(Code::conflict, "nginx goes on serving the site");
    if (!done) back(site.id, before);
    return done;
  }

  Result<void> keep(const Site& site) {
    CAIP_CHECKED(records.put(site));
    sites.insert_or_assign(site.id, site);
    return {};
  }

  Result<void> build(const Site& site) const {
    CAIP_TRY(web_group, users.web_group());
    CAIP_TRY(owner, users.make(site.id));
    CAIP_CHECKED(files.make(site.id, owner, web_group, site.spec.kind() == SiteKind::static_files));
    return apply(site);
  }

  // Nothing of it stays: its configuration, its files, its user, and last that we know of it.
  Result<void> raze(const SiteId& id) {
    const bool served = configs.read(id).has_value();
    CAIP_CHECKED(configs.remove(id));
    if (served && web.runs()) CAIP_CHECKED(web.reload());
    CAIP_CHECKED(files.remove(id));
    CAIP_CHECKED(users.remove(id));
    CAIP_CHECKED(records.drop(id));
    sites.erase(id);
    return {};
  }

  Result<void> create(const CreateSite& a) {
    if (sites.contains(a.site)) return fail(Code::conflict, "this server has this site already");
    if (files.there(a.site) || configs.read(a.site)) return fail(Code::conflict, "something of this site lies on the server already, and nothing is known of it here; somebody has to look at it");
    if (sites.size() >= kMostSites) return fail(Code::conflict, "this server has 500 sites; no more are made");
    CAIP_CHECKED(free_domains(a.site, a.spec));
    CAIP_CHECKED(web.ready());
    Site site{a.site, a.name, a.spec, SiteState::creating, {}};
    CAIP_CHECKED(keep(site));
    auto made = build(site);
    site.state = SiteState::live;
    if (made) made = keep(site);
    if (made) return {};
    if (auto gone = raze(a.site); !gone) log::error("what was begun of a site could not be taken away yet", {{"site", a.site.str()}, {"why", gone.error().detail}});
    return made;
  }

  Result<void> change(const ChangeSite& a) {
    CAIP_TRY(site, must_be(a.site, SiteState::live));
    if (site.spec.kind() != a.spec.kind()) return fail(Code::invalid, "what kind of site it is does not change");
    CAIP_CHECKED(free_domains(a.site, a.spec));
    const auto before = configs.read(a.site);
    site.spec = a.spec;
    CAIP_CHECKED(apply(site));
    auto kept = keep(site);
    if (!kept) back(a.site, before);
    return kept;
  }

  Result<void> remove(const DeleteSite& a) {
    CAIP_TRY(site, must_be(a.site, SiteState::live));
    const auto before = configs.read(a.site);
    CAIP_CHECKED(withdraw(site));
    auto done = files.shut(a.site);
    site.state = SiteState::deleted;
    site.ends = clock.now() + std::chrono::hours(a.hours);
    site.hours = a.hours;
    site.kept = 0;
    if (done) done = keep(site);
    if (done) return {};
    if (auto opened = files.open_up(a.site); !opened) log::error("a site's folder could not be opened again", {{"site", a.site.str()}});
    back(a.site, before);
    return done;
  }

  Result<void> restore(const RestoreSite& a) {
    CAIP_TRY(site, must_be(a.site, SiteState::deleted));
    if (is_due(site)) return fail(Code::conflict, "the time in which the site could be restored is over");
    site.state = SiteState::live;
    site.ends = {};
    site.hours = site.kept = 0;
    CAIP_CHECKED(files.open_up(a.site));
    auto done = apply(site);
    if (done) done = keep(site);
    if (done) return {};
    back(a.site, std::nullopt);
    if (auto shut = files.shut(a.site); !shut) log::error("a deleted site's folder could not be shut again", {{"site", a.site.str()}});
    return done;
  }

  Result<void> act(const ServerAction& action) {
    return std::visit(Overloaded{[&](const CreateSite& a) { return create(a); }, [&](const ChangeSite& a) { return change(a); }, [&](const DeleteSite& a) { return remove(a); },
                                 [&](const RestoreSite& a) { return restore(a); }, [&](const CheckSite&) { return Result<void>(); },
                                 [&](const auto&) -> Result<void> { return fail(Code::invalid, "not about a site"); }},
                      action);
  }

  // As it stands now.
  wire::Site look(const SiteId& id) const {
    wire::Site out;
    const auto it = sites.find(id);
    if (it == sites.end() || it->second.state == SiteState::creating) return out;
    const Site& site = it->second;
    out.set_exists(true);
    out.set_deleted(site.state != SiteState::live);
    if (site.state != SiteState::live) out.set_ends(site.ends.str());
    out.set_name(site.name.str());
    json::object spec;
    site.spec.write(spec);
    out.set_spec(canonical(spec));
    if (const auto used = files.used(id)) {
      out.set_bytes(used->bytes);
      out.set_bytes_whole(used->whole);
    }
    if (site.state != SiteState::live) return out;
    const std::string mark = config_of(site).mark;
    for (const DomainName& d : site.spec.domains()) {
      const bool answers = web.answers(d.str(), mark);
      (answers ? *out.mutable_answers() : *out.mutable_silent()).Add(std::string(d.str()));
    }
    out.set_upstream(site.spec.port() && web.accepts(*site.spec.port()));
    return out;
  }

  // To what its record says; whether the web server's files changed.
  Result<bool> settle(const Site& site) {
    if (site.state == SiteState::creating) {
      CAIP_CHECKED(raze(site.id));
      return false;
    }
    const auto there = configs.read(site.id);
    if (site.state == SiteState::live) {
      CAIP_CHECKED(files.open_up(site.id));
      const std::string wanted = config_of(site).text;
      if (there == wanted) return false;
      CAIP_CHECKED(configs.write(site.id, wanted));
      return true;
    }
    CAIP_CHECKED(configs.remove(site.id));
    CAIP_CHECKED(files.shut(site.id));
    return there.has_value();
  }

  // Everything to what the records say. What cannot be settled of one keeps no other from it.
  Result<void> recover() {
    CAIP_TRY(known, records.all());
    sites = known;
    bool changed = false;
    for (const auto& [id, site] : known) {
      const auto settled = settle(site);
      if (settled) changed = changed || *settled;
      else log::error("a site is not as its record says", {{"site", id.str()}, {"why", settled.error().detail}});
    }
    const auto loaded = changed && web.runs() ? web.reload() : Result<void>();
    if (!loaded) log::error("nginx does not read its configuration; somebody has to look at it", {{"why", loaded.error().detail}});
    return {};
  }

  // By the clock, and by the time in which this machine was seen to run: one of them alone may have jumped.
  bool is_due(const Site& site) const { return site.ends <= clock.now() && site.kept >= site.hours * 3600; }

  // Seconds since the last run. After a boot, since that: what was before is not known, and is counted as none.
  Result<std::int64_t> passed() const {
    const std::string file = places.state + "/uptime";
    const std::int64_t now = places.uptime();
    std::int64_t before = now;
    const auto text = read_file(file, 64);
    if (text) std::from_chars(text->data(), text->data() + text->size(), before);
    CAIP_CHECKED(write_file(file, std::to_string(now), 0600));
    return before >= 0 && before <= now ? now - before : now;
  }

  Result<void> count_time() {
    CAIP_TRY(more, passed());
    if (more == 0) return {};
    const SiteMap known = sites;
    for (Site site : known | std::views::values) {
      if (site.state != SiteState::deleted) continue;
      site.kept += more;
      CAIP_CHECKED(keep(site));
    }
    return {};
  }

  // One that cannot be removed keeps no other from it, and its turn comes again.
  void end_what_is_due() {
    std::vector<Site> due;
    for (const auto& [id, site] : sites)
      if (site.state == SiteState::removing || (site.state == SiteState::deleted && is_due(site))) due.push_back(site);
    for (Site& site : due) {
      site.state = SiteState::removing;
      auto gone = keep(site);  // before the first file: from now on nothing is restored
      if (gone) gone = raze(site.id);
      if (gone) log::info("a deleted site is removed", {{"site", site.id.str()}, {"name", site.name.str()}});
      else log::error("a deleted site could not be removed yet", {{"site", site.id.str()}, {"why", gone.error().detail}});
    }
  }

  Result<void> obey() {
    CAIP_TRY(order, take_order(places.state));
    if (!order) return {};
    SiteAnswer answer{.order = order->order};
    const Duration age = clock.now() - order->left;
    const auto done = age < kFresh && age > -kFresh ? act(order->action) : Result<void>(fail(Code::expired, "the order was left here too long ago; nothing was done"));
    answer.ok = done.has_value();
    if (!done) answer.error = cut(shown(done.error().detail.empty() ? std::string(code_text(done.error().code)) : done.error().detail), kMostError);
    const auto id = SiteId::parse(subject_of(order->action));
    if (id) answer.site = look(*id).SerializeAsString();
    return leave_answer(places.state, answer);
  }
};

Result<void> Sites::run() {
  if (::mkdir(places_.state.c_str(), 0700) != 0 && errno != EEXIST) return fail(Code::internal, places_.state + ": " + ::strerror(errno));
  const Fd lock(::open(places_.state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return fail(Code::internal, places_.state + ": " + ::strerror(errno));
  Work work{places_, web_, users_, clock_};
  CAIP_CHECKED(work.recover());
  CAIP_CHECKED(work.count_time());
  CAIP_CHECKED(work.obey());
  work.end_what_is_due();
  return {};
}

Result<void> serve_sites(const Clock& clock) {
  auto systemd = make_systemd();
  const SitePlaces places = places_here();
  auto web = make_nginx(*systemd, places.state);
  auto users = make_site_users(places.files);
  return Sites(places, *web, *users, clock).run();
}

}  // namespace caip::agent
