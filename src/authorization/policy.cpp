#include "policy.h"

namespace caip::authorization {
namespace {

Refusal no(std::string reason) { return {Code::forbidden, std::move(reason)}; }

template <class... A>
bool is_any(const AnyAction& action) {
  return (std::holds_alternative<A>(action) || ...);
}

bool unit_write(const AnyAction& a) { return is_any<StartUnit, StopUnit, RestartUnit>(a); }

std::optional<Refusal> not_for_a_pilot(const AnyAction& action, Permission needs, bool warranted) {
  if (unit_write(action)) {
    if (warranted) return std::nullopt;
    return Refusal{Code::approval_needed, "an AI may only propose " + std::string(name_of(action))};
  }
  switch (needs) {
    case Permission::server_view:
    case Permission::journal_read:
    case Permission::approval_view:
    case Permission::member_view:
    case Permission::audit_view: return std::nullopt;
    case Permission::pilot_use:
      if (is_any<ProposeAction, PilotReply>(action)) return std::nullopt;
      break;
    default: break;
  }
  return no("an AI may not do " + std::string(name_of(action)));
}

// Env values belong to who configures sites; the provider's key is the Owner's (they pay for it).
std::optional<Refusal> kind(const Principal& who, SecretKind k) {
  if (k == SecretKind::ai_provider && who.role != Role::owner) return no("the AI provider's key is for the Owner");
  if (k != SecretKind::env_value && who.role == Role::member) return no("a Member handles env values only");
  return std::nullopt;
}

// Rules about the operands, beyond the permission.
std::optional<Refusal> operands(const Principal& who, const AnyAction& action) {
  if (const auto* a = std::get_if<RefreshSession>(&action); a && a->session != who.session) return no("not their own session");
  if (const auto* a = std::get_if<SignOut>(&action); a && a->session != who.session) return no("not their own session");
  if (const auto* a = std::get_if<StepUpSession>(&action); a && a->session != who.session) return no("not their own session");
  if (const auto* a = std::get_if<EndOtherSessions>(&action); a && a->session != who.session) return no("not their own session");
  if (const auto* a = std::get_if<ChangePassword>(&action); a && a->user != who.user) return no("not their own password");
  if (const auto* a = std::get_if<AddMember>(&action); a && a->role > who.role) return no("a role above their own");
  if (const auto* a = std::get_if<ChangeRole>(&action); a && a->role > who.role) return no("a role above their own");
  return std::visit(
      [&]<class A>(const A& a) -> std::optional<Refusal> {
        if constexpr (std::is_same_v<A, CreateSecret> || std::is_same_v<A, ReplaceSecret> || std::is_same_v<A, DeleteSecret>) return kind(who, a.kind);
        return std::nullopt;
      },
      action);
}

std::optional<Refusal> for_person(const Principal& who, const AnyAction& action, bool warranted) {
  const Permission needs = needs_of(action);
  if (!who.user || !who.org || !who.session) {
    // A redeemed approval may outlive the session in which it was asked for.
    if (!(warranted && who.user && who.org)) return no("no signed-in person");
  }
  if (needs == Permission::anonymous || needs == Permission::agent || needs == Permission::system)
    return no("not an action of a session");
  if (!granted(who.role, needs))
    return no("role " + std::string(text(who.role)) + " lacks " + std::string(text(needs)));
  if (is_any<UnknownTool>(action)) return no("there is no such tool");
  if (auto r = operands(who, action)) return r;
  if (who.source == Source::pilot) return not_for_a_pilot(action, needs, warranted);
  if (is_any<ProposeAction, PilotReply>(action)) return no("only the pilot does " + std::string(name_of(action)));
  if (who.source == Source::api_token &&
      (needs == Permission::approval_decide || needs == Permission::member_manage || needs == Permission::own_session ||
       needs == Permission::key_rotate || needs_step_up(action)))
    return no("not with an API token");
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> refusal(const Principal& who, const AnyAction& action, bool warranted) {
  const Permission needs = needs_of(action);
  if (warranted && (who.source != Source::pilot || !unit_write(action))) return no("not what an approval is for");
  switch (who.source) {
    case Source::user:
    case Source::api_token:
    case Source::pilot: return for_person(who, action, warranted);
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
  return no("unknown source");
}

}  // namespace caip::authorization
