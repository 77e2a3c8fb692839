// agent/sites.h: the sites of this server. Two halves, for the helper may do nothing that a site needs: it verifies an order,
// leaves it in a folder of root's and has systemd start caip-sites.service, whose program (the helper's own, called as
// `caip-helper sites`) does it and leaves an answer there. No text but typed values goes that way.
//
//   one run:  recover (what a crash left half done goes back) → the order, once → what is past its time is removed
//
// A site is changed as a whole or not at all: configuration tried in a staging copy (caip-sites-check.service runs `nginx -t` with
// it), renamed into place, the web server reloaded, each domain asked for the mark of this very configuration; where one does not
// answer with it, all goes back to what was. Its record is written last: until then a restart goes back too.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "model/actions.h"

namespace caip::wire { class Site; }

namespace caip::agent {

class UnitManager;
class SiteUsers;

inline constexpr const char* kSitesState = "/var/lib/caip-helper/sites";

// The helper's half.
class SiteDesk {
 public:
  explicit SiteDesk(UnitManager& units, std::string folder = kSitesState);
  // Code::timeout: whether it was done is not known.
  Result<void> run(const OperationId&, const ServerAction&, Instant now, wire::Site&);

 private:
  UnitManager& units_;
  std::string folder_;
};

// The web server, as far as sites need it. In tests, somebody else.
class WebServer {
 public:
  virtual ~WebServer() = default;
  virtual Result<void> ready() = 0;             // installed, and it runs
  virtual bool runs() = 0;
  virtual Result<void> check(const std::string& staged) = 0;  // whether it takes its configuration with this folder in place of its own
  virtual Result<void> reload() = 0;
  virtual bool answers(const std::string& domain, const std::string& path) = 0;  // with 204, now
  virtual bool accepts(std::int64_t port) = 0;  // somebody on the loopback address
};
std::unique_ptr<WebServer> make_nginx(UnitManager&, std::string state_folder);

std::int64_t seconds_since_boot();  // also while it slept; no clock that somebody sets

struct SitePlaces {
  std::string state = kSitesState;          // records, the order and its answer; root's alone
  std::string files = "/srv/caip-sites";
  std::string configs = "/etc/nginx/conf.d";
  bool ipv6 = true;
  Duration patience = std::chrono::seconds(8);  // with the web server, until its new workers answer for all of a site's domains
  std::function<std::int64_t()> uptime = seconds_since_boot;
};
SitePlaces places_here();

// The half that does it.
class Sites {
 public:
  Sites(SitePlaces places, WebServer& web, SiteUsers& users, const Clock& clock) : places_(std::move(places)), web_(web), users_(users), clock_(clock) {}
  // All of one run. What the order came to is in its answer; the error is one of the run itself.
  Result<void> run();

 private:
  struct Work;
  SitePlaces places_;
  WebServer& web_;
  SiteUsers& users_;
  const Clock& clock_;
};

// `caip-helper sites`
Result<void> serve_sites(const Clock&);

}  // namespace caip::agent
