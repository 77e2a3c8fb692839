// caipd: the control plane. Builds and wires the rooms, serves until SIGTERM or SIGINT.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <future>
#include <thread>

#include "base/product.h"
#include "caipd_due.h"
#include "caipd_plane.h"
#include "http/server.h"
#include "tls/stream.h"

namespace caip::main {
namespace {

namespace asio = boost::asio;

std::string host_of(const std::string& url) {
  auto from = url.find("//");
  std::string host = from == std::string::npos ? url : url.substr(from + 2);
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find_first_of(":/"));
}

std::vector<std::string> certificate_names(const Config& config) {
  std::vector<std::string> names{std::string(kControlName), "localhost", "127.0.0.1", "::1"};
  auto add = [&](const std::string& name) {
    if (!name.empty() && name != "0.0.0.0" && name != "::" && std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const auto& e : config.endpoints) add(e.address);
  add(host_of(config.agent_url));
  for (const auto& name : config.names) add(name);
  return names;
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::invalid, "cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// What is shown to whom, of the authorities as they are now. Browsers: the files' of the start, where the configuration names them.
Result<http::Certificates> certificates_of(const Config& config, secrets::Keeper& keeper, const std::optional<http::Certificate>& web) {
  CAIP_TRY(own, keeper.issue_server_certificate(KeyClass::ca, certificate_names(config)));
  CAIP_TRY(agents, keeper.issue_server_certificate(KeyClass::agent_ca, certificate_names(config)));
  const secrets::Authority authority = keeper.authority(KeyClass::agent_ca);
  const http::Certificate ours{own.cert_chain_pem, own.key_pem};
  return http::Certificates{.web = web.value_or(ours), .own = ours, .agents = {agents.cert_chain_pem, agents.key_pem}, .agent_authorities = authority.pem + authority.earlier};
}

Result<std::optional<http::Certificate>> certificate_in_files(const Config& config) {
  if (config.certificate.empty()) return std::nullopt;
  CAIP_TRY(chain, read_text(config.certificate));
  CAIP_TRY(key, read_text(config.key));
  return http::Certificate{std::move(chain), std::move(key)};
}

// After an authority was replaced: the listener shows the new one's first, and only then servers are given certificates of it; who went
// over before would be let in by nobody. What fails is tried again with the next tick. Thread-safe.
class Faces {
 public:
  Faces(const Config& config, Plane& plane, std::optional<http::Certificate> web) : config_(config), plane_(plane), web_(std::move(web)), shown_(now()) {}
  Result<http::Certificates> certificates() { return certificates_of(config_, plane_.keeper, web_); }
  void look(http::Server& server) {
    shown_.with([&](std::string& shown) {
      std::string current = now();
      if (current == shown) return;
      auto certificates = this->certificates();
      const auto done = certificates ? server.show(*certificates) : Result<void>(std::unexpected(certificates.error()));
      if (!done) return log::error("the certificates of a new authority are not shown yet", {{"why", done.error().detail}});
      shown = std::move(current);
      plane_.servers.authority_changed();
    });
  }

 private:
  std::string now() { return plane_.keeper.authority(KeyClass::ca).pem + plane_.keeper.authority(KeyClass::agent_ca).pem; }
  const Config& config_;
  Plane& plane_;
  const std::optional<http::Certificate> web_;
  Guarded<std::string> shown_;
};

// "key-file seal-3f0c… of 2026-11-26T10:00:00Z, passphrase …; root key 2": nothing of it opens anything.
std::string seals_text(const secrets::Inventory& keys) {
  std::string all;
  for (const auto& s : keys.seals) all += (all.empty() ? "" : ", ") + s.kind + " " + s.id + " of " + s.created.str();
  for (const auto& k : keys.keys)
    if (k.key == KeyClass::root) all += "; root key " + std::to_string(k.generation);
  return all;
}

// Expiry of approvals and orders once a second; servers that came back, sooner.
class Ticker {
 public:
  explicit Ticker(Plane& plane) : thread_([this, &plane](std::stop_token stop) { run(plane, stop); }) {}
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run(Plane& plane, std::stop_token stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    for (unsigned n = 0; !stop.stop_requested(); ++n) {
      plane.door.resume();
      plane.witnesses.tick();
      if (n % 10 == 0) {
        protect_production(plane);  // before anything that it keeps from running
        plane.approval_runner.tick();
        plane.absences.tick();
        plane.end_organizations();
        forget_servers(plane);
        plane.look_at_authorities();
        plane.servers.tick_keys();
        if (n % 600 == 0) forget_sites(plane);
      }
      wake_.wait_for(lock, stop, std::chrono::milliseconds(100), [] { return false; });
    }
  }
  std::condition_variable_any wake_;
  std::jthread thread_;
};

// What is left of key rotations, at once; what the schedule asks for, within seconds.
class Rotator {
 public:
  explicit Rotator(vault::Rotation& rotation) : thread_([this, &rotation](std::stop_token stop) { run(rotation, stop); }) {}
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run(vault::Rotation& rotation, std::stop_token stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    constexpr auto kOften = std::chrono::seconds(1), kSeldom = std::chrono::seconds(60);
    auto pause = kOften;
    while (!stop.stop_requested()) {
      const auto more = rotation.tick();
      // What fails is tried ever less often: a step may write an entry before it fails.
      pause = more ? kOften : std::min(pause * 2, kSeldom);
      if (!more) log::error("a key rotation did not go on", {{"detail", more.error().detail}});
      if (!more || !*more) wake_.wait_for(lock, stop, pause, [] { return false; });
    }
  }
  std::condition_variable_any wake_;
  std::jthread thread_;
};

// Nobody looks into this process; it leaves no core file; as many connections as allowed.
void prepare_process() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  std::signal(SIGPIPE, SIG_IGN);
  umask(0077);
}

void announce(Plane& plane, std::uint16_t port, bool own_certificate) {
  std::string url = "https://localhost:" + std::to_string(port);
  std::printf("%s %s is running on %s\n", std::string(kProductName).c_str(), std::string(kVersion).c_str(), url.c_str());
  if (plane.setup_token) std::printf("Create the Owner (the link works once): %s/setup#token=%s\n", url.c_str(), plane.setup_token->c_str());
  if (own_certificate)
    std::printf("Your browser warns before it shows the page: no public authority vouches for this installation, it has one of its own.\n"
                "Go on if the certificate's issuer has the fingerprint below; to have no more warnings, import %s/ca.pem\n"
                "into the browser, or give caipd a certificate ([tls] in its configuration).\n", url.c_str());
  std::printf("SHA-256 of this installation's certificate authority: %s\n", plane.authorities().ca_sha256.c_str());
  std::fflush(stdout);
}

Result<void> serve(Config config) {
  const SystemClock clock;
  if (config.agent_url.empty()) config.agent_url = "https://localhost:" + std::to_string(config.endpoints.front().port);
  if (config.public_url.empty()) config.public_url = config.agent_url;
  CAIP_TRY(base, Foundation::open(config, clock));
  asio::io_context io(1);
  Plane plane(io, config, clock, std::move(base));
  CAIP_CHECKED(plane.start());
  protect_production(plane);  // what ended, or whose clock was set back, while we were down: before anybody is let in
  CAIP_TRY(web, certificate_in_files(config));
  Faces faces(config, plane, std::move(web));
  http::ServerConfig listen;
  listen.listen = config.endpoints;
  listen.proxies = config.proxies;
  CAIP_TRY(certificates, faces.certificates());
  listen.certificates = std::move(certificates);
  listen.slow = [&](const http::Request& r) { return plane.router.slow(r); };
  CAIP_TRY(server, http::Server::listen(io, std::move(listen), [&](const http::Request& r) { return plane.router.handle(r); },
                                        [&](std::unique_ptr<tls::Stream> s) { plane.hub.accept_stream(std::move(s)); }));
  plane.on_new_authority([&faces, &server = *server] { faces.look(server); });
  std::promise<void> asked;
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code, int) { asked.set_value(); });
  std::thread thread([&] { io.run(); });
  Ticker ticker(plane);
  Rotator rotator(plane.rotation);
  plane.courier.start();
  if (plane.postman) plane.postman->start();
  const auto keys = plane.keeper.inventory();
  if (!keys.memory_locked) log::warn("the keeper's memory is not locked: give it LimitMEMLOCK=128M or CAP_IPC_LOCK");
  note(plane, StartSystem{}, {{"seals", seals_text(keys)}});  // they are changed while nothing runs that could write it down
  announce(plane, server->port(), config.certificate.empty());
  asked.get_future().wait();
  log::info("stopping");
  plane.on_new_authority({});
  // A model that is still talking must not hold us up; what is on disk is whole at any moment.
  std::thread([] {
    std::this_thread::sleep_for(std::chrono::seconds(8));
    std::_Exit(0);
  }).detach();
  ticker.stop();
  rotator.stop();
  plane.courier.stop();
  if (plane.postman) plane.postman->stop();
  asio::post(io, [&] { server->stop(); });
  plane.desk.stop();
  plane.hub.stop();
  server->drain();
  note(plane, StopSystem{});
  io.stop();
  thread.join();
  return {};
}

// For whoever is root here: the last Owner's lost or hostile factors. The database admits one process, so the
// control plane has to be stopped; the entry says that it was done on the machine.
Result<void> reset_factors(const Config& config) {
  const SystemClock clock;
  CAIP_TRY(email, Email::parse(config.reset_factors));
  CAIP_TRY(base, Foundation::open(config, clock));
  auth::Factors factors{*base.database, *base.ledger, *base.keeper, clock};
  auth::Accounts accounts{*base.database, *base.ledger, *base.keeper, factors, clock, {.setup_token_file = config.data + "/setup-token", .notices = auth::Notices(config.mail.has_value())}};
  CAIP_TRY(person, accounts.find(email));
  auto permit = authorization::Authorizer(clock).authorize_system(ResetFactorsLocally{person.user}, person.org);
  if (!permit) return fail(Code::forbidden, permit.error().reason);
  CAIP_CHECKED(accounts.reset_factors(std::move(*permit)));
  std::printf("The second factors of %s are removed and its sessions ended. Sign in with the password and set up new ones.\n", email.str().c_str());
  return {};
}

}  // namespace
}  // namespace caip::main

int main(int argc, char** argv) {
  using namespace caip;
  main::prepare_process();
  auto config = main::read_config(argc, argv);
  if (!config) {
    std::fprintf(stderr, "caipd: %s\n", config.error().detail.c_str());
    return 2;
  }
  auto done = config->reset_factors.empty() ? main::serve(*std::move(config)) : main::reset_factors(*config);
  if (!done) {
    std::fprintf(stderr, "caipd: %s: %s\n", std::string(code_text(done.error().code)).c_str(), done.error().detail.c_str());
    return 1;
  }
  return 0;
}
