// commands.h: what each command does once its line is understood. Returns the exit code or an
// Error, which run() prints and maps.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/run.h"

namespace caip::cli {

struct Line {  // what was on the command line
  bool as_json = false;
  std::string url, email, organization, token_file;
  bool browser = false;  // login
  std::uint16_t callback_port = 0;
  bool password_stdin = false, code_stdin = false, link_stdin = false;
  std::string password_file;  // for what asks for it in the middle of a session
  std::string ca_file, ca_sha256;
  std::string server, unit, verb, id, reason, digest, text, conversation, state;
  std::string action, result, data, checkpoint, shell;
  std::string mode;  // of a conversation
  std::string model, base_url, secret;  // of who answers
  std::optional<std::int64_t> value;  // of a limit
  std::string kind, name, value_file, confirm, role;
  std::string site;
  std::optional<std::int64_t> port;
  std::int64_t hours = 7 * 24;
  bool redirect = false, no_redirect = false;
  std::string unix_user;  // of a server, and names of secrets
  std::vector<std::string> names;
  bool value_stdin = false, generate = false;
  std::string least;  // notifications
  std::vector<std::string> settings, events;
  bool all_events = false, pause = false, resume = false;
  std::vector<std::string> scopes, networks;  // of an API token
  bool everybody = false;
  std::int64_t days = 7;
  std::string actor, approver, source, target, from, until, bundle, output, format = "jsonl";
  bool witnessed = false;
  std::optional<std::int64_t> idle_minutes, lifetime_minutes;
  std::int64_t lines = 50;
  std::int64_t limit = 50;
  std::int64_t index = 0;  // of an entry
  std::vector<std::int64_t> steps;  // of a plan
  std::int64_t timeout = 120;
  std::int64_t minutes = 60;
  bool replace = false;
  bool yes = false;
  bool no_wait = false;
};

Result<int> login(const Line&);
Result<int> logout(const Line&);
Result<int> setup(const Line&);
Result<int> whoami(const Line&);
Result<int> session_list(const Line&);
Result<int> enrolment_list(const Line&);
Result<int> enrolment_revoke(const Line&);
Result<int> session_end(const Line&);
Result<int> session_end_others(const Line&);
Result<int> session_disown(const Line&);
Result<int> session_limits(const Line&);
Result<int> device_list(const Line&);
Result<int> device_forget(const Line&);
Result<int> account_password(const Line&);
Result<int> account_show(const Line&);
Result<int> account_verify_email(const Line&);
Result<int> account_change_email(const Line&);
Result<int> account_confirm_email(const Line&);
Result<int> account_forgot_password(const Line&);
Result<int> account_reset_password(const Line&);
Result<int> account_disown_sign_in(const Line&);
Result<int> invitation_accept(const Line&);
Result<int> factor_add_passkey(const Line&);
Result<int> identity_link(const Line&);
Result<int> account_history(const Line&);
Result<int> factor_list(const Line&);
Result<int> factor_add_totp(const Line&);
Result<int> factor_rename(const Line&);
Result<int> factor_remove(const Line&);
Result<int> factor_recovery_codes(const Line&);
Result<int> identity_list(const Line&);
Result<int> identity_unlink(const Line&);
Result<int> org_list(const Line&);
Result<int> org_create(const Line&);
Result<int> org_switch(const Line&);
Result<int> org_rename(const Line&);
Result<int> org_delete(const Line&);
Result<int> org_restore(const Line&);
Result<int> invitation_list(const Line&);
Result<int> invitation_create(const Line&);
Result<int> invitation_resend(const Line&);
Result<int> invitation_revoke(const Line&);
Result<int> token_list(const Line&);
Result<int> token_create(const Line&);
Result<int> token_revoke(const Line&);
Result<int> role_list(const Line&);
Result<int> server_access(const Line&);
Result<int> member_list(const Line&);
Result<int> member_add(const Line&);
Result<int> member_role(const Line&);
Result<int> member_remove(const Line&);
Result<int> member_disable(const Line&);
Result<int> member_enable(const Line&);
Result<int> member_owner(const Line&);
Result<int> member_reset_factors(const Line&);
Result<int> member_leave(const Line&);
Result<int> server_list(const Line&);
Result<int> server_show(const Line&);
Result<int> server_services(const Line&);
Result<int> server_env_list(const Line&);
Result<int> server_env_place(const Line&);
Result<int> server_env_remove(const Line&);
Result<int> server_add(const Line&);
Result<int> server_environment(const Line&);
Result<int> server_disconnect(const Line&);
Result<int> server_restore(const Line&);
Result<int> server_key(const Line&);
Result<int> server_rotate_key(const Line&);
Result<int> server_check_key(const Line&);
Result<int> server_revoke_key(const Line&);
Result<int> unit_action(const Line&);  // verb: start stop restart status, journal
Result<int> machine_action(const Line&);  // verb: process.list socket.list disk.list
Result<int> server_reboot(const Line&);
Result<int> site_list(const Line&);
Result<int> site_show(const Line&);
Result<int> site_create(const Line&);
Result<int> site_change(const Line&);
Result<int> site_check(const Line&);
Result<int> site_delete(const Line&);
Result<int> site_restore(const Line&);
Result<int> operation_show(const Line&);
Result<int> operation_watch(const Line&);
Result<int> pilot_ask(const Line&);
Result<int> pilot_mode(const Line&);
Result<int> ai_limit(const Line&);
Result<int> ai_provider(const Line&);
Result<int> ai_models(const Line&);
Result<int> ai_show(const Line&);
Result<int> ai_access(const Line&);
Result<int> ai_stop(const Line&);
Result<int> ai_start(const Line&);
Result<int> ai_forbid_writes(const Line&);
Result<int> ai_allow_writes(const Line&);
Result<int> ai_allow(const Line&);
Result<int> ai_forbid(const Line&);
Result<int> ai_protect(const Line&);
Result<int> ai_unprotect(const Line&);
Result<int> ai_second_person(const Line&);
Result<int> approval_list(const Line&);
Result<int> approval_show(const Line&);
Result<int> approval_approve(const Line&);
Result<int> approval_deny(const Line&);
Result<int> plan_list(const Line&);
Result<int> plan_show(const Line&);
Result<int> plan_approve(const Line&);
Result<int> plan_deny(const Line&);
Result<int> secrets_list(const Line&);
Result<int> secrets_show(const Line&);
Result<int> secrets_set(const Line&);
Result<int> secrets_delete(const Line&);
Result<int> secrets_inventory(const Line&);
Result<int> secrets_rotate(const Line&);
Result<int> notification_list(const Line&);
Result<int> notification_read(const Line&);
Result<int> notification_events(const Line&);
Result<int> notification_channels(const Line&);
Result<int> notification_add(const Line&);
Result<int> notification_route(const Line&);
Result<int> notification_credential(const Line&);
Result<int> notification_test(const Line&);
Result<int> notification_verify(const Line&);
Result<int> notification_delete(const Line&);
Result<int> notification_deliveries(const Line&);
Result<int> notification_retry(const Line&);
Result<int> notification_letters(const Line&);
Result<int> audit_list(const Line&);
Result<int> audit_tail(const Line&);
Result<int> audit_export(const Line&);
Result<int> audit_checkpoint(const Line&);
Result<int> audit_witnesses(const Line&);
Result<int> audit_show(const Line&, const Verifiers&);
Result<int> audit_verify(const Line&, const Verifiers&);

}  // namespace caip::cli
