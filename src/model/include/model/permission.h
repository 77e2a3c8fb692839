// model/permission.h: roles, permissions and the one matrix between them (P4). Deny by default:
// what the table does not grant is refused.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class Role : std::uint8_t { viewer, member, admin, owner };

enum class Permission : std::uint8_t {
  server_view, server_enrol, unit_control, journal_read,
  unit_control_access,  // units that people and the platform come in through (model/units.h)
  pilot_use, approval_view, approval_decide,
  member_view, member_manage, audit_view, audit_export,
  secret_view,    // names of secrets; nobody reads a value
  secret_manage,  // make, replace, delete; which kinds, the policy says by role
  secret_use,     // have the product use one, for something one may do
  key_view, key_rotate,
  notification_manage,  // channels, routing, the delivery log; one's own notices need none
  own_session,   // what everyone may do with their own session
  anonymous,     // no session needed; guarded by a one-time token or by credentials
  agent,         // an enrolled server's own agent
  system,        // the control plane itself (expiry, recovery)
};

// How bad it can get. Computed by us from action and target, never by a model.
enum class Impact : std::uint8_t { safe, caution, destructive };

bool granted(Role, Permission) noexcept;
std::span<const Permission> all_permissions() noexcept;  // in the order of the enum
std::string_view text(Role) noexcept;        // "owner"
std::string_view text(Permission) noexcept;  // "unit.control"
std::string_view text(Impact) noexcept;      // "caution"
Result<Role> parse_role(std::string_view);

}  // namespace caip
