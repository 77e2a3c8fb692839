// model/permission.h: roles, permissions and the one matrix between them (P4). Deny by default:
// what the table does not grant is refused. The policy, the API, its description, the page
// "Roles", the CSV export and doc/roles.md are all made from the rows of this table.
#pragma once
#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class Role : std::uint8_t { viewer, member, admin, owner };

enum class Permission : std::uint8_t {
  own_session,  // what everyone may do with their own session and account
  organization_rename, organization_delete, session_limits, ownership_transfer,
  member_view, member_add, member_change_role, member_remove, member_disable, role_view, access_view,
  invitation_view, invitation_create, invitation_revoke,
  token_own, token_view_all, token_revoke_any,
  server_view, server_enrol, server_disconnect, server_classify,
  production_release,  // take away what keeps production servers apart
  server_key,    // rotate or revoke the key of its agent
  server_check,  // of the channel to it, from end to end
  enrolment_view, metrics_view,
  unit_view, unit_start, unit_stop, unit_restart, unit_reload, unit_enable, unit_disable,
  unit_control_access,  // units that people and the platform come in through (model/units.h)
  journal_read, machine_view, server_reboot, operation_view,
  site_view, site_manage,
  site_delete,  // take one out of service and, after a time, away; and bring it back before
  pilot_use, pilot_view,
  ai_stop,      // for everybody in the organisation, at once
  ai_control,   // on again, and what it may do at all
  approval_view, approval_decide,
  audit_view, audit_verify, audit_export,
  secret_view,  // names of secrets; nobody reads a value
  secret_env, secret_cloud, secret_ssh, secret_notification, secret_ai,  // make, replace, delete one of that kind
  secret_use,   // have the product use one, for something one may do
  env_place,    // put env values on a server for one of its users
  key_view, key_rotate,
  notification_manage,  // channels, routing, the delivery log; one's own notices need none
  // Of callers without a role: in no row of the table.
  anonymous,  // no session needed; guarded by a one-time token or by credentials
  agent,      // an enrolled server's own agent
  system,     // the control plane itself (expiry, recovery)
};

// A set of permissions, to narrow what a role grants.
class PermissionSet {
 public:
  constexpr PermissionSet() = default;  // empty
  static constexpr std::size_t kMost = 128;
  static constexpr PermissionSet everything() { return PermissionSet(~Bits{}); }
  constexpr bool has(Permission p) const { return bits_[static_cast<std::size_t>(p)]; }
  constexpr PermissionSet& add(Permission p) { return bits_.set(static_cast<std::size_t>(p)), *this; }
  friend constexpr PermissionSet operator&(PermissionSet a, PermissionSet b) { return PermissionSet(a.bits_ & b.bits_); }
  bool operator==(const PermissionSet&) const = default;

 private:
  using Bits = std::bitset<kMost>;
  constexpr explicit PermissionSet(Bits bits) : bits_(bits) {}
  Bits bits_;
};

struct PermissionRow {
  Permission permission;
  std::string_view category;  // "Servers"
  std::string_view name;      // "server.view"
  std::string_view roles;     // "OAMV": Owner, Admin, Member, Viewer
  bool reads;                 // a page or list; everything else needs an action's own permit
  bool token;                 // an API token may carry it
  bool pilot;                 // the AI may do it by itself, when its human may
  std::string_view about;     // one line for people
};
std::span<const PermissionRow> permission_table() noexcept;  // in the order of the enum
const PermissionRow* row_of(Permission) noexcept;            // nullptr: of callers without a role

// How bad it can get. Computed by us from action and target, never by a model.
enum class Impact : std::uint8_t { safe, caution, destructive };

bool granted(Role, Permission) noexcept;
PermissionSet granted(Role) noexcept;
std::span<const Permission> all_permissions() noexcept;  // in the order of the enum
std::string_view text(Role) noexcept;        // "owner"
std::string_view text(Permission) noexcept;  // "unit.stop"
std::string_view text(Impact) noexcept;      // "caution"
Result<Role> parse_role(std::string_view);
Result<Permission> parse_permission(std::string_view);  // of the table

}  // namespace caip
