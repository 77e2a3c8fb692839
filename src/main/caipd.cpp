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

Result<http::ServerConfig> listener(const Config& config, secrets::Keeper& keeper) {
  http::ServerConfig s;
  s.listen = config.endpoints;
  s.proxies = config.proxies;
  CAIP_TRY(own, keeper.issue_server_certificate(certificate_names(config)));
  s.own = {own.cert_chain_pem, own.key_pem};
  s.agent_ca_pem = keeper.ca_certificate_pem();
  s.web = s.own;
  if (!config.certificate.empty()) {
    CAIP_TRY(chain, read_text(config.certificate));
    CAIP_TRY(key, read_text(config.key));
    s.web = {std::move(chain), std::move(key)};
  }
  return s;
}

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

void announce(const Plane& plane, std::uint16_t port, bool own_certificate) {
  std::string url = "https://localhost:" + std::to_string(port);
  std::printf("%s %s is running on %s\n", std::string(kProductName).c_str(), std::string(kVersion).c_str(), url.c_str());
  if (plane.setup_token) std::printf("Create the Owner (the link works once): %s/setup#token=%s\n", url.c_str(), plane.setup_token->c_str());
  if (own_certificate)
    std::printf("Your browser warns before it shows the page: no public authority vouches for this installation, it has one of its own.\n"
                "Go on if the certificate's issuer has the fingerprint below; to have no more warnings, import %s/ca.pem\n"
                "into the browser, or give caipd a certificate ([tls] in its configuration).\n", url.c_str());
  std::printf("SHA-256 of this installation's certificate authority: %s\n", plane.ca_fingerprint.c_str());
  std::fflush(stdout);
}

Result<void> serve(Config config) {
  const SystemClock clock;
  if (config.agent_url.empty()) config.agent_url = "https://localhost:" + std::to_string(config.endpoints.front().port);
  if (config.public_url.empty()) config.public_url = config.agent_url;
  CAIP_TRY(base, Foundation::open(config, clock));
  CAIP_TRY(fingerprint, crypto::certificate_fingerprint(base.keeper->ca_certificate_pem()));
  asio::io_context io(1);
  Plane plane(io, config, clock, std::move(base), std::move(fingerprint));
  CAIP_CHECKED(plane.start());
  protect_production(plane);  // what ended, or whose clock was set back, while we were down: before anybody is let in
  CAIP_TRY(listen, listener(config, plane.keeper));
  listen.slow = [&](const http::Request& r) { return plane.router.slow(r); };
  CAIP_TRY(server, http::Server::listen(io, std::move(listen), [&](const http::Request& r) { return plane.router.handle(r); },
                                        [&](std::unique_ptr<tls::Stream> s) { plane.hub.accept_stream(std::move(s)); }));
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
  plane.note(StartSystem{}, {{"seals", seals_text(keys)}});  // they are changed while nothing runs that could write it down
  announce(plane, server->port(), config.certificate.empty());
  asked.get_future().wait();
  log::info("stopping");
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
  plane.note(StopSystem{});
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
