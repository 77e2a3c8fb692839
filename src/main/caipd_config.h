// caipd's configuration: a TOML file, the environment, the command line; the later wins.
// An unknown key is an error: a misspelt setting must not be a silent default.
#pragma once
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "auth/endings.h"
#include "base/product.h"
#include "base/result.h"
#include "caipd_mail.h"
#include "caipd_places.h"
#include "caipd_sign_in.h"
#include "caipd_toml.h"
#include "http/server.h"
#include "model/ai.h"
#include "notifications/courier.h"
#include "outbound/client.h"
#include "pilot/client.h"
#include "secrets/keeper.h"
#include "servers/absences.h"
#include "servers/server_service.h"

namespace caip::main {

struct Config {
  std::string file;
  std::string data = "/var/lib/caip";
  std::string listen = "127.0.0.1:8443";
  std::string public_url;       // how browsers reach us: links and sign-in providers lead there; default: agent_url
  std::string agent_url;        // how servers reach us; default: https://localhost:PORT
  std::string certificate;      // PEM files for browsers and the CLI; none: our own authority's
  std::string key;
  std::vector<std::string> names;  // further names and addresses for our own certificate
  std::vector<std::string> proxies;  // networks whose X-Forwarded-For is believed
  std::string install_folder;
  std::string first_server;     // enrolled by the command written to DATA/first-server
  AiAccess first_server_ai = AiAccess::read;  // until somebody sets another one
  Environment first_server_environment = Environment::unknown;  // the same
  pilot::Provider pilot;
  std::string pilot_key_secret;  // name of a secret of kind ai_provider; instead of api_key_file
  secrets::SealFiles seals;      // what opens the root key
  outbound::Rules outbound;
  notifications::CourierSettings notifications;
  PlaceFiles places;
  std::optional<notifications::MailSender> mail;  // of personal letters; none: no letter is sent
  std::vector<federation::ProviderConfig> providers;  // besides passwords
  Duration missed_after = servers::kMissedAfter;  // a server is told of as offline
  Duration key_overlap = std::chrono::days(30);   // for so long an old key waits for servers that are away
  std::vector<http::Endpoint> endpoints;  // of listen
  bool anyone_founds = false;  // organisations
  Duration server_grace = servers::kServerGrace;  // from disconnecting a server to forgetting it
  Duration ending_grace = auth::kEndingGrace;  // from asking for an organisation's deletion to its end
  std::string reset_factors;  // an e-mail address: remove that account's second factors, and serve nobody
};

inline Result<void> read_outbound(const toml::table& table, outbound::Rules& rules) {
  TomlReader r(table, "outbound.");
  std::vector<std::string> networks;
  r.texts("allow_networks", networks);
  r.text("ca_file", rules.ca_file);
  CAIP_CHECKED(r.finish());
  for (const auto& text : networks) {
    CAIP_TRY(network, outbound::Network::parse(text));
    rules.allowed.push_back(network);
  }
  if (!rules.ca_file.empty() && !std::ifstream(rules.ca_file)) return fail(Code::invalid, "outbound.ca_file cannot be read: " + rules.ca_file);
  return {};
}

inline Result<void> read_notifications(const toml::table& table, notifications::CourierSettings& settings) {
  TomlReader r(table, "notifications.");
  std::vector<std::int64_t> waits;
  r.integers("retry_seconds", waits);
  r.text("telegram_api", settings.telegram_api);
  CAIP_CHECKED(r.finish());
  if (waits.empty()) return {};
  settings.schedule.waits.clear();
  for (const std::int64_t seconds : waits) {
    if (seconds < 1 || seconds > 7 * 86400) return fail(Code::invalid, "notifications.retry_seconds are 1 to 604800");
    settings.schedule.waits.emplace_back(seconds);
  }
  return {};
}

inline Result<void> read_organizations(const toml::table& table, Config& c) {
  TomlReader r(table, "organizations.");
  std::string founders = "operators";
  r.text("founders", founders);
  std::int64_t seconds = c.ending_grace / std::chrono::seconds(1);
  r.integer("restorable_seconds", seconds);
  CAIP_CHECKED(r.finish());
  if (founders != "operators" && founders != "everyone") return fail(Code::invalid, "organizations.founders is operators or everyone");
  if (seconds < 1 || seconds > 365 * 86400) return fail(Code::invalid, "organizations.restorable_seconds is 1 to 31536000");
  c.anyone_founds = founders == "everyone";
  c.ending_grace = std::chrono::seconds(seconds);
  return {};
}

inline Result<void> read_servers(const toml::table& table, Config& c) {
  TomlReader r(table, "servers.");
  std::int64_t seconds = c.missed_after / std::chrono::seconds(1);
  r.integer("missed_after_seconds", seconds);
  std::int64_t hours = c.key_overlap / std::chrono::hours(1);
  r.integer("key_overlap_hours", hours);
  std::int64_t restorable = c.server_grace / std::chrono::seconds(1);
  r.integer("restorable_seconds", restorable);
  CAIP_CHECKED(r.finish());
  if (seconds < 1 || seconds > 86400) return fail(Code::invalid, "servers.missed_after_seconds is 1 to 86400");
  if (hours < 0 || hours > 8760) return fail(Code::invalid, "servers.key_overlap_hours is 0 to 8760");
  if (restorable < 1 || restorable > 365 * 86400) return fail(Code::invalid, "servers.restorable_seconds is 1 to 31536000");
  c.server_grace = std::chrono::seconds(restorable);
  c.missed_after = std::chrono::seconds(seconds);
  c.key_overlap = std::chrono::hours(hours);
  return {};
}

inline Result<void> read_toml(const std::string& path, Config& c) {
  toml::table root;
  try {
    root = toml::parse_file(path);
  } catch (const toml::parse_error& e) {
    return fail(Code::invalid, path + ": " + std::string(e.description()));
  }
  TomlReader r(root);
  r.text("data", c.data);
  r.text("listen", c.listen);
  r.text("agent_url", c.agent_url);
  r.text("public_url", c.public_url);
  r.texts("names", c.names);
  r.texts("trusted_proxies", c.proxies);
  r.text("install_folder", c.install_folder);
  if (const auto* tls = r.table("tls")) {
    TomlReader t(*tls, "tls.");
    t.text("certificate", c.certificate);
    t.text("key", c.key);
    CAIP_CHECKED(t.finish());
  }
  if (const auto* pilot = r.table("pilot")) {
    TomlReader p(*pilot, "pilot.");
    std::string key_file = c.pilot.api_key_file.string();
    std::string provider(text(c.pilot.vendor));
    p.text("provider", provider);
    p.text("base_url", c.pilot.base_url);
    p.text("model", c.pilot.model);
    p.text("api_key_file", key_file);
    p.text("api_key_secret", c.pilot_key_secret);
    p.text("max_tokens_field", c.pilot.max_tokens_field);
    p.integer("max_tokens", c.pilot.max_tokens);
    p.texts("allow_networks", c.pilot.allow_networks);
    p.texts("owner_networks", c.pilot.owner_networks);
    c.pilot.api_key_file = key_file;
    CAIP_CHECKED(p.finish());
    CAIP_TRY(vendor, parse_ai_vendor(provider));
    c.pilot.vendor = vendor;
    if (c.pilot.base_url.empty() && !c.pilot.model.empty()) c.pilot.base_url = pilot::default_base_url(vendor);
    for (const auto* list : {&c.pilot.allow_networks, &c.pilot.owner_networks})
      for (const auto& network : *list) CAIP_CHECKED(outbound::Network::parse(network));
    if (!c.pilot_key_secret.empty() && !c.pilot.api_key_file.empty())
      return fail(Code::invalid, "pilot.api_key_secret and pilot.api_key_file exclude each other");
    if (!c.pilot_key_secret.empty()) CAIP_CHECKED(SecretName::parse(c.pilot_key_secret));
  }
  if (const auto* seals = r.table("seals")) {
    TomlReader s(*seals, "seals.");
    s.text("key_file", c.seals.key_file);
    s.text("passphrase_file", c.seals.passphrase_file);
    s.text("credential_file", c.seals.credential_file);
    CAIP_CHECKED(s.finish());
  }
  if (const auto* table = r.table("organizations")) CAIP_CHECKED(read_organizations(*table, c));
  if (const auto* table = r.table("servers")) CAIP_CHECKED(read_servers(*table, c));
  if (const auto* notifications = r.table("notifications")) CAIP_CHECKED(read_notifications(*notifications, c.notifications));
  if (const auto* outbound = r.table("outbound")) CAIP_CHECKED(read_outbound(*outbound, c.outbound));
  if (const auto* places = r.table("places")) {
    CAIP_TRY(files, read_places(*places));
    c.places = std::move(files);
  }
  if (const auto* mail = r.table("mail")) {
    CAIP_TRY(sender, read_mail(*mail));
    c.mail = std::move(sender);
  }
  if (const auto* sign_in = r.table("sign_in")) {
    CAIP_TRY(providers, read_providers(*sign_in));
    c.providers = std::move(providers);
  }
  return r.finish();
}

// LoadCredential=caip-root:… or LoadCredentialEncrypted= of systemd, unless the configuration names another file.
inline void find_credential(Config& c) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0' || !c.seals.credential_file.empty()) return;
  const auto file = std::filesystem::path(folder) / "caip-root";
  std::error_code ec;
  if (std::filesystem::exists(file, ec)) c.seals.credential_file = file.string();
}

inline void from_environment(const char* name, std::string& to) {
  if (const char* value = std::getenv(name); value && *value) to = value;
}

// "ADDRESS:PORT[,ADDRESS:PORT…]"; an IPv6 address stands in brackets.
inline Result<void> split_listen(Config& c) {
  std::string_view rest = c.listen;
  while (true) {
    const auto comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    const auto colon = one.rfind(':');
    std::string_view address = one.substr(0, colon), port = colon == one.npos ? std::string_view() : one.substr(colon + 1);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
    std::uint16_t number = 0;
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (address.empty() || port.empty() || ec != std::errc() || end != port.data() + port.size())
      return fail(Code::invalid, "listen is ADDRESS:PORT, or several with commas between them");
    c.endpoints.push_back({std::string(address), number});
    if (comma == rest.npos) return {};
    rest.remove_prefix(comma + 1);
  }
}

// Exits by itself for --help and wrong usage (2), as CLI programs do.
inline Result<Config> read_config(int argc, char** argv) {
  CLI::App app(std::string(kProductName) + ": the control plane");
  app.set_version_flag("--version", "caipd " + std::string(kVersion));
  app.footer("Environment: CAIP_CONFIG, CAIP_DATA, CAIP_LISTEN. A flag wins over the environment, and that over the file.\n"
             "The settings of the file: doc/configuration.md.");
  std::string file, data, listen, agent_url, first_server, first_server_ai, first_server_environment;
  app.add_option("--config", file, "TOML file");
  app.add_option("--data", data, "data directory");
  app.add_option("--listen", listen, "ADDRESS:PORT, or several with commas between them");
  app.add_option("--agent-url", agent_url, "how servers reach this control plane, https://HOST:PORT");
  app.add_option("--first-server", first_server, "when the Owner is created, write an install command for a server of this name to DATA/first-server");
  app.add_option("--first-server-ai", first_server_ai, "what the AI may do on that server until somebody says otherwise: none, read (the default, as with any server) or full");
  app.add_option("--first-server-environment", first_server_environment, "what that server is for until somebody says otherwise: unknown (the default, as with any server; counts as production), development, staging or production");
  std::string reset_factors;
  app.add_option("--reset-factors", reset_factors, "remove all second factors of the account with this e-mail address, end its sessions, and exit; with the control plane stopped");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? 0 : 2);
  }
  Config c;
  from_environment("CAIP_CONFIG", c.file);
  if (!file.empty()) c.file = file;
  if (!c.file.empty()) CAIP_CHECKED(read_toml(c.file, c));
  from_environment("CAIP_DATA", c.data);
  from_environment("CAIP_LISTEN", c.listen);
  if (!data.empty()) c.data = data;
  if (!listen.empty()) c.listen = listen;
  if (!agent_url.empty()) c.agent_url = agent_url;
  c.first_server = first_server;
  if (!first_server_ai.empty()) {
    CAIP_TRY(access, parse_ai_access(first_server_ai));
    c.first_server_ai = access;
  }
  if (!first_server_environment.empty()) {
    CAIP_TRY(environment, parse_environment(first_server_environment));
    c.first_server_environment = environment;
  }
  c.reset_factors = reset_factors;
  find_credential(c);
  CAIP_CHECKED(split_listen(c));
  const std::string& browsers = c.public_url.empty() ? c.agent_url : c.public_url;
  if ((!c.providers.empty() || c.mail) && !browsers.empty() && !good_public_url(browsers))
    return fail(Code::invalid, "public_url is https://HOST or https://HOST:PORT and nothing else: sign-in providers and letters lead there");
  if (c.mail && browsers.empty() && !c.listen.starts_with("127.0.0.1:")) return fail(Code::invalid, "letters have links: set public_url to how browsers reach this control plane");
  if (c.certificate.empty() != c.key.empty()) return fail(Code::invalid, "tls.certificate and tls.key belong together");
  return c;
}

}  // namespace caip::main
