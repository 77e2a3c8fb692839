#include "policy.h"

namespace caip::authorization {
namespace {

Refusal no(std::string reason) { return {Code::forbidden, std::move(reason)}; }

std::string lacks(const Principal& who, Permission needs) {
  const std::string whose = granted(who.role, needs) ? "the token" : "role " + std::string(text(who.role));
  return whose + " lacks " + std::string(text(needs));
}

template <class... A>
bool is_any(const AnyAction& action) {
  return (std::holds_alternative<A>(action) || ...);
}

// What changes something on a server, which an AI may propose and a human allow.
bool server_write(const AnyAction& a) { return is_any<StartUnit, StopUnit, RestartUnit, ReloadUnit, EnableUnit, DisableUnit, RebootServer, PlaceEnv, RemoveEnv, CreateSite, ChangeSite, DeleteSite, RestoreSite>(a); }

std::optional<Refusal> not_for_a_pilot(const AnyAction& action, const PermissionRow& row, bool warranted) {
  if (server_write(action)) {
    if (warranted) return std::nullopt;
    return Refusal{Code::approval_needed, "an AI may only propose " + std::string(name_of(action))};
  }
  if (row.pilot || is_any<ProposeAction, ProposePlan, PilotReply>(action)) return std::nullopt;
  return no("an AI may not do " + std::string(name_of(action)));
}

// Rules about the operands, beyond the permission: what is somebody's own, and that nobody gives more than they hold.
std::optional<Refusal> operand(const Principal& who, const RefreshSession& a) {
  if (a.session != who.session) return no("not their own session");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const SignOut& a) {
  if (a.session != who.session) return no("not their own session");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const StepUpSession& a) {
  if (a.session != who.session) return no("not their own session");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const HandOverSession& a) {
  if (a.session != who.session) return no("not their own session");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const EndOtherSessions& a) {
  if (a.session != who.session) return no("not their own session");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const DisownSession& a) {
  if (a.session == who.session) return no("the session that they say it in");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const DeleteOrganization& a) {
  if (a.organization != who.org) return no("not the organisation that they act in");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const RestoreOrganization& a) {
  if (a.organization != who.org) return no("not the organisation that they act in");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const ChangePassword& a) {
  if (a.user != who.user) return no("not their own password");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const RequestVerification& a) {
  if (a.user != who.user) return no("not their own address");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const ChangeEmail& a) {
  if (a.user != who.user) return no("not their own address");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const ConfirmNewEmail& a) {
  if (a.user != who.user) return no("not their own address");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const DisableMember& a) {
  if (a.user == who.user) return no("their own access");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const SwitchOrganization& a) {
  if (a.session != who.session) return no("not their own session");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const LeaveOrganization& a) {
  if (a.user != who.user) return no("not themselves");
  return std::nullopt;
}
std::optional<Refusal> operand(const Principal& who, const CreateToken& a) {
  if (a.scopes == PermissionSet()) return no("a token without a scope");
  for (const auto& row : permission_table())
    if (a.scopes.has(row.permission) && !(row.token && holds(who, row.permission))) return no("a scope beyond what a token of theirs may carry");
  if ((a.scopes & granted(who.role)) != a.scopes) return no("a scope that is none");
  return std::nullopt;
}
template <class A>
std::optional<Refusal> operand(const Principal& who, const A& a) {
  if constexpr (requires { a.role; })
    if (a.role > who.role) return no("a role above their own");  // backstop: only Owners give roles today
  return std::nullopt;
}

std::optional<Refusal> for_person(const Principal& who, const AnyAction& action, Permission needs, bool warranted) {
  const bool speaks = who.source == Source::api_token ? who.token.has_value() : who.session.has_value();
  // A redeemed approval may outlive the session in which it was asked for.
  if (!who.user || !who.org || !(speaks || warranted)) return no("no signed-in person");
  const PermissionRow* row = row_of(needs);
  if (row == nullptr) return no("not an action of a session");
  if (!holds(who, needs)) return no(lacks(who, needs));
  if (is_any<UnknownTool>(action)) return no("there is no such tool");
  if (is_any<CallTool>(action)) return no("named where a call is refused; what a tool does is authorized by itself");
  if (auto r = std::visit([&](const auto& a) { return operand(who, a); }, action)) return r;
  if (who.source == Source::pilot) return not_for_a_pilot(action, *row, warranted);
  if (is_any<ProposeAction, ProposePlan, PilotReply>(action)) return no("only the pilot does " + std::string(name_of(action)));
  if (who.source == Source::api_token && !row->token) return no("not with an API token");
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> refusal(const Principal& who, const AnyAction& action, bool warranted) {
  const Permission needs = needs_of(action);
  if (warranted && (who.source != Source::pilot || !server_write(action))) return no("not what an approval is for");
  switch (who.source) {
    case Source::user:
    case Source::api_token:
    case Source::pilot: return for_person(who, action, needs, warranted);
    case Source::agent: {
      const auto* server = target_server(action);
      if (const auto* f = std::get_if<FinishOperation>(&action)) server = &f->server;
      if (needs != Permission::agent) return no("not an action of an agent");
      if (!who.server || !server || *server != *who.server) return no("about another server");
      return std::nullopt;
    }
    case Source::system:
      if (needs == Permission::system) return std::nullopt;
      return no("not an action of the system");
    case Source::anonymous:
      if (needs == Permission::anonymous) return std::nullopt;
      return no("not signed in");
  }
  return no("unknown source");  // backstop: the compiler knows no other
}

}  // namespace caip::authorization
