#include "model/permission.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/actor.h"

namespace caip {
namespace {

using enum Permission;
constexpr std::array kAll{server_view, server_enrol, unit_control, journal_read, unit_control_access, pilot_use, approval_view, approval_decide,
                          member_view, member_manage, audit_view, audit_export, secret_view, secret_manage, secret_use, key_view, key_rotate, notification_manage,
                          own_session, anonymous, agent, system};

// The matrix. Each role lists all it may do; nothing is inherited, so that a line says it all.
// anonymous, agent and system are granted to no role: they belong to callers without one.
constexpr std::array kViewer{server_view, approval_view, member_view, own_session};
constexpr std::array kMember{server_view, unit_control, journal_read, pilot_use, approval_view, approval_decide, member_view,
                             secret_view, secret_manage, secret_use, own_session};
constexpr std::array kAdmin{server_view, server_enrol, unit_control, unit_control_access, journal_read, pilot_use, approval_view, approval_decide,
                            member_view, audit_view, secret_view, secret_manage, secret_use, key_view, notification_manage, own_session};
constexpr std::array kOwner{server_view, server_enrol, unit_control, unit_control_access, journal_read, pilot_use, approval_view, approval_decide,
                            member_view, member_manage, audit_view, audit_export, secret_view, secret_manage, secret_use, key_view, key_rotate,
                            notification_manage, own_session};

constexpr std::uint32_t bit(Permission p) { return 1U << std::to_underlying(p); }

template <std::size_t N>
constexpr std::uint32_t mask(const std::array<Permission, N>& list) {
  std::uint32_t m = 0;
  for (Permission p : list) m |= bit(p);
  return m;
}

constexpr std::array<std::uint32_t, 4> kMatrix{mask(kViewer), mask(kMember), mask(kAdmin), mask(kOwner)};

}  // namespace

bool granted(Role role, Permission permission) noexcept {
  const auto row = std::to_underlying(role);
  return row < kMatrix.size() && (kMatrix.at(row) & bit(permission)) != 0;
}

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
  switch (permission) {
    case server_view: return "server.view";
    case server_enrol: return "server.enrol";
    case unit_control: return "unit.control";
    case journal_read: return "journal.read";
    case unit_control_access: return "unit.control_access";
    case pilot_use: return "pilot.use";
    case approval_view: return "approval.view";
    case approval_decide: return "approval.decide";
    case member_view: return "member.view";
    case member_manage: return "member.manage";
    case audit_view: return "audit.view";
    case secret_view: return "secret.view";
    case secret_manage: return "secret.manage";
    case secret_use: return "secret.use";
    case key_view: return "key.view";
    case key_rotate: return "key.rotate";
    case notification_manage: return "notification.manage";
    case audit_export: return "audit.export";
    case own_session: return "session.own";
    case anonymous: return "anonymous";
    case agent: return "agent";
    case system: return "system";
  }
  return "?";
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

}  // namespace caip
