#include "model/permission.h"

#include <array>
#include <utility>

#include "model/actor.h"

namespace caip {
namespace {

using enum Permission;

constexpr bool kReads = true, kActs = false;      // require_view() or a permit of its own
constexpr bool kToken = true, kNoToken = false;   // whether an API token may carry it
constexpr bool kPilot = true, kNoPilot = false;   // whether the AI may do it by itself

// The matrix. A line says it all: nothing is inherited, and what is not here is refused. test/data/access.txt and
// authorization/policy_test.cpp hold the same rules a second time, on purpose.
constexpr std::array kTable{
    PermissionRow{own_session, "Account", "session.own", "OAMV", kReads, kNoToken, kNoPilot, "see and end one's own sessions, switch, join, found and leave organisations"},
    PermissionRow{organization_rename, "Organisation", "organization.rename", "OA", kActs, kNoToken, kNoPilot, "rename the organisation"},
    PermissionRow{organization_delete, "Organisation", "organization.delete", "O", kReads, kNoToken, kNoPilot, "delete the organisation after a time in which it can be restored, and restore it"},
    PermissionRow{session_limits, "Organisation", "organization.session_limits", "O", kActs, kNoToken, kNoPilot, "shorten how long sessions last"},
    PermissionRow{ownership_transfer, "Organisation", "ownership.transfer", "O", kActs, kNoToken, kNoPilot, "hand one's own ownership to another member"},
    PermissionRow{member_view, "Team", "member.view", "OAMV", kReads, kToken, kPilot, "see who is in the organisation and in which role"},
    PermissionRow{member_add, "Team", "member.add", "O", kActs, kNoToken, kNoPilot, "create an account in the organisation, with a first password"},
    PermissionRow{member_change_role, "Team", "member.change_role", "O", kActs, kNoToken, kNoPilot, "change a member's role, up to one's own"},
    PermissionRow{member_remove, "Team", "member.remove", "O", kActs, kNoToken, kNoPilot, "remove a member"},
    PermissionRow{member_disable, "Team", "member.disable", "O", kActs, kNoToken, kNoPilot, "disable a member's access, and enable it again"},
    PermissionRow{role_view, "Team", "role.view", "OAMV", kReads, kToken, kPilot, "see this table"},
    PermissionRow{access_view, "Team", "access.view", "OAMV", kReads, kToken, kPilot, "see who can do what on a server, and why"},
    PermissionRow{invitation_view, "Invitations", "invitation.view", "OA", kReads, kToken, kNoPilot, "see open and past invitations, never their links"},
    PermissionRow{invitation_create, "Invitations", "invitation.create", "O", kActs, kNoToken, kNoPilot, "invite a person, up to one's own role, and send the invitation again"},
    PermissionRow{invitation_revoke, "Invitations", "invitation.revoke", "O", kActs, kNoToken, kNoPilot, "revoke an invitation"},
    PermissionRow{token_own, "API tokens", "token.own", "OAM", kReads, kNoToken, kNoPilot, "make, see and revoke one's own API tokens"},
    PermissionRow{token_view_all, "API tokens", "token.view_all", "OA", kReads, kNoToken, kNoPilot, "see the tokens of all members, never their values"},
    PermissionRow{token_revoke_any, "API tokens", "token.revoke_any", "O", kActs, kNoToken, kNoPilot, "revoke anybody's token"},
    PermissionRow{server_view, "Servers", "server.view", "OAMV", kReads, kToken, kPilot, "see the servers"},
    PermissionRow{server_enrol, "Servers", "server.enrol", "OA", kActs, kToken, kNoPilot, "enrol a server"},
    PermissionRow{server_disconnect, "Servers", "server.disconnect", "OA", kReads, kNoToken, kNoPilot, "disconnect a server after a time in which it can be restored, and restore it"},
    PermissionRow{server_classify, "Servers", "server.classify", "OA", kActs, kNoToken, kNoPilot, "say which environment a server belongs to; that it is no production server any more, an Owner says"},
    PermissionRow{production_release, "Servers", "production.release", "O", kActs, kNoToken, kNoPilot, "take a server out of production, switch Production Protection off for a while, and say whether what the AI proposes for production, or is destructive, needs a second person"},
    PermissionRow{server_key, "Servers", "server.key", "OA", kActs, kNoToken, kNoPilot, "have a server's agent make a new key, and revoke the one it has"},
    PermissionRow{server_check, "Servers", "server.check", "OAM", kActs, kToken, kNoPilot, "have the channel to a server checked from end to end"},
    PermissionRow{enrolment_view, "Servers", "enrolment.view", "OA", kReads, kToken, kNoPilot, "see who is being enrolled"},
    PermissionRow{metrics_view, "Servers", "metrics.view", "OAMV", kReads, kToken, kPilot, "see processor, memory, disk and network over time"},
    PermissionRow{unit_view, "Services", "unit.view", "OAMV", kReads, kToken, kPilot, "see services and ask for their state"},
    PermissionRow{unit_start, "Services", "unit.start", "OAM", kActs, kToken, kNoPilot, "start a service"},
    PermissionRow{unit_stop, "Services", "unit.stop", "OAM", kActs, kToken, kNoPilot, "stop a service"},
    PermissionRow{unit_restart, "Services", "unit.restart", "OAM", kActs, kToken, kNoPilot, "restart a service"},
    PermissionRow{unit_reload, "Services", "unit.reload", "OAM", kActs, kToken, kNoPilot, "have a service read its configuration again"},
    PermissionRow{unit_enable, "Services", "unit.enable", "OAM", kActs, kToken, kNoPilot, "have a service start with the server"},
    PermissionRow{unit_disable, "Services", "unit.disable", "OAM", kActs, kToken, kNoPilot, "have a service no longer start with the server"},
    PermissionRow{unit_control_access, "Services", "unit.control_access", "OA", kActs, kNoToken, kNoPilot, "stop, restart, reload or disable what people reach the machine through: sshd, network, firewall"},
    PermissionRow{journal_read, "Services", "journal.read", "OAM", kActs, kToken, kPilot, "read the log lines of a service"},
    PermissionRow{machine_view, "Services", "machine.view", "OAM", kActs, kToken, kPilot, "see processes, what listens on which port, and how full the disks are"},
    PermissionRow{server_reboot, "Services", "server.reboot", "OA", kActs, kNoToken, kNoPilot, "reboot a server"},
    PermissionRow{operation_view, "Services", "operation.view", "OAMV", kReads, kToken, kPilot, "see orders and what became of them"},
    PermissionRow{site_view, "Sites", "site.view", "OAMV", kReads, kToken, kPilot, "see the sites, and ask their server what it has of one"},
    PermissionRow{site_manage, "Sites", "site.manage", "OAM", kActs, kToken, kNoPilot, "make a site, and change its domains, its port and where it leads"},
    PermissionRow{site_delete, "Sites", "site.delete", "OA", kActs, kNoToken, kNoPilot, "delete a site after a time in which it can be restored, and restore it"},
    PermissionRow{pilot_use, "AI Pilot", "pilot.use", "OAM", kReads, kNoToken, kNoPilot, "ask the Pilot"},
    PermissionRow{pilot_view, "AI Pilot", "pilot.view", "OAM", kReads, kToken, kNoPilot, "see the Pilot and one's own conversations"},
    PermissionRow{ai_stop, "AI Pilot", "ai.stop", "OAM", kActs, kToken, kNoPilot, "stop the AI for everybody in the organisation, at once"},
    PermissionRow{ai_control, "AI Pilot", "ai.control", "OA", kActs, kNoToken, kNoPilot, "switch the AI on again, whether it may propose changes and which, how far it goes, and what it may do on which server; switch Production Protection on again"},
    PermissionRow{approval_view, "Approvals", "approval.view", "OAMV", kReads, kToken, kPilot, "see proposals and decisions"},
    PermissionRow{approval_decide, "Approvals", "approval.decide", "OAM", kActs, kNoToken, kNoPilot, "allow or deny a proposal that one could carry out oneself"},
    PermissionRow{audit_view, "Log", "audit.view", "OA", kReads, kToken, kPilot, "read and search the log"},
    PermissionRow{audit_verify, "Log", "audit.verify", "OA", kReads, kToken, kPilot, "fetch checkpoints, witnesses and proofs"},
    PermissionRow{audit_export, "Log", "audit.export", "O", kReads, kToken, kNoPilot, "export the log with its proof"},
    PermissionRow{secret_view, "Secrets", "secret.view", "OAM", kReads, kToken, kNoPilot, "see the names of secrets; nobody reads a value"},
    PermissionRow{secret_env, "Secrets", "secret.env", "OAM", kActs, kNoToken, kNoPilot, "make, replace and delete env values"},
    PermissionRow{secret_cloud, "Secrets", "secret.cloud", "OA", kActs, kNoToken, kNoPilot, "make, replace and delete cloud keys"},
    PermissionRow{secret_ssh, "Secrets", "secret.ssh", "OA", kActs, kNoToken, kNoPilot, "make, replace and delete SSH keys"},
    PermissionRow{secret_notification, "Secrets", "secret.notification", "OA", kActs, kNoToken, kNoPilot, "make, replace and delete notification credentials"},
    PermissionRow{secret_ai, "Secrets", "secret.ai", "O", kActs, kNoToken, kNoPilot, "choose which provider and model answer as the AI, and make, replace and delete its key"},
    PermissionRow{secret_use, "Secrets", "secret.use", "OAM", kActs, kToken, kNoPilot, "have the product use a secret for something one may do"},
    PermissionRow{env_place, "Secrets", "env.place", "OA", kActs, kNoToken, kNoPilot, "place env values on a server for one of its users, and remove them there"},
    PermissionRow{key_view, "Keys", "key.view", "OA", kReads, kToken, kNoPilot, "see keys, seals, their age and next rotation"},
    PermissionRow{key_rotate, "Keys", "key.rotate", "O", kActs, kNoToken, kNoPilot, "rotate a key"},
    PermissionRow{notification_manage, "Notifications", "notification.manage", "OA", kReads, kNoToken, kNoPilot, "see and change channels, their routing and the delivery log"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i)
    if (std::to_underlying(kTable.at(i).permission) != i) return false;
  return kTable.size() == std::to_underlying(anonymous) && std::to_underlying(system) < PermissionSet::kMost;
}
static_assert(in_order(), "one row for each permission that a role can have, in the order of the enum");

constexpr PermissionSet set_of(char role) {
  PermissionSet set;
  for (const auto& row : kTable)
    if (row.roles.contains(role)) set.add(row.permission);
  return set;
}
constexpr std::array kMatrix{set_of('V'), set_of('M'), set_of('A'), set_of('O')};  // in the order of Role

constexpr auto kAll = [] {
  std::array<Permission, std::to_underlying(system) + 1U> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all.at(i) = static_cast<Permission>(i);
  return all;
}();

}  // namespace

std::span<const PermissionRow> permission_table() noexcept { return kTable; }

const PermissionRow* row_of(Permission permission) noexcept {
  const auto i = std::to_underlying(permission);
  return i < kTable.size() ? &kTable.at(i) : nullptr;
}

PermissionSet granted(Role role) noexcept {
  const auto i = std::to_underlying(role);
  return i < kMatrix.size() ? kMatrix.at(i) : PermissionSet();
}
bool granted(Role role, Permission permission) noexcept { return row_of(permission) != nullptr && granted(role).has(permission); }
PermissionSet held(const Principal& who) noexcept { return granted(who.role) & who.narrowed; }
bool holds(const Principal& who, Permission permission) noexcept { return row_of(permission) != nullptr && held(who).has(permission); }

std::span<const Permission> all_permissions() noexcept { return kAll; }

std::string_view text(Role role) noexcept {
  switch (role) {
    case Role::viewer: return "viewer";
    case Role::member: return "member";
    case Role::admin: return "admin";
    case Role::owner: return "owner";
  }
  return "?";
}

std::string_view text(Permission permission) noexcept {
  if (const auto* row = row_of(permission)) return row->name;
  switch (permission) {
    case anonymous: return "anonymous";
    case agent: return "agent";
    case system: return "system";
    default: return "?";
  }
}

std::string_view text(Impact impact) noexcept {
  switch (impact) {
    case Impact::safe: return "safe";
    case Impact::caution: return "caution";
    case Impact::destructive: return "destructive";
  }
  return "?";
}

std::string_view text(Source source) noexcept {
  switch (source) {
    case Source::user: return "user";
    case Source::api_token: return "api_token";
    case Source::pilot: return "pilot";
    case Source::agent: return "agent";
    case Source::system: return "system";
    case Source::anonymous: return "anonymous";
  }
  return "?";
}

Result<Role> parse_role(std::string_view name) {
  for (Role role : {Role::viewer, Role::member, Role::admin, Role::owner})
    if (text(role) == name) return role;
  return fail(Code::invalid, "a role is owner, admin, member or viewer");
}

Result<Permission> parse_permission(std::string_view name) {
  for (const auto& row : kTable)
    if (row.name == name) return row.permission;
  return fail(Code::invalid, "there is no permission of that name");
}

}  // namespace caip
