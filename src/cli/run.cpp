#include "cli/run.h"

#include <CLI/CLI.hpp>

#include "api.h"
#include "base/product.h"
#include "base/text.h"
#include "commands.h"
#include "completion.h"
#include "terminal.h"

namespace caip::cli {
namespace {

constexpr int kUsage = 2;

// The commands, and which function of commands.h each one calls.
class Commands {
 public:
  explicit Commands(const Verifiers& verify) : verify_(verify) {
    app_.require_subcommand(1);
    app_.fallthrough(false);
    app_.set_version_flag("--version", std::string(kVersion));
    session();
    team();
    servers();
    sites();
    units();
    pilot();
    ai();
    approvals();
    plans();
    secrets();
    notifications();
    audit();
    leaf(app_, "completion", "Print the completion script of a shell", [this](const Line& line) -> Result<int> {
      CAIP_TRY(script, completion(app_, line.shell));
      print_piece(script);
      return 0;
    })->add_option("shell", line_.shell, "bash, zsh or fish")->required();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::RequiredError& e) {
      if (argc < 2 || argv[argc - 1][0] == '-') return app_.exit(e) == 0 ? 0 : kUsage;
      say("caip: there is no such command, or it lacks something: " + shown(argv[argc - 1]) + " (" + e.what() + ")\nRun with --help for more information.");
      return kUsage;
    } catch (const CLI::ParseError& e) {
      return app_.exit(e) == 0 ? 0 : kUsage;
    }
    const auto done = chosen_(line_);
    if (done) return *done;
    const Error& error = done.error();
    if (line_.as_json) say(json::serialize(json::object{{"code", code_text(error.code)}, {"detail", error.detail}}));
    else say("caip: " + shown_lines(error.detail.empty() ? std::string(code_title(error.code)) : error.detail));
    return exit_code(error.code);
  }

 private:
  using Command = std::function<Result<int>(const Line&)>;

  CLI::App* group(const char* name, const char* about) {
    CLI::App* app = app_.add_subcommand(name, about);
    app->require_subcommand(1);
    return app;
  }
  CLI::App* leaf(CLI::App& parent, const char* name, const char* about, Command command) {
    CLI::App* app = parent.add_subcommand(name, about);
    app->add_flag("--json", line_.as_json, "Print JSON");
    app->add_option("--password-file", line_.password_file, "File with your password, for what asks for it; in its second line a code, where you have an authenticator app");
    app->callback([this, command = std::move(command)] { chosen_ = command; });
    return app;
  }
  CLI::App* waits(CLI::App* app) {
    app->add_flag("--no-wait", line_.no_wait, "Do not wait for the end");
    app->add_option("--timeout", line_.timeout, "Seconds to wait (120)")->check(CLI::Range(1, 86400));
    return app;
  }
  CLI::App* credentials(CLI::App* app) {
    app->add_option("--email", line_.email, "E-mail");
    app->add_flag("--password-stdin", line_.password_stdin, "Read the password from the first line of standard input");
    return contact(app);
  }
  CLI::App* contact(CLI::App* app) {  // with a server that one is not signed in to
    app->add_option("--url", line_.url, "https://HOST:PORT");
    auto* file = app->add_option("--ca", line_.ca_file, "File with the certificate authority to trust, PEM");
    app->add_option("--ca-sha256", line_.ca_sha256, "SHA-256 of the certificate authority to trust")->excludes(file);
    return app;
  }

  CLI::Option* comes_back(CLI::App* app) {
    return app->add_option("--callback-port", line_.callback_port, "Where the browser comes back to on this computer (any free one)")->check(CLI::Range(1024, 65535));
  }

  void session() {
    CLI::App* in = credentials(leaf(app_, "login", "Sign in: with e-mail and password, in the browser, or with an API token", login));
    in->footer("The code of a second factor is asked for, or read from the second line with --password-stdin.\n"
               "Passkeys and accounts at other services (Google, GitHub and the like) sign in in the browser: --browser. Where the browser\n"
               "is on another computer, bring its port here: ssh -L 8765:127.0.0.1:8765 HOST, and there caip login --browser --callback-port 8765.");
    CLI::Option* token = in->add_option("--token-file", line_.token_file, "Work with the API token in this file instead");
    CLI::Option* browser = in->add_flag("--browser", line_.browser, "Sign in in the browser, which then lets this program in")->excludes(token);
    comes_back(in)->needs(browser);
    leaf(app_, "logout", "End the session", logout);
    leaf(app_, "whoami", "Who is signed in", whoami);
    CLI::App* s = credentials(leaf(app_, "setup", "Make the first Owner", setup));
    s->add_option("--token-file", line_.token_file, "The file setup-token of the data directory")->required();
    s->add_option("--organization", line_.organization, "Name of the organisation")->required();
    CLI::App* g = group("session", "Where you are signed in");
    leaf(*g, "list", "Your sessions: device, address, last use", session_list);
    leaf(*g, "end", "End one of your sessions", session_end)->add_option("id", line_.id, "ses_…, from session list")->required();
    leaf(*g, "end-others", "End all of your sessions but this one", session_end_others);
    CLI::App* disown = leaf(*g, "disown", "It was not you: end all your sessions, undo what that one added, and choose a new password", session_disown);
    disown->add_option("id", line_.id, "ses_…, from session list")->required();
    disown->add_flag("--password-stdin", line_.password_stdin, "Read the new password from the first line of standard input");
    CLI::App* limits = leaf(*g, "limits", "How long sessions of the organisation last; an Owner may shorten them", session_limits);
    limits->add_option("--idle", line_.idle_minutes, "Minutes without use, 30 to 720");
    limits->add_option("--lifetime", line_.lifetime_minutes, "Minutes from the sign-in, 60 to 10080");
    CLI::App* d = group("device", "Devices on which you are known");
    leaf(*d, "list", "Your devices: program, address and time of the last sign-in, how many sessions", device_list);
    leaf(*d, "forget", "Forget one: its next sign-in is one on a new device; ends the sessions on it, but for this one", device_forget)
        ->add_option("id", line_.id, "dev_…, from device list")->required();
    account();
  }
  void account() {
    CLI::App* a = group("account", "Your account");
    leaf(*a, "show", "Your e-mail address, and whether it is confirmed", account_show);
    leaf(*a, "verify-email", "Have a link sent that confirms your address", account_verify_email);
    leaf(*a, "change-email", "Ask for another address; in force once a link that is sent there is confirmed", account_change_email)
        ->add_option("email", line_.email, "The new address")->required();
    leaf(*a, "confirm-email", "Confirm an address with the link that was sent there", account_confirm_email)
        ->add_flag("--link-stdin", line_.link_stdin, "Read the link from the first line of standard input");
    credentials(leaf(*a, "forgot-password", "Have a link for a new password sent", account_forgot_password));
    leaf(*a, "disown-sign-in", "It was not you: end all your sessions and shut the account until its password is reset, with the link that was sent", account_disown_sign_in)
        ->add_flag("--link-stdin", line_.link_stdin, "Read the link from the first line of standard input");
    CLI::App* reset = contact(leaf(*a, "reset-password", "Choose a new password with the link that was sent; ends all your sessions", account_reset_password));
    reset->add_flag("--link-stdin", line_.link_stdin, "Read the link from the first line of standard input, and the password from the second");
    leaf(*a, "password", "Change your password; ends your other sessions", account_password)
        ->add_flag("--password-stdin", line_.password_stdin, "Read the new password from the first line of standard input");
    leaf(*a, "history", "Sign-ins, failures and changes of your account in this organisation, the newest first", account_history)
        ->add_option("--limit", line_.limit, "How many (50)")->check(CLI::Range(1, 10000));
    factors();
  }
  void factors() {
    CLI::App* f = group("factor", "Your second factors");
    leaf(*f, "list", "Authenticator app, passkeys, recovery codes left", factor_list);
    leaf(*f, "add-totp", "Set an authenticator app up: prints its address, asks for its first code", factor_add_totp)
        ->add_flag("--code-stdin", line_.code_stdin, "Read the code from the first line of standard input");
    comes_back(leaf(*f, "add-passkey", "Add a passkey in the browser, and wait for it; ends your other sessions", factor_add_passkey));
    CLI::App* rename = leaf(*f, "rename", "Call a passkey something else", factor_rename);
    rename->add_option("id", line_.id, "fac_…, from factor list")->required();
    rename->add_option("name", line_.name, "Its new name")->required();
    leaf(*f, "remove", "Remove one; ends your other sessions", factor_remove)->add_option("id", line_.id, "fac_…, from factor list")->required();
    leaf(*f, "recovery-codes", "Make new ones, printed this once; the old ones end", factor_recovery_codes);
    CLI::App* i = group("identity", "Accounts at other services that sign you in");
    leaf(*i, "list", "All of them", identity_list);
    comes_back(leaf(*i, "link", "Link an account at another service in the browser, and wait for it", identity_link));
    leaf(*i, "unlink", "Unlink one; never the last way to sign in", identity_unlink)->add_option("id", line_.id, "idt_…, from identity list")->required();
  }
  CLI::App* sure(CLI::App* app, const char* what) {
    app->add_option("--confirm", line_.confirm, what);
    return app;
  }
  void team() {
    CLI::App* g = group("org", "The organisations you belong to");
    leaf(*g, "list", "All of them; * marks the one you act in", org_list);
    leaf(*g, "create", "Found one; you are its Owner", org_create)->add_option("name", line_.name, "Its name")->required();
    leaf(*g, "switch", "Act in another one", org_switch)->add_option("name", line_.name, "Name or id")->required();
    leaf(*g, "rename", "Rename the one you act in", org_rename)->add_option("name", line_.name, "Its new name")->required();
    sure(leaf(*g, "delete", "Set the date on which the one you act in is deleted for good", org_delete), "Its name again: do not ask");
    leaf(*g, "restore", "Take that date back", org_restore);
    CLI::App* m = group("member", "The people of the organisation");
    leaf(*m, "list", "Everybody, with their roles", member_list);
    CLI::App* add = leaf(*m, "add", "Make an account with a first password, which you hand over yourself", member_add);
    add->add_flag("--password-stdin", line_.password_stdin, "Read the password from the first line of standard input");
    CLI::App* role = leaf(*m, "role", "Change a role; the person signs in again", member_role);
    CLI::App* out = sure(leaf(*m, "remove", "Remove a person, and see what they still hold elsewhere", member_remove), "Their e-mail again: do not ask");
    CLI::App* off = sure(leaf(*m, "disable", "Let a member in no more, until you enable them again", member_disable), "Their e-mail again: do not ask");
    CLI::App* on = leaf(*m, "enable", "Let a disabled member in again", member_enable);
    CLI::App* heir = sure(leaf(*m, "owner", "Hand your ownership to this person", member_owner), "Their e-mail again: do not ask");
    CLI::App* lost = sure(leaf(*m, "reset-factors", "Remove all second factors of somebody who lost theirs", member_reset_factors), "Their e-mail again: do not ask");
    for (CLI::App* app : {add, role, out, off, on, heir, lost}) app->add_option("email", line_.email, "E-mail or id")->required();
    for (CLI::App* app : {add, role}) app->add_option("role", line_.role, "viewer, member, admin or owner")->required()->check(CLI::IsMember({"viewer", "member", "admin", "owner"}));
    invitations();
    tokens();
    leaf(*group("role", "Roles and permissions"), "list", "Which role may do what", role_list)->add_option("--format", line_.format, "table or csv")->check(CLI::IsMember({"table", "csv"}));
    sure(leaf(*m, "leave", "Leave the organisation you act in", member_leave), "Its name again: do not ask");
  }
  void invitations() {
    CLI::App* g = group("invitation", "People who are invited");
    leaf(*g, "list", "All invitations; never their links", invitation_list);
    CLI::App* make = leaf(*g, "create", "Invite one person; the link, for one use, goes by letter or, without mail, is printed", invitation_create);
    make->add_option("--days", line_.days, "Valid for so many (7)")->check(CLI::Range(1, 30));
    CLI::App* accept = contact(leaf(*g, "accept", "Accept one with the link that you were sent", invitation_accept));
    accept->add_flag("--link-stdin", line_.link_stdin, "Read the link from the first line of standard input, and the password of a new account from the second");
    CLI::App* again = leaf(*g, "resend", "Send or print another link; the one before ends", invitation_resend);
    CLI::App* end = leaf(*g, "revoke", "Make the link worthless", invitation_revoke);
    for (CLI::App* app : {make, again, end}) app->add_option("email", line_.email, "E-mail; id, where it was invited before")->required();
    make->add_option("role", line_.role, "viewer, member, admin or owner")->required()->check(CLI::IsMember({"viewer", "member", "admin", "owner"}));
  }
  void tokens() {
    CLI::App* g = group("token", "API tokens, for programs");
    CLI::App* list = leaf(*g, "list", "Your tokens; never their values", token_list);
    CLI::App* make = leaf(*g, "create", "Make one; it is printed this once", token_create);
    make->add_option("name", line_.name, "What it is for")->required();
    make->add_option("--scope", line_.scopes, "A permission it carries; again for more (see caip role list)")->required();
    make->add_option("--from", line_.networks, "A network it works from, 192.0.2.0/24; again for more (anywhere)");
    make->add_option("--days", line_.days, "Valid for so many (7)")->check(CLI::Range(1, 365));
    CLI::App* end = leaf(*g, "revoke", "Make one worthless", token_revoke);
    end->add_option("name", line_.name, "Name or id")->required();
    for (CLI::App* app : {list, end}) app->add_flag("--all", line_.everybody, "Everybody's, not only yours");
  }
  void servers() {
    CLI::App* g = group("server", "Servers");
    leaf(*g, "list", "All servers", server_list);
    leaf(*g, "show", "One server", server_show)->add_option("server", line_.server, "Name or id")->required();
    leaf(*g, "services", "A server's services", server_services)->add_option("server", line_.server, "Name or id")->required();
    leaf(*g, "access", "Who can do what on it, and why", server_access)->add_option("server", line_.server, "Name or id")->required();
    auto* add = leaf(*g, "add", "Make an install command for a new server", server_add);
    add->add_option("name", line_.server, "Its name")->required();
    add->add_flag("--replace", line_.replace, "The machine takes the place of the server of that name");
    CLI::App* environment = leaf(*g, "environment", "What a server is for; with a word, set it. That it is no production server any more is an Owner's to say", server_environment);
    environment->add_option("server", line_.server, "Name or id")->required();
    environment->add_option("environment", line_.state, "production, staging, development, or unknown, which counts as production")->check(CLI::IsMember({"production", "staging", "development", "unknown"}));
    sure(leaf(*g, "disconnect", "Disconnect a server now and forget it later; the machine runs on", server_disconnect), "Its name again: do not ask")
        ->add_option("server", line_.server, "Name or id")->required();
    leaf(*g, "restore", "Have a disconnected server connect again, as it was", server_restore)->add_option("server", line_.server, "Name or id")->required();
    machine(*g, "processes", "What runs on it, the largest first; names, never command lines", "process.list");
    machine(*g, "sockets", "What listens on which port", "socket.list");
    machine(*g, "disks", "How full its disks are", "disk.list");
    waits(sure(leaf(*g, "reboot", "Reboot it; asks for your password", server_reboot), "Its name again: do not ask"))->add_option("server", line_.server, "Name or id")->required();
    keys(*g);
    env(*g);
    CLI::App* e = group("enrolment", "Install commands that were made");
    leaf(*e, "list", "All of them, the newest first; never the commands", enrolment_list);
    leaf(*e, "revoke", "Make one worthless that nobody has used", enrolment_revoke)->add_option("id", line_.id, "enr_…, from enrolment list")->required();
    CLI::App* o = group("operation", "What runs on servers");
    leaf(*o, "show", "One operation", operation_show)->add_option("id", line_.id)->required();
    waits(leaf(*o, "watch", "Wait for its end", operation_watch))->add_option("id", line_.id)->required();
  }
  void keys(CLI::App& server) {
    CLI::App* g = server.add_subcommand("key", "What a server's agent proves itself with");
    g->require_subcommand(1);
    CLI::App* look = leaf(*g, "show", "The key, its certificate, and what was negotiated", server_key);
    CLI::App* rotate = leaf(*g, "rotate", "Have it make a new key", server_rotate_key);
    CLI::App* revoke = sure(leaf(*g, "revoke", "Let it in no more, at once; the way back is an install command", server_revoke_key), "The server's name again: do not ask");
    CLI::App* check = leaf(*g, "check", "Have it make a fresh handshake and sign a challenge", server_check_key);
    for (CLI::App* app : {look, rotate, revoke, check}) app->add_option("server", line_.server, "Name or id")->required();
  }
  void sites() {
    CLI::App* g = group("site", "Sites behind nginx on your servers");
    leaf(*g, "list", "All sites", site_list);
    CLI::App* make = waits(leaf(*g, "create", "Make one: files of a folder, or with --port what listens there on the server's loopback address", site_create));
    make->add_option("name", line_.name, "What to call it: a-z, 0-9 and '-'")->required();
    make->add_option("--server", line_.server, "Name or id")->required();
    make->add_option("--domain", line_.names, "A domain; again for more, the first is the site's own")->required();
    CLI::App* change = waits(leaf(*g, "change", "Change it; what is not given stays", site_change));
    change->add_option("--domain", line_.names, "All its domains from now on; again for more");
    for (CLI::App* app : {make, change}) {
      app->add_option("--port", line_.port, "Of a proxy: what listens there")->check(CLI::Range(1024, 65535));
      CLI::Option* on = app->add_flag("--redirect", line_.redirect, "Further domains lead to the first");
      app->add_flag("--no-redirect", line_.no_redirect, "They do not")->excludes(on);
    }
    CLI::App* gone = sure(waits(leaf(*g, "delete", "Take it out of service now and remove it later; asks for your password", site_delete)), "Its name again: do not ask");
    gone->add_option("--hours", line_.hours, "So long it can be restored (168)")->check(CLI::Range(1, 720));
    for (CLI::App* app : {leaf(*g, "show", "One site", site_show), waits(leaf(*g, "check", "Ask its server what it has of it, and whether it answers", site_check)),
                          waits(leaf(*g, "restore", "Bring a deleted site back, as it was", site_restore)), change, gone})
      app->add_option("site", line_.site, "Name or id")->required();
  }
  void env(CLI::App& server) {
    CLI::App* g = server.add_subcommand("env", "Env values in the files of a server's users: /etc/caip-env/USER.env");
    g->require_subcommand(1);
    CLI::App* list = leaf(*g, "list", "Which versions of which secrets are placed; never the values", server_env_list);
    CLI::App* place = waits(leaf(*g, "place", "Put exactly these env values into a user's file; what it held before is gone", server_env_place));
    CLI::App* remove = waits(leaf(*g, "remove", "Remove a user's file", server_env_remove));
    for (CLI::App* app : {list, place, remove}) app->add_option("server", line_.server, "Name or id")->required();
    for (CLI::App* app : {place, remove}) app->add_option("--user", line_.unix_user, "The user of the server whose file it is; not root")->required();
    place->add_option("name", line_.names, "Names of secrets of kind env_value")->required();
  }
  void machine(CLI::App& parent, const char* name, const char* about, const char* verb) {
    CLI::App* app = waits(leaf(parent, name, about, [verb](const Line& given) {
      Line line = given;
      line.verb = verb;
      return machine_action(line);
    }));
    app->add_option("server", line_.server, "Name or id")->required();
  }
  CLI::App* unit(CLI::App& parent, const char* name, const char* about, const char* verb) {
    CLI::App* app = waits(leaf(parent, name, about, [verb](const Line& given) {
      Line line = given;
      line.verb = verb;
      return unit_action(line);
    }));
    app->add_option("server", line_.server, "Name or id")->required();
    app->add_option("unit", line_.unit, "nginx or nginx.service")->required();
    return app;
  }
  void units() {
    CLI::App* g = group("unit", "systemd units of a server");
    unit(*g, "start", "Start a unit", "unit.start");
    unit(*g, "stop", "Stop a unit", "unit.stop");
    unit(*g, "restart", "Restart a unit", "unit.restart");
    unit(*g, "reload", "Have a unit read its configuration again, without an end to what it does", "unit.reload");
    unit(*g, "enable", "Have a unit start with the server; it does not start now", "unit.enable");
    unit(*g, "disable", "Have a unit no longer start with the server; it does not stop now", "unit.disable");
    unit(*g, "status", "Status of a unit", "unit.status");
    unit(*g, "logs", "Last lines of a unit's journal", "journal.read")->add_option("--lines", line_.lines, "How many (50)")->check(CLI::Range(1, 500));
  }
  void pilot() {
    CLI::App* g = group("pilot", "The AI Pilot");
    CLI::App* ask = waits(leaf(*g, "ask", "Ask the Pilot; it may look, and propose what you then approve", pilot_ask));
    ask->add_option("text", line_.text, "The question")->required();
    ask->add_option("--conversation", line_.conversation, "Go on in this one");
    CLI::App* mode = leaf(*g, "mode", "The mode of a conversation of yours; with a word, set it", pilot_mode);
    mode->add_option("conversation", line_.conversation, "Its id")->required();
    const char* modes = "ask (it reads and explains, and proposes nothing), plan (each change that it wants is a card of its own) or agent (a plan of several is allowed as a whole, but for what is destructive)";
    mode->add_option("mode", line_.mode, modes)->check(CLI::IsMember({"ask", "plan", "agent"}));
    ask->add_option("--mode", line_.mode, modes)->check(CLI::IsMember({"ask", "plan", "agent"}));
  }
  void ai() {
    CLI::App* g = group("ai", "What the organisation's AI may do at all");
    leaf(*g, "show", "Whether it is on, and whether it may propose changes", ai_show);
    CLI::App* access = leaf(*g, "access", "What it could do on a server, and if not, which setting keeps it from that; with a level, set it", ai_access);
    access->add_option("server", line_.server, "Name or id")->required();
    access->add_option("level", line_.state, "none (to the AI there is no such server), read or full")->check(CLI::IsMember({"none", "read", "full"}));
    leaf(*g, "stop", "Stop it, at once and for everybody: answers end, what it proposed is denied", ai_stop);
    leaf(*g, "start", "Switch it on again; asks for your password", ai_start);
    leaf(*g, "forbid-writes", "It looks and explains, and proposes no changes; what it proposed is denied", ai_forbid_writes);
    leaf(*g, "allow-writes", "It may propose changes again; asks for your password", ai_allow_writes);
    CLI::App* allow = leaf(*g, "allow", "It may propose one operation, or a category of them; asks for your password", ai_allow);
    CLI::App* forbid = leaf(*g, "forbid", "It proposes one operation, or a category of them, no more; what it proposed of that is denied", ai_forbid);
    for (CLI::App* app : {allow, forbid}) app->add_option("operation", line_.name, "unit.restart, or unit for all of that category; see: caip ai show")->required();
    CLI::App* limit = leaf(*g, "limit", "Set how far it goes before it stops and says so; asks for your password. What there is: caip ai show", ai_limit);
    limit->add_option("limit", line_.name, "steps_per_run or steps_per_plan")->required();
    limit->add_option("value", line_.value, "A number")->required();
    CLI::App* provider = leaf(*g, "provider", "Who answers; with a name, choose that one, with default, what the installation has configured. For Owners; asks for your password", ai_provider);
    CLI::App* models = leaf(*g, "models", "Test the connection to a provider: the models that it has for a key. For Owners; asks for your password", ai_models);
    const std::vector<std::string> vendors{"anthropic", "openai", "gemini", "ollama", "openai_compatible"};
    std::vector<std::string> and_default = vendors;
    and_default.emplace_back("default");
    provider->add_option("provider", line_.kind, "anthropic, openai, gemini, ollama, openai_compatible, or default")->check(CLI::IsMember(and_default));
    provider->add_option("--model", line_.model, "Its name, as: caip ai models");
    provider->add_option("--max-tokens", line_.value, "Of one turn of an answer (2048)")->check(CLI::Range(16, 100000));
    models->add_option("provider", line_.kind, "anthropic, openai, gemini, ollama or openai_compatible")->required()->check(CLI::IsMember(vendors));
    for (CLI::App* app : {provider, models}) {
      app->add_option("--secret", line_.secret, "The name of a stored secret of kind ai_provider: its key");
      app->add_option("--base-url", line_.base_url, "Another address than the provider's own");
    }
    leaf(*g, "protect", "Switch Production Protection on again before its time; what it proposed on production servers is denied", ai_protect);
    CLI::App* off = leaf(*g, "unprotect", "Switch Production Protection off for a while; every Owner and Admin is told why. For Owners; asks for your password", ai_unprotect);
    off->add_option("--minutes", line_.minutes, "For so many (60), at most 1440")->check(CLI::Range(1, 1440));
    off->add_option("--reason", line_.reason, "Why, for everybody who is told")->required();
    CLI::App* two = leaf(*g, "second-person", "Whether what it proposes for production, or is destructive, needs the yes of two people. For Owners; off asks for your password", ai_second_person);
    two->add_option("setting", line_.state, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
  }
  void approvals() {
    CLI::App* g = group("approval", "Proposed actions");
    leaf(*g, "list", "All approvals", approval_list)->add_option("--state", line_.state, "pending, half_approved, approved, …");
    leaf(*g, "show", "One approval, with the exact bytes", approval_show)->add_option("id", line_.id)->required();
    CLI::App* yes = waits(leaf(*g, "approve", "Run exactly these bytes", approval_approve));
    CLI::App* no = leaf(*g, "deny", "Refuse", approval_deny);
    for (CLI::App* app : {yes, no}) {
      app->add_option("id", line_.id)->required();
      app->add_option("--digest", line_.digest, "SHA-256 of the bytes you saw");
    }
    yes->add_flag("--yes", line_.yes, "Do not ask");
    no->add_option("--reason", line_.reason, "Why");
  }
  void plans() {
    CLI::App* g = group("plan", "Several proposed actions in an order: it stops at the first that does not go as planned");
    leaf(*g, "list", "All plans, the newest first", plan_list);
    leaf(*g, "show", "One plan with its steps: exact bytes, what runs, where it stopped and why", plan_show)->add_option("id", line_.id)->required();
    CLI::App* yes = waits(leaf(*g, "approve", "Run exactly these bytes, one step after the other; destructive steps are allowed one by one, with caip approval approve", plan_approve));
    CLI::App* no = leaf(*g, "deny", "Refuse all of it that has not begun; a step that runs already comes to its end", plan_deny);
    for (CLI::App* app : {yes, no}) {
      app->add_option("id", line_.id)->required();
      app->add_option("--digest", line_.digest, "SHA-256 of the plan you saw");
    }
    yes->add_option("--steps", line_.steps, "Numbers of steps, as 1,3 (all that wait and are not destructive)")->delimiter(',')->check(CLI::Range(1, 20));
    yes->add_flag("--yes", line_.yes, "Do not ask");
    no->add_option("--reason", line_.reason, "Why");
  }
  CLI::App* secret(CLI::App& parent, const char* name, const char* about, Command command) {
    CLI::App* app = leaf(parent, name, about, std::move(command));
    app->add_option("kind", line_.kind, "env_value, cloud_key, ssh_key, notification or ai_provider")->required();
    app->add_option("name", line_.name, "Its name")->required();
    return app;
  }
  void secrets() {
    CLI::App* g = group("secrets", "Secrets and keys; values go in and never come out");
    leaf(*g, "list", "The names of secrets", secrets_list)->add_option("--kind", line_.kind, "Only this kind");
    secret(*g, "show", "One secret's name and, of an SSH key, its public half", secrets_show);
    CLI::App* set = secret(*g, "set", "Add a secret, or replace its value; asks for it unless told where it is", secrets_set);
    auto* file = set->add_option("--from-file", line_.value_file, "The file with the value");
    auto* piped = set->add_flag("--stdin", line_.value_stdin, "Read the value from standard input")->excludes(file);
    set->add_flag("--generate", line_.generate, "ssh_key: the server makes an Ed25519 key")->excludes(file)->excludes(piped);
    secret(*g, "delete", "Delete a secret and destroy its key", secrets_delete)->add_option("--confirm", line_.confirm, "Its name again: do not ask");
    leaf(*g, "inventory", "Every key, seal and class of secrets, with algorithm, age and next rotation", secrets_inventory);
    leaf(*g, "rotate", "Put a new key in place of an old one", secrets_rotate)->add_option("key", line_.kind, "root, data, jwt, checkpoint, cosign, order, ca or agent_ca")->required();
  }
  CLI::App* channel(CLI::App& parent, const char* name, const char* about, Command command) {
    CLI::App* app = leaf(parent, name, about, std::move(command));
    app->add_option("name", line_.name, "The channel's name")->required();
    return app;
  }
  void credential(CLI::App* app) {
    auto* file = app->add_option("--from-file", line_.value_file, "The file with the credential");
    auto* piped = app->add_flag("--stdin", line_.value_stdin, "Read the credential from standard input")->excludes(file);
    app->add_flag("--generate", line_.generate, "webhook: the server makes a signing secret, shown once")->excludes(file)->excludes(piped);
  }
  CLI::App* routing(CLI::App* app) {
    app->add_option("--least", line_.least, "From this severity up: info, warning or critical");
    app->add_option("--event", line_.events, "This event (again for more); see: caip notification events");
    return app;
  }
  void notifications() {
    CLI::App* g = group("notification", "What you and the organisation's channels are told");
    leaf(*g, "list", "Your notices, the newest first", notification_list)->add_option("--limit", line_.limit, "How many (50)")->check(CLI::Range(1, 200));
    leaf(*g, "read", "Mark all notices as read", notification_read);
    leaf(*g, "events", "What there is to be told about", notification_events);
    leaf(*g, "channels", "Where the organisation is told", notification_channels);
    CLI::App* add = routing(leaf(*g, "add", "Add a channel; asks for its credential unless told where it is", notification_add));
    add->add_option("kind", line_.kind, "email, slack, discord, telegram or webhook")->required();
    add->add_option("name", line_.name, "What people call it")->required();
    add->add_option("--set", line_.settings, "NAME=VALUE: host, port, security, user, from, to (email); chat (telegram); url (webhook)");
    credential(add);
    CLI::App* route = routing(channel(*g, "route", "Change what a channel is told", notification_route));
    route->add_flag("--all", line_.all_events, "All events");
    route->add_flag("--pause", line_.pause, "Do not use it for now");
    route->add_flag("--resume", line_.resume, "Use it again");
    credential(channel(*g, "credential", "Put another credential in its place", notification_credential));
    channel(*g, "test", "Send a test and say how it went", notification_test);
    channel(*g, "verify", "Have a code sent to a mail channel's address; with the code, confirm it", notification_verify)->add_option("code", line_.text, "The code that came");
    channel(*g, "delete", "Delete a channel and its credential", notification_delete)->add_option("--confirm", line_.confirm, "Its name again: do not ask");
    CLI::App* log = leaf(*g, "deliveries", "What went where, when, and how it ended", notification_deliveries);
    log->add_option("--state", line_.state, "queued, delivered, dead or dropped");
    log->add_option("--limit", line_.limit, "How many (50)")->check(CLI::Range(1, 200));
    leaf(*g, "letters", "Letters to people that were given up; never their links", notification_letters);
    leaf(*g, "retry", "Try a dead delivery again", notification_retry)->add_option("id", line_.id)->required();
  }
  CLI::App* filters(CLI::App* app) {
    app->add_option("--from", line_.from, "At or after, 2026-11-24T08:00:00Z or 2026-11-24");
    app->add_option("--until", line_.until, "Before");
    app->add_option("--actor", line_.actor, "Id of a user or server");
    app->add_option("--approver", line_.approver, "Id of the user who approved");
    app->add_option("--source", line_.source, "user, api_token, pilot, agent, system or anonymous");
    app->add_option("--action", line_.action, "Only this action");
    app->add_option("--target", line_.target, "Id of a server");
    app->add_option("--result", line_.result, "completed, failed, denied, expired, blocked or pending");
    app->add_option("--text", line_.text, "Entries with this text in them");
    return app;
  }
  void audit() {
    CLI::App* g = group("audit", "The log");
    filters(leaf(*g, "list", "Newest entries", audit_list))->add_option("--limit", line_.limit, "How many (50)")->check(CLI::Range(1, 10000));
    CLI::App* one = leaf(*g, "show", "One entry, and that it is in the log: checked here, by its proof", [this](const Line& line) { return audit_show(line, verify_); });
    one->add_option("INDEX", line_.index, "Its place in the log, as list has it")->required()->check(CLI::NonNegativeNumber);
    one->add_option("--checkpoint", line_.checkpoint, "A checkpoint that you kept, in place of the server's newest");
    filters(leaf(*g, "tail", "New entries as they come, until Ctrl-C", audit_tail));
    CLI::App* out = filters(leaf(*g, "export", "Entries to a file, with a proof beside it", audit_export));
    out->add_option("--format", line_.format, "jsonl, csv or bundle (the proof alone)")->check(CLI::IsMember({"jsonl", "csv", "bundle"}));
    out->add_option("-o,--output", line_.output, "File; the proof is FILE.bundle")->required();
    leaf(*g, "checkpoint", "The newest signed checkpoint: keep it elsewhere", audit_checkpoint)
        ->add_flag("--witnessed", line_.witnessed, "The newest one that servers have cosigned");
    leaf(*g, "witnesses", "Which servers have seen how much of the log", audit_witnesses);
    CLI::App* check = leaf(*g, "verify", "Whether the log holds; --data and --bundle need no running server", [this](const Line& line) { return audit_verify(line, verify_); });
    auto* what = check->add_option_group("what");
    what->add_option("--data", line_.data, "Data directory of caipd");
    what->add_option("--bundle", line_.bundle, "An export's proof");
    what->add_option("--url", line_.url, "The server you are signed in at: exports and verifies");
    what->require_option(1);
    check->add_option("--checkpoint", line_.checkpoint, "A checkpoint that you kept");
  }

  const Verifiers& verify_;
  Line line_;
  Command chosen_;
  CLI::App app_{"Command line of " + std::string(kProductName), "caip"};
};

}  // namespace

int run(int argc, char** argv, const Verifiers& verify) { return Commands(verify).run(argc, argv); }

}  // namespace caip::cli
