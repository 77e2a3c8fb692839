#include <catch2/catch_test_macros.hpp>
#include <rapidcheck.h>

#include "model/actions.h"
#include "model/names.h"
#include "model/permission.h"

namespace caip {
namespace {

ServerId server() { return ServerId{IdBytes{1, 2, 3}}; }
UnitName nginx() { return UnitName::parse("nginx.service").value(); }
ControlUnit controlled() { return ControlUnit::parse("nginx.service").value(); }

TEST_CASE("a viewer holds no permission that changes anything") {
  for (Permission p : {Permission::server_enrol, Permission::unit_stop, Permission::pilot_use, Permission::approval_decide,
                       Permission::member_remove, Permission::journal_read, Permission::audit_view, Permission::secret_env, Permission::token_own,
                       Permission::secret_use, Permission::env_place, Permission::secret_view, Permission::key_view, Permission::key_rotate})
    CHECK_FALSE(granted(Role::viewer, p));
}

TEST_CASE("no role holds the permissions of callers without a role, and none outside the table") {
  for (Role r : {Role::viewer, Role::member, Role::admin, Role::owner})
    for (Permission p : {Permission::anonymous, Permission::agent, Permission::system}) CHECK_FALSE(granted(r, p));
  CHECK_FALSE(granted(static_cast<Role>(200), Permission::server_view));
}

TEST_CASE("only an owner manages members, only owner and admin enrol servers and read the log") {
  for (Role r : {Role::viewer, Role::member, Role::admin}) CHECK_FALSE(granted(r, Permission::member_change_role));
  CHECK(granted(Role::owner, Permission::member_change_role));
  CHECK_FALSE(granted(Role::member, Permission::audit_view));
  CHECK_FALSE(granted(Role::member, Permission::server_enrol));
  CHECK(granted(Role::admin, Permission::server_enrol));
}

TEST_CASE("permissions and roles have texts of their own") {
  std::set<std::string_view> seen;
  for (Permission p : all_permissions()) CHECK(seen.insert(text(p)).second);
  CHECK(all_permissions().size() == static_cast<std::size_t>(Permission::system) + 1);
  CHECK(parse_role("owner").value() == Role::owner);
  CHECK_FALSE(parse_role("Owner"));
}

TEST_CASE("unit names: the shell's and systemd's dangerous spellings are refused") {
  for (const char* bad : {"", "nginx", "-nginx.service", ".service", "../x.service", "a b.service", "a;b.service", "a\n.service",
                          "a$(x).service", "a`x`.service", "\xe2\x80\xae.service", "nginx.service ", "nginx.conf", "*.service"})
    CHECK_FALSE(UnitName::parse(bad));
  CHECK(UnitName::parse("getty@tty1.service"));
  CHECK(UnitName::parse("dev-disk-by\\x2dlabel.device"));
  CHECK_FALSE(UnitName::parse(std::string(250, 'a') + ".service"));
}

TEST_CASE("e-mail addresses are lower-cased and hostile ones refused") {
  CHECK(Email::parse("Ada@Example.ORG").value().str() == "ada@example.org");
  for (const char* bad : {"", "a", "a@", "@b.c", "a@b", "a b@c.de", "a@c..de", ".a@c.de", "a@-c.de", "a@c.de\n", "\"a\"@c.de"})
    CHECK_FALSE(Email::parse(bad));
}

TEST_CASE("names parse back to themselves") {
  CHECK(rc::check([](const std::string& bytes) {
    if (auto e = Email::parse(bytes)) RC_ASSERT(Email::parse(e->str()).value() == *e);
    if (auto o = OrgName::parse(bytes)) RC_ASSERT(OrgName::parse(o->str()).value() == *o);
  }));
}

TEST_CASE("an action has one encoding, and decode takes nothing else") {
  const std::string bytes = encode(RestartUnit{server(), controlled()});
  CHECK(bytes == R"({"action":"unit.restart","server":")" + server().str() + R"(","unit":"nginx.service","v":1})");
  const auto back = decode(bytes);
  REQUIRE(back);
  CHECK(encode(*back) == bytes);
  CHECK(writes(*back));
  CHECK(encode(decode(encode(ReadJournal{server(), nginx(), 50})).value()) == encode(ReadJournal{server(), nginx(), 50}));
}

// The corpus of units that take the machine, the platform or a shell; also used with the API and the helper.
TEST_CASE("no unit that carries the machine or the platform is started, stopped or restarted; it can still be looked at") {
  for (const char* name : {"poweroff.target", "rescue.target", "multi-user.target", "system.slice", "user.slice", "init.scope", "-.mount", "tmp.mount",
                           "debug-shell.service", "emergency.service", "rescue.service", "caip-agent.service", "caipd.service", "dbus.service",
                           "dbus.socket", "dbus-org.freedesktop.login1.service", "systemd-poweroff.service", "systemd-journald.socket",
                           "systemd-logind.service", "systemd-tmpfiles-clean.timer", "getty@tty1.service", "serial-getty@ttyS0.service",
                           "console-getty.service", "autovt@tty2.service", "user@0.service", "init.service", "udev.service", "polkit.service",
                           "reboot.service", "kexec-load.service", "dev-sda.swap"}) {
    CAPTURE(name);
    const auto refused = ControlUnit::parse(name);
    if (std::string_view(name) != "-.mount") CHECK(UnitName::parse(name));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid);
    for (const char* verb : {"unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable", "unit.reload", "unit.enable", "unit.disable"})
      CHECK_FALSE(decode(R"({"action":")" + std::string(verb) + R"(","server":")" + server().str() + R"(","unit":")" + name + R"(","v":1})"));
  }
  CHECK(ControlUnit::parse("debug-shell.service").error().detail.contains("debug-shell"));
  for (const char* name : {"nginx.service", "docker.socket", "apt-daily.timer", "certbot.path", "postgresql@17-main.service", "ssh.service",
                           "systemd-networkd.service", "initech.service", "userd.service"})
    CHECK(ControlUnit::parse(name));
}

TEST_CASE("impact and permission are those of the action on its unit") {
  const auto of = [](const char* name) { return ControlUnit::parse(name).value(); };
  CHECK(impact_of(StopUnit{server(), of("nginx.service")}) == Impact::caution);
  CHECK(needs_of(StopUnit{server(), of("nginx.service")}) == Permission::unit_stop);
  CHECK(impact_of(StopUnit{server(), of("ssh.service")}) == Impact::destructive);
  CHECK(needs_of(RestartUnit{server(), of("sshd.service")}) == Permission::unit_control_access);
  CHECK(impact_of(StartUnit{server(), of("ssh.service")}) == Impact::caution);
  CHECK(impact_of(EnableUnit{server(), of("ssh.service")}) == Impact::caution);
  CHECK(impact_of(DisableUnit{server(), of("nginx.service")}) == Impact::caution);
  for (const AnyAction& cuts : {AnyAction{DisableUnit{server(), of("ssh.service")}}, AnyAction{ReloadUnit{server(), of("ssh.service")}},
                                AnyAction{ReloadUnit{server(), of("nftables.service")}}, AnyAction{EnableUnit{server(), of("nftables.service")}}}) {
    CHECK(impact_of(cuts) == Impact::destructive);
    CHECK(needs_of(cuts) == Permission::unit_control_access);
  }
  CHECK(impact_of(UnitStatus{server(), UnitName::parse("ssh.service").value()}) == Impact::safe);
}

TEST_CASE("decode refuses every single changed, added or removed byte unless it names another valid action") {
  const std::string bytes = encode(RestartUnit{server(), controlled()});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string shorter = bytes;
    shorter.erase(i, 1);
    if (const auto d = decode(shorter)) CHECK(encode(*d) == shorter);
    for (char c : {' ', '"', 'x', '0', '\n'}) {
      std::string changed = bytes;
      changed[i] = c;
      if (const auto d = decode(changed)) CHECK(encode(*d) == changed);
    }
  }
  CHECK_FALSE(decode(bytes + " "));
  CHECK_FALSE(decode(R"({"action":"unit.exec","server":")" + server().str() + R"(","unit":"nginx.service","v":1})"));
  CHECK_FALSE(decode(R"({"action":"unit.restart","extra":1,"server":")" + server().str() + R"(","unit":"nginx.service","v":1})"));
  CHECK_FALSE(decode(R"({"action":"unit.restart","server":")" + server().str() + R"(","unit":"nginx.service","v":2})"));
  CHECK(decode(encode(ReadJournal{server(), nginx(), 501})).error().code == Code::invalid);
}

TEST_CASE("env values are placed for a user who is none of root's, by ids and versions, written in one way") {
  const PlaceEnv place{server(), UnixUser::parse("www-data").value(), {{SecretId{IdBytes{2}}, 3}, {SecretId{IdBytes{1}}, 1}}};
  const std::string bytes = encode(place);
  CHECK(encode(decode(bytes).value()) == bytes);
  CHECK(writes(place));
  CHECK(needs_step_up(place));
  CHECK(subject_of(place) == "www-data");
  CHECK(encode(decode(encode(RemoveEnv{server(), place.user})).value()) == encode(RemoveEnv{server(), place.user}));
  const auto with = [](const std::string& user, const std::string& secrets) {
    return decode(R"({"action":"env.place","secrets":{)" + secrets + R"(},"server":")" + server().str() + R"(","user":")" + user + R"(","v":1})");
  };
  const std::string one = '"' + SecretId{IdBytes{1}}.str() + "\":";
  REQUIRE(with("www-data", one + "1"));
  for (const char* version : {"0", "-1", "\"1\"", "null", "true"}) CHECK_FALSE(with("www-data", one + version));
  CHECK_FALSE(with("www-data", ""));
  CHECK_FALSE(with("www-data", one + "1," + one + "1"));
  CHECK_FALSE(with("www-data", "\"srv_x\":1"));
  for (const char* user : {"root", "", "Root", "0", "1a", "-a", ".", "..", "a/b", "a b", "a.b", "a\\n"}) CHECK_FALSE(with(user, one + "1"));
  CHECK_FALSE(UnixUser::parse(std::string(33, 'a')));
  CHECK(UnixUser::parse("_apt"));
  std::string many;
  for (std::size_t i = 0; i <= kMostPlaced; ++i) many += (i ? "," : "") + ('"' + SecretId{IdBytes{static_cast<std::uint8_t>(i)}}.str() + "\":1");
  CHECK(with("www-data", many).error().code == Code::invalid);
}

TEST_CASE("domains: lower case letters, digits and hyphens between dots, and nothing that a web server's configuration gives a meaning to") {
  CHECK(DomainName::parse("WWW.Example.ORG").value().str() == "www.example.org");
  for (const char* good : {"a.b", "xn--bcher-kva.example", "a-b.c-d.e", "1.example", "example.xn--p1ai", "4u.com"}) CHECK(DomainName::parse(good));
  for (const char* bad : {"", "localhost", "a", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a.-b", "*.a.b", "_a.b", "a_b.c", "a b.c", "a.b ", " a.b", "a.b\n", "a.b\r\n",
                          "a.b;", "a.b{", "a.b}", "~a.b", "$host.b", "\"a.b\"", "'a.b'", "a.b#", "a.b\\", "a.b:80", "a/b.c", "..", "../a.b", "127.0.0.1", "1.2",
                          "2130706433", "0x7f.1", "[::1]", "::1", "b\xc3\xbc" "cher.example", "a.b\xe2\x80\xae", "\xd0\xb0.b", "ab--c.example", "xn--.example", "zz--a.b",
                          "$(x).b", "`x`.b", "%0a.b", "a\t.b", "<b>.c", "a.b?c", "a@b.c", "default_server", "a.1"})
    CHECK_FALSE(DomainName::parse(bad));
  CHECK_FALSE(DomainName::parse(std::string("a.b\0c.d", 7)));
  CHECK_FALSE(DomainName::parse(std::string(64, 'a') + ".b"));
  std::string longest;
  while (longest.size() < 252) longest += "a.";
  CHECK(DomainName::parse(longest.substr(0, 252) + "b").value().str().size() == 253);
  CHECK_FALSE(DomainName::parse(longest.substr(0, 252) + "bc"));
  for (const char* bad : {"", "Shop", "-a", "a-", "a b", "a/b", "..", "a.b", "a\n", "<b>"}) CHECK_FALSE(SiteName::parse(bad));
}

namespace {

Result<SiteSpec> spec(SiteKind kind, std::vector<const char*> domains, std::optional<std::int64_t> port, bool redirect) {
  std::vector<DomainName> names;
  for (const char* d : domains) names.push_back(DomainName::parse(d).value());
  return SiteSpec::of(kind, std::move(names), port, redirect);
}

}  // namespace

TEST_CASE("a site has domains, a port where it is a proxy and nowhere else, and leads further names to the first where there are some") {
  using enum SiteKind;
  CHECK(spec(static_files, {"a.b"}, {}, false));
  CHECK(spec(static_files, {"a.b", "c.d"}, {}, true));
  CHECK(spec(proxy, {"a.b"}, 1024, false));
  CHECK(spec(proxy, {"a.b"}, 65535, false));
  for (const std::int64_t port : {-1, 0, 22, 80, 443, 1023, 65536}) CHECK_FALSE(spec(proxy, {"a.b"}, port, false));
  CHECK_FALSE(spec(proxy, {"a.b"}, {}, false));
  CHECK_FALSE(spec(static_files, {"a.b"}, 3000, false));
  CHECK_FALSE(spec(static_files, {"a.b"}, {}, true));
  CHECK_FALSE(spec(static_files, {"a.b", "A.B"}, {}, false));
  CHECK_FALSE(spec(static_files, {}, {}, false));
  std::vector<std::string> many;
  for (std::size_t i = 0; i <= kMostDomains; ++i) many.push_back("d" + std::to_string(i) + ".example");
  std::vector<const char*> all;
  for (const auto& d : many) all.push_back(d.c_str());
  CHECK_FALSE(spec(static_files, all, {}, false));
  all.pop_back();
  CHECK(spec(static_files, all, {}, false));
}

TEST_CASE("the orders about a site have one encoding each, and nothing but typed values in it") {
  const SiteId site{IdBytes{7}};
  const auto of = spec(SiteKind::proxy, {"shop.example", "www.shop.example"}, 3000, true).value();
  const CreateSite create{server(), site, SiteName::parse("shop").value(), of};
  const std::string bytes = encode(create);
  CHECK(bytes == R"({"action":"site.create","domains":["shop.example","www.shop.example"],"kind":"proxy","name":"shop","port":3000,"redirect":true,"server":")" +
                     server().str() + R"(","site":")" + site.str() + R"(","v":1})");
  for (const ServerAction& a : {ServerAction{create}, ServerAction{ChangeSite{server(), site, of}}, ServerAction{DeleteSite{server(), site, 168}},
                                ServerAction{RestoreSite{server(), site}}, ServerAction{CheckSite{server(), site}}}) {
    CHECK(encode(decode(encode(a)).value()) == encode(a));
    CHECK(subject_of(a) == site.str());
    CHECK(writes(a) == !std::holds_alternative<CheckSite>(a));
  }
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const char* put : {"", ";", "}", "\n", "$", "A", "/", "\\u000a", "\\n"}) {
      std::string changed = bytes;
      changed.replace(i, 1, put);
      if (const auto d = decode(changed)) CHECK(encode(*d) == changed);
    }
  CHECK(needs_step_up(DeleteSite{server(), site, 1}));
  CHECK(impact_of(DeleteSite{server(), site, 720}) == Impact::destructive);
  for (const std::int64_t hours : {0, -1, 721}) CHECK_FALSE(decode(encode(DeleteSite{server(), site, hours})));
}

template <class... A>
std::set<std::string_view> names(TypeList<A...>) { return {A::kName...}; }

TEST_CASE("a secret's name is an identifier, and each kind has exactly one use") {
  for (const char* good : {"DATABASE_URL", "_x", "a", "smtp.password-2"}) CHECK(SecretName::parse(good));
  for (const char* bad : {"", "1A", "-a", ".a", "A B", "A=B", "A\n", "A/B", "\xc3\xa4"}) CHECK_FALSE(SecretName::parse(bad));
  CHECK_FALSE(SecretName::parse(std::string(65, 'A')));
  std::set<SecretUse> uses;
  for (const SecretKind kind : kSecretKinds) {
    CHECK(parse_secret_kind(text(kind)).value() == kind);
    CHECK(uses.insert(use_of(kind)).second);
  }
  CHECK_FALSE(parse_secret_kind("password"));
  CHECK_FALSE(parse_key_class("ROOT"));
  CHECK(parse_key_class("ca").value() == KeyClass::ca);
}

TEST_CASE("a server that nobody has said anything of counts as production") {
  for (const auto& [name, production] : {std::pair{"unknown", true}, {"production", true}, {"staging", false}, {"development", false}}) {
    CAPTURE(name);
    const auto e = parse_environment(name).value();
    CHECK(text(e) == name);
    CHECK(counts_as_production(e) == production);
  }
  CHECK(Environment{} == Environment::unknown);
  for (const char* none : {"", "Production", "prod", "test"}) CHECK_FALSE(parse_environment(none));
}

TEST_CASE("what an AI may propose is the list of writes on a server, and each is switched by its own name or its category's") {
  std::vector<std::string_view> names;
  for (const auto& o : ai_operations()) names.push_back(o.name);
  CHECK(names == std::vector<std::string_view>{"unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable", "server.reboot", "env.place", "env.remove", "site.create", "site.change", "site.delete", "site.restore"});
  for (const auto& o : ai_operations()) {
    CHECK(AiScope::parse(o.name).value().str() == o.name);
    CHECK(AiScope::parse(o.category).value().str() == o.category);
    CHECK_FALSE(o.about.empty());
  }
  for (const char* none : {"", "unit.", "unit.status", "journal.read", "server.disconnect", "UNIT", "unit.stop "}) CHECK_FALSE(AiScope::parse(none));
}

TEST_CASE("modes, limits and providers of the AI have one name each, and no other is taken") {
  CHECK(parse_pilot_mode("ask").value() == PilotMode::ask);
  CHECK(parse_pilot_mode("plan").value() == PilotMode::plan);
  CHECK(parse_pilot_mode("agent").value() == PilotMode::agent);
  for (const char* none : {"", "Ask", "agents", "ask "}) CHECK_FALSE(parse_pilot_mode(none));
  for (const auto& row : ai_limits()) {
    CHECK(&AiLimit::parse(row.name).value().row() == &row);
    CHECK((row.least <= row.unset && row.unset <= row.most && !row.about.empty()));
  }
  CHECK(AiLimit::parse("steps_per_run").value().row().unset == 100);
  CHECK(AiLimit::parse("steps_per_plan").value().row().most == 20);
  CHECK_FALSE(AiLimit::parse("steps"));
  for (const char* name : {"openai_compatible", "openai", "anthropic", "gemini", "ollama"}) CHECK(text(parse_ai_vendor(name).value()) == name);
  CHECK_FALSE(parse_ai_vendor("builtin"));
}

TEST_CASE("every action has a name of its own") {
  CHECK(names(AllActions{}).size() == std::variant_size_v<AllActions::Variant>);
}

}  // namespace
}  // namespace caip
