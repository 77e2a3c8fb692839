// caipd_plane.h: all rooms of the control plane, built in order of their dependence and wired.
// Members are destroyed in reverse, so nobody outlives what it uses.
#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "audit/access.h"
#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "auth/accounts.h"
#include "auth/api_tokens.h"
#include "auth/endings.h"
#include "auth/factors.h"
#include "auth/identities.h"
#include "auth/invitations.h"
#include "auth/links.h"
#include "auth/migrations.h"
#include "auth/passkeys.h"
#include "auth/sessions.h"
#include "auth/step_up.h"
#include "auth/team.h"
#include "authorization/authorizer.h"
#include "caipd_config.h"
#include "caipd_door.h"
#include "caipd_pilot.h"
#include "channel/env.h"
#include "crypto/certificates.h"
#include "crypto/random.h"
#include "federation/providers.h"
#include "notifications/channels.h"
#include "notifications/courier.h"
#include "notifications/deliveries.h"
#include "notifications/inbox.h"
#include "notifications/postman.h"
#include "outbound/client.h"
#include "outbox/outbox.h"
#include "pilot/client.h"
#include "runner/approval_runner.h"
#include "runner/conversations.h"
#include "runner/migrations.h"
#include "runner/pilot_tools.h"
#include "secrets/keeper.h"
#include "servers/absences.h"
#include "servers/migrations.h"
#include "servers/witnesses.h"
#include "sites/migrations.h"
#include "sites/site_service.h"
#include "storage/database.h"
#include "storage/reads_only.h"
#include "vault/check_sealing.h"
#include "vault/log_keys.h"
#include "vault/migrations.h"
#include "vault/rotation.h"
#include "vault/secret_store.h"
#include "web/api.h"
#include "web/pilot_desk.h"
#include "web/static_files.h"

namespace caip::main {

namespace fs = std::filesystem;

inline fs::path own_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

inline storage::Migrations all_migrations() {
  storage::Migrations all;
  for (auto& room : {audit::migrations(), outbox::migrations(), auth::migrations(), servers::migrations(), sites::migrations(), approvals::migrations(), runner::migrations(), vault::migrations()})
    all.insert(all.end(), room.begin(), room.end());
  return all;
}

// 0600 from its first moment, and either the old content or the new, never half of it.
inline Result<void> write_private(const fs::path& path, const std::string& text) {
  fs::path fresh = path.string() + ".new";
  std::error_code ec;
  fs::remove(fresh, ec);
  mode_t before = umask(0077);
  std::ofstream file(fresh, std::ios::binary);
  umask(before);
  file << text;
  file.close();
  if (!file) return fail(Code::internal, "cannot write " + fresh.string());
  fs::rename(fresh, path, ec);
  if (ec) return fail(Code::internal, "cannot write " + path.string());
  return {};
}

// Beside the database, for whoever checks it without us: `caip audit verify` believes these keys.
inline Result<void> write_log_keys(const Config& config, storage::Database& database) {
  CAIP_TRY(keys, audit::Ledger::keys_of(database));
  return write_private(fs::path(config.data) / "log.keys", "ed25519 " + hex(keys.first) + "\nml-dsa-44 " + hex(keys.second) + "\n");
}

struct Foundation {  // what everything else stands on
  places::Places places;
  std::unique_ptr<secrets::Keeper> keeper;
  std::unique_ptr<storage::Database> database;
  std::unique_ptr<audit::Ledger> ledger;

  static Result<Foundation> open(const Config& config, const Clock& clock) {
    std::error_code ec;
    fs::create_directories(config.data, ec);
    if (ec) return fail(Code::invalid, "cannot make the data directory " + config.data + ": " + ec.message());
    fs::permissions(config.data, fs::perms::owner_all, ec);
    CAIP_TRY(places, open_places(config.places, own_folder()));
    CAIP_TRY(keeper, secrets::start_keeper((own_folder() / "caip-keeper").string(), config.data + "/keys", config.seals));
    CAIP_TRY(database, storage::Database::open(fs::path(config.data) / storage::kDatabaseFile, all_migrations()));
    CAIP_TRY(ledger, vault::open_log(*database, *keeper, clock));
    CAIP_CHECKED(vault::check_sealing(*database, *keeper));
    CAIP_CHECKED(write_log_keys(config, *database));
    return Foundation{std::move(places), std::move(keeper), std::move(database), std::move(ledger)};
  }
};

class Plane {
 public:
  // `who`: answers instead of caip-pilotd; a test's.
  Plane(boost::asio::io_context& io, const Config& c, const Clock& k, Foundation f, std::unique_ptr<pilot::PilotClient> who = nullptr)
      : config(c), clock(k), base(std::move(f)), pilot(who ? std::move(who) : pilot::make_client(own_folder() / "caip-pilotd", c.pilot)), hub(io) {
    wire();
    router.set_fallback(&web::serve_static);
    web::add_routes(router, rooms, desk);
  }

  // Asked every second, and when an authority was replaced, to look whether another is to be shown.
  void on_new_authority(std::function<void()> f) {
    new_authority_.with([&](auto& now) { now = std::move(f); });
  }
  void look_at_authorities() {
    new_authority_.with([](const auto& f) { if (f) f(); });
  }
  web::Authorities authorities() {
    const auto sha256 = [](const std::string& pem) { return crypto::certificate_fingerprint(pem).value_or(""); };
    std::string ca = keeper.authority(KeyClass::ca).pem, agents = keeper.authority(KeyClass::agent_ca).pem;
    return {.ca_pem = ca, .ca_sha256 = sha256(ca), .agent_ca_pem = agents, .agent_ca_sha256 = sha256(agents)};
  }

  Result<void> start() {
    CAIP_CHECKED(servers.load());
    CAIP_CHECKED(absences.load());
    CAIP_CHECKED(orders.recover());
    CAIP_CHECKED(accounts.start());
    CAIP_TRY(newest, log.list({}, 1, std::nullopt));
    if (!newest.entries.empty()) {
      CAIP_TRY(entry, parse_object(newest.entries.front().body));
      CAIP_TRY(at, Instant::parse(entry.at("at").as_string()));
      ai.not_before(at);
      servers.not_before(at);
    }
    CAIP_TRY(token, accounts.prepare_setup());
    setup_token = std::move(token);
    CAIP_TRY(org, accounts.first_org());
    if (org) offer_first_server(*org);
    if (org) open_first_server(*org);
    return {};
  }

  // Organisations whose time has come; what fails is tried again, ever more seldom.
  void end_organizations() {
    const auto due = endings.due();
    if (!due) return log::error("organisations that are due were not found", {{"detail", due.error().detail}});
    for (const auto& org : *due) {
      auto permit = authorizer.authorize_system(ShredOrganization{org}, org);
      const auto ended = permit ? endings.end(std::move(*permit)) : Result<Receipt<ShredOrganization>>(fail(Code::forbidden, permit.error().reason));
      if (!ended && ended.error().code != Code::conflict) did_not_end(org, ended.error());  // conflict: it was restored a moment ago
    }
  }

  void did_not_end(const OrgId& org, const Error& why) {
    log::error("an organisation did not end", {{"organization", org.str()}, {"detail", why.detail}});
    auto permit = authorizer.authorize_system(ShredOrganization{org}, org);
    const auto noted = permit ? endings.not_ended(std::move(*permit), why.code) : Result<void>(fail(Code::forbidden, permit.error().reason));
    if (!noted) log::error("that it did not end is not in the log", {{"organization", org.str()}, {"detail", noted.error().detail}});
  }

  const Config& config;
  const Clock& clock;
  Foundation base;
  std::optional<std::string> setup_token;
  storage::Database& db = *base.database;
  audit::Ledger& ledger = *base.ledger;
  secrets::Keeper& keeper = *base.keeper;
  outbound::Client outbound{config.outbound};
  audit::Query log{ledger};
  audit::Access log_access{db, ledger, clock};
  web::Events events;
  authorization::Authorizer authorizer{clock};
  auth::SessionStore sessions{db, keeper, clock};
  auth::StepUpVerifier step_up{clock};
  const auth::Notices notices{config.mail.has_value()};
  auth::Factors factors{db, ledger, keeper, clock, notices};
  auth::Passkeys passkeys{db, ledger, clock, site_of(config.public_url), notices};
  auth::Accounts accounts{db, ledger, keeper, factors, clock, {.setup_token_file = config.data + "/setup-token", .anyone_founds = config.anyone_founds,
                           .hash_slots = std::max(1U, std::thread::hardware_concurrency() / 2), .notices = notices, .places = &base.places}};
  auth::Identities identities{db, ledger, clock, notices};
  auth::Team team{accounts};
  auth::Endings endings{accounts, config.ending_grace};
  auth::Invitations invitations{accounts};
  auth::ApiTokens tokens{accounts};
  auth::Links links{accounts};
  federation::Providers providers{config.providers, config.public_url, [this](const outbound::Request& q) { return outbound.send(q); }, clock};
  vault::SecretStore vault{db, ledger, keeper, clock};
  vault::Rotation rotation{db, ledger, keeper, authorizer, clock};
  notifications::Channels channels{db, ledger, vault, authorizer, [this](const Session& s) { return step_up.prove(s); }, outbound, clock};
  notifications::Deliveries deliveries{db, ledger, clock};
  notifications::Inbox inbox{db, ledger, clock};
  notifications::Courier courier{db, ledger, vault, authorizer, outbound, channels, clock,
                                 {config.notifications.schedule, config.notifications.telegram_api, config.public_url}};
  std::unique_ptr<notifications::Postman> postman = make_postman();
  servers::ServerService servers{db, ledger, keeper, authorizer, clock, config.server_grace};
  servers::Witnesses witnesses{ledger, log, log_access, servers, authorizer, clock};
  servers::Absences absences{db, ledger, servers, authorizer, clock, config.missed_after};
  servers::OrderService orders{db, ledger, log, keeper, authorizer, servers, clock};
  sites::SiteService sites{db, ledger, authorizer, clock};
  approvals::ApprovalGate gate{db, ledger, authorizer, world(), clock};
  approvals::AiControls ai{db, ledger, clock};
  runner::Conversations conversations{db, ledger, clock};
  runner::ApprovalRunner approval_runner{db, ledger, authorizer, servers, orders, gate, conversations};
  runner::PilotTools tools{servers, orders, gate, ai, authorizer, conversations, ledger};
  std::unique_ptr<pilot::PilotClient> pilot;
  Door door{servers, orders, witnesses, approval_runner, clock};
  web::Rooms rooms{.clock = clock, .accounts = accounts, .identities = identities, .factors = factors, .passkeys = passkeys, .providers = providers,
                   .sessions = sessions, .step_up = step_up, .team = team, .endings = endings, .invitations = invitations, .tokens = tokens, .links = links, .authorizer = authorizer, .log = log,
                   .log_access = log_access, .witnesses = witnesses, .events = events,
                   .servers = servers, .orders = orders, .sites = sites, .gate = gate, .ai = ai, .approval_runner = approval_runner,
                   .secrets = vault, .rotation = rotation, .channels = channels, .deliveries = deliveries, .inbox = inbox,
                   .refuse = [this](const Denied& d) { return ledger.refuse(d); },
                   .owner_created = [this](const OrgId& org) { offer_first_server(org); },
                   .send_provider_key = provider_key(),
                   .send_key = [this](const Session& s, const SecretId& id, std::string_view action, const std::string& about, int fd) { return send_key(s, id, action, about, fd); },
                   .authorities = [this] { return authorities(); },
                   .install_folders = install_folders(), .public_url = config.agent_url, .browser_url = config.public_url, .mail = notices.mail()};
  web::PilotDesk desk{rooms, *pilot, conversations, tools};
  web::Router router{clock, {.verify = [this](std::string_view t, Origin o) { return verified(t, std::move(o)); },
                             .require_view = [this](const Session& s, Permission p) { return authorizer.require_view(s, p); },
                             .reading = [] { return std::make_shared<storage::ReadsOnly>(); },
                             .fingerprint = [this](const Digest& body) { return fingerprint(body); }}};
  channel::Hub hub;  // gone first: it calls the others
  audit::Subscription log_grows;

 private:
  Guarded<std::function<void()>> new_authority_;
  std::unique_ptr<notifications::Postman> make_postman() {
    if (!config.mail) return nullptr;
    auto mint = [this](storage::WriteTx& tx, const outbox::Letter& l, Instant written, Instant now) { return links.mint(tx, l, written, now); };
    return std::make_unique<notifications::Postman>(db, ledger, authorizer, outbound, *config.mail, std::move(mint), clock, config.notifications.schedule, config.public_url);
  }

  approvals::World world() {
    auto member = [](Result<auth::Person> p) {
      return p ? std::optional(approvals::Member{p->org, p->role, p->email.str()}) : std::nullopt;
    };
    return {.member = [this](const OrgId& org, const UserId& user) {
              auto m = accounts.member(org, user);  // for its name alone: also who is disabled
              return m ? std::optional(approvals::Member{org, m->role, m->email.str()}) : std::nullopt;
            },
            .member_within = [this, member](storage::Reader& tx, const OrgId& org, const UserId& user) { return member(accounts.find(tx, org, user)); },
            .target = [this](const ServerId& id) -> std::optional<approvals::Target> {
              auto s = servers.find(id);
              if (!s) return std::nullopt;
              return approvals::Target{s->org, s->name.str()};
            },
            .production_within = &servers::ServerService::production_within, .mode_within = &runner::Conversations::mode_within};
  }

  std::vector<std::string> install_folders() const {
    std::vector<std::string> out;
    if (!config.install_folder.empty()) out.push_back(config.install_folder);
    fs::path own = own_folder();
    out.push_back(own.string());
    out.push_back((own / "../../../packaging").string());  // in a source tree
    out.push_back("/usr/share/caip");
    return out;
  }

  // Each organisation of its own entries; of nobody's the one that runs the installation, which alone is shown them.
  void tell_of_entries(const audit::Growth& g) {
    const json::object size{{"size", g.size}};
    for (const auto& org : g.orgs) events.publish(org, Permission::audit_view, "audit.appended", size);
    if (!g.unowned) return;
    if (const auto first = accounts.first_org(); first && *first && !g.orgs.contains(**first)) events.publish(**first, Permission::audit_view, "audit.appended", size);
  }

  void wire() {
    hub.listen(door);
    ledger.know(accounts.people());
    servers.on_maker(accounts.people().still);
    rotation.run_by([this] { return accounts.first_org(); });
    rotation.wait_for([this](KeyClass key, BytesView newest) {
      if (key == KeyClass::agent_ca) return servers.of_earlier_authorities();
      const auto kind = crypto::parse_succession_key(text(key));
      return kind ? witnesses.waiting_for(*kind, newest) : 0;
    }, config.key_overlap);
    rotation.on_new_key([this](KeyClass key) {
      if (key == KeyClass::ca || key == KeyClass::agent_ca) return look_at_authorities();
      if (auto written = write_log_keys(config, db); !written) log::error("log.keys could not be written", {{"detail", written.error().detail}});
    });
    accounts.on_authority_end([this](storage::WriteTx& tx, const OrgId& org, const UserId& user) -> Result<std::function<void()>> {
      CAIP_CHECKED(approvals::AiControls::opener_left(tx, org, user, clock.now()));
      CAIP_TRY(told, gate.end_of(tx, org, user));
      return [this, told = std::move(told), org, user] {
        if (told) told();
        events.end_of(org, user);
      };
    });
    endings.with(shares());
    orders.on_witnesses(witnesses);
    orders.follow(sites.follow());
    tools.on_sites([this](const Session& s, const ServerId& server) { return sites.on_server(s, server); });
    witnesses.on_send([this](const ServerId& server, const channel::Offer& offer) { return hub.send(server, offer); });
    witnesses.on_announce([this](const ServerId& server, const channel::Successions& s) { return hub.send(server, s); });
    witnesses.on_change([this](const OrgId& org) { events.publish(org, Permission::audit_verify, "witnesses.updated", {}); });
    orders.on_env([this](const servers::Operation& o, const PlaceEnv& place) { return env_values(o, place); });
    orders.on_send([this](const ServerId& server, const channel::SignedOrder& order) { return hub.send(server, order); });
    auto about_server = [](const ServerId& s) { return json::object{{"server_id", s.str()}}; };
    servers.on({.server_updated = [this, about_server](const OrgId& org, const ServerId& s) {
                  open_first_server(org);
                  events.publish(org, Permission::server_view, "server.updated", about_server(s));
                },
                .metrics = [this](const OrgId& org, const ServerId& s, const servers::Sample& sample) {
                  events.publish(org, Permission::metrics_view, "metrics", {{"server_id", s.str()}, {"sample", servers::view(sample)}});
                },
                .units_updated = [this, about_server](const OrgId& org, const ServerId& s) {
                  events.publish(org, Permission::unit_view, "services.updated", about_server(s));
                },
                .gone = [this](const ServerId& s) {
                  hub.disconnect(s);
                  orders.gone(s);
                },
                .departed = [this](const ServerId& s) {
                  hub.disconnect(s);
                  orders.departed(s);
                },
                .reenrolled = [this](const ServerId& s) {
                  hub.disconnect(s);
                  orders.reenrolled(s);
                },
                .lapsed = [this](const ServerId& s) { hub.disconnect(s); }});
    servers.on_challenge([this](const ServerId& s, const Bytes& nonce) { return hub.challenge(s, nonce); });
    servers.on_ask([this](const ServerId& s, const channel::KeyAsk& ask) {
      if (auto sent = hub.send(s, ask); !sent) log::debug("an agent was not asked about its key", {{"server", s.str()}, {"why", sent.error().detail}});
    });
    orders.on_update([this](const servers::Operation& o) {
      events.publish(o.org, Permission::operation_view, "operation.updated", {{"operation_id", o.id.str()}, {"status", servers::text(o.status)}});
    });
    gate.on_update([this](const approvals::Approval& a) {
      events.publish(a.org, Permission::approval_view, "approval.updated", {{"approval_id", a.id.str()}, {"state", approvals::text(a.state)}});
    });
    ai.on_less([this](storage::WriteTx& tx, const approvals::AiControls::Less& less) { return take_away(tx, less); });
    servers.on_move([this](storage::WriteTx& tx, const OrgId& org, const std::optional<UserId>& by, const ServerId& server) -> Result<std::function<void()>> {
      if (!by) CAIP_CHECKED(approvals::AiControls::narrow(tx, org, server));
      return gate.deny_all(tx, org, by, by ? "the server was moved into or out of production" : "another machine took the server's place", [server](const approvals::Approval& a) { return approvals::server_of(a) == server; });
    });
    ai.on_update([this](const OrgId& org, const approvals::AiSettings& s) {
      events.publish(org, Permission::pilot_view, "ai.updated", {{"on", s.on}, {"writes", s.writes}});
    });
    courier.listen({.notice = [this](const notifications::Notice& n) {
                      if (n.user) events.publish_to(n.org, *n.user, Permission::own_session, "notice.created", notifications::view(n));
                      else events.publish(n.org, facts(n.kind).audience, "notice.created", notifications::view(n));
                    },
                    .delivery = [this](const OrgId& org, const DeliveryId& id, DeliveryState state) {
                      events.publish(org, Permission::notification_manage, "delivery.updated", {{"delivery_id", id.str()}, {"state", text(state)}});
                    }});
    wire_conversations(conversations, gate, events);
    log_grows = log.subscribe([this](const audit::Growth& g) { tell_of_entries(g); });
  }

  // Something was taken away from an organisation's AI: its answers end before that is durable, and once more after it,
  // for those that began in between; what it proposed is denied.
  Result<std::function<void()>> take_away(storage::WriteTx& tx, const approvals::AiControls::Less& less) {
    const bool all = less.use == approvals::AiUse::talk;
    const auto ended = all ? desk.end_of(less.org) : std::vector<ConversationId>{};
    CAIP_TRY(told, gate.deny_all(tx, less.org, less.by, less.why, less.which));
    CAIP_TRY(said, conversations.interrupt(tx, ended));
    return [this, all, org = less.org, told = std::move(told), said = std::move(said)] {
      if (all) desk.end_of(org);
      said();
      told();
    };
  }

  // What each room lets go of when an organisation ends.
  std::vector<auth::Endings::Part> shares() {
    const auto rows = [](Result<void> (*drop)(storage::WriteTx&, const OrgId&)) {
      return [drop](storage::WriteTx& tx, const OrgId& org) -> Result<std::function<void()>> {
        CAIP_CHECKED(drop(tx, org));
        return [] {};
      };
    };
    return {[this](storage::WriteTx& tx, const OrgId& org) { return servers.end_of(tx, org); }, rows(&sites::SiteService::end_of), rows(&approvals::ApprovalGate::end_of), rows(&approvals::AiControls::end_of),
            rows(&runner::Conversations::end_of), rows(&vault::SecretStore::end_of), rows(&outbox::end_of)};
  }

  // Whose request it is. The use of an API token is put on the record now and then: without that, nobody is let in.
  Result<Session> verified(std::string_view token, Origin origin) {
    CAIP_TRY(session, sessions.verify(token, std::move(origin)));
    const Principal& who = session.principal();
    if (!who.token || !tokens.due(*who.token, who.origin.address)) return session;
    Origin from = who.origin;
    from.command.reset();  // the command is what comes after
    auto permit = authorizer.authorize_anonymous(std::move(from), UseToken{*who.token}, session.org());
    if (!permit) return std::unexpected(web::refused(rooms, permit.error()));
    if (auto used = tokens.used(std::move(*permit), session.user()); !used) {
      tokens.forget(*who.token, who.origin.address);
      return std::unexpected(std::move(used).error());
    }
    return session;
  }

  // A MAC by the keeper, apart from those of passwords by its prefix.
  Result<Digest> fingerprint(const Digest& body) {
    CAIP_TRY(mac, keeper.pepper_hmac(view("caip command v1\n" + hex(body))));
    Digest out{};
    std::copy_n(mac.begin(), out.size(), out.begin());
    return out;
  }

  // The AI provider's key from the store: the human who asked uses it, for this conversation.
  std::function<Result<void>(const Session&, const ConversationId&, int)> provider_key() {
    if (config.pilot_key_secret.empty()) return {};
    return [this](const Session& session, const ConversationId& conversation, int fd) -> Result<void> {
      CAIP_TRY(name, SecretName::parse(config.pilot_key_secret));
      CAIP_TRY(secret, vault.find(session.org(), SecretKind::ai_provider, name));
      if (!secret) return fail(Code::unavailable, "there is no secret " + name.str() + " of kind ai_provider yet");
      return send_key(session, secret->id, AskPilot::kName, conversation.str(), fd);
    };
  }
  Result<void> send_key(const Session& session, const SecretId& secret, std::string_view action, const std::string& subject, int fd) {
    auto permit = authorizer.authorize(session, UseSecrets{SecretUse::pilot_turn, {secret}, std::string(action), subject});
    if (!permit) return std::unexpected(web::refused(rooms, permit.error()));
    CAIP_TRY(opened, vault.open(std::move(*permit)));
    return write_line(fd, opened.front());
  }

  // What an order places. Who asked for it stands in the order's own entry, which this one names.
  Result<channel::EnvValues> env_values(const servers::Operation& o, const PlaceEnv& place) {
    std::vector<SecretId> ids;
    for (const auto& [id, version] : place.secrets) ids.push_back(id);
    auto permit = authorizer.authorize_system(SendEnv{o.id, place.server, std::move(ids)}, o.org);
    if (!permit) return std::unexpected(web::refused(rooms, permit.error()));
    CAIP_TRY(opened, vault.open_to_place(std::move(*permit), place.secrets));
    std::vector<channel::EnvValue> values;
    for (auto& one : opened) values.push_back({one.name.str(), std::move(one.value)});
    return channel::EnvValues::of(std::move(values));
  }

  // For `make run`: the machine that was started together with us gets its install command as
  // soon as there is an organisation that it can belong to, and again at each start until it came.
  void offer_first_server(const OrgId& org) {
    if (config.first_server.empty() || servers.find_by_name(org, config.first_server)) return;
    auto offered = [&]() -> Result<void> {
      CAIP_TRY(name, ServerName::parse(config.first_server));
      auto permit = authorizer.authorize_system(OfferEnrolment{crypto::random_id<EnrolmentId>(), name}, org);
      if (!permit) return std::unexpected(web::refused(rooms, permit.error()));
      CAIP_TRY(made, servers.create_enrolment(std::move(*permit)));
      return write_private(fs::path(config.data) / "first-server", web::install_command(config.agent_url, authorities(), made.token) + "\n");
    }();
    if (!offered) log::warn("no enrolment for the first server", {{"detail", offered.error().detail}});
  }

  bool is_first(const OrgId& org) {
    if (config.first_server_ai == AiAccess::read && config.first_server_environment == Environment::unknown) return false;  // nothing to do: no look at the database for each server that comes and goes
    const auto first = accounts.first_org();
    return first && *first == org;
  }

  // As far as whoever started both said so, once it is there; what people set afterwards stays.
  void open_first_server(const OrgId& org) {
    if (!is_first(org)) return;
    const auto server = servers.find_by_name(org, config.first_server);
    if (!server || !servers.came_by_offer(org, server->id).value_or(false)) return;  // somebody's own machine may bear its name
    if (config.first_server_environment != Environment::unknown && server->version == 1) classify_first_server(org, server->id);
    if (config.first_server_ai == AiAccess::read) return;
    auto permit = authorizer.authorize_system(OfferAiAccess{server->id, config.first_server_ai}, org);
    const auto opened = permit ? ai.offer_access(std::move(*permit)) : Result<void>(fail(Code::forbidden, permit.error().reason));
    if (!opened) log::warn("the first server is not open to the AI", {{"detail", opened.error().detail}});
  }

  void classify_first_server(const OrgId& org, const ServerId& server) {
    auto permit = authorizer.authorize_system(OfferEnvironment{server, config.first_server_environment}, org);
    const auto done = permit ? servers.offer_environment(std::move(*permit)) : Result<void>(fail(Code::forbidden, permit.error().reason));
    if (!done) log::warn("what the first server is for is not set", {{"detail", done.error().detail}});
  }
};

}  // namespace caip::main
