#include "approvals/ai_gates.h"

#include <algorithm>

namespace caip::approvals {
namespace {

Error off(std::string why) { return {Code::ai_off, std::move(why)}; }

std::optional<Error> stopped(const AiSettings& s) {
  if (s.on) return std::nullopt;
  return off("the AI of this organisation is stopped (setting: AI); an Owner or Admin switches it on again on the Pilot page or with caip ai start");
}

std::optional<Error> no_writes(const AiSettings& s) {
  if (s.writes) return std::nullopt;
  return off("the AI of this organisation proposes no changes (setting: write actions of the AI); an Owner or Admin allows them on the Pilot page or with caip ai allow-writes");
}

Error switched_off(std::string_view scope) {
  return off("the AI of this organisation does not propose " + std::string(scope) + " (setting: operations of the AI, " + std::string(scope) +
             "); an Owner or Admin allows it on the Pilot page or with caip ai allow " + std::string(scope));
}

std::optional<Error> not_this(const AiSettings& s, const AiOperation& o) {
  for (const std::string_view scope : {o.category, o.name})
    if (s.off.contains(scope)) return switched_off(scope);
  return std::nullopt;
}

std::optional<Error> not_there(AiAccess access) {
  if (access == AiAccess::full) return std::nullopt;
  if (access == AiAccess::none) return keeps_from_looking(access);
  return off("the AI may look at this server and proposes nothing on it (setting: AI access of the server, read); an Owner or Admin changes it on the server's page or with caip ai access");
}

std::optional<Error> not_in_production(const AiSettings& s, const AiWrite& w) {
  if (!w.production || !s.protects(w.now)) return std::nullopt;
  return off("this server counts as production, where the AI proposes nothing (setting: Production Protection, on); an Owner says on the server's page, or with caip server "
             "environment, that it is no production server, or switches the protection off for a while with caip ai unprotect");
}

}  // namespace

bool AiSettings::may(const AiOperation& o) const { return !off.contains(o.name) && !off.contains(o.category); }
bool AiSettings::protects(Instant now) const noexcept { return !unprotected || now < unprotected->since || now >= unprotected->until; }

std::vector<AiGate> gates(const AiSettings& s, const AiWrite& w) {
  return {{"AI", stopped(s)},
          {"write actions", no_writes(s)},
          {"operations", not_this(s, w.operation)},
          {"AI access of the server", not_there(w.access)},
          {"Production Protection", not_in_production(s, w)}};
}

std::optional<Error> keeps_from(const AiSettings& s, const AiWrite& w) {
  for (auto& gate : gates(s, w))
    if (gate.shut) return std::move(gate.shut);
  return std::nullopt;
}

std::optional<Error> keeps_from(const AiSettings& s, AiUse use) {
  if (auto no = stopped(s)) return no;
  if (use == AiUse::talk) return std::nullopt;
  if (auto no = no_writes(s)) return no;
  if (std::ranges::any_of(ai_operations(), [&](const AiOperation& o) { return s.may(o); })) return std::nullopt;
  return not_this(s, ai_operations().front());
}

std::optional<Error> keeps_from(PilotMode mode) {
  if (mode != PilotMode::ask) return std::nullopt;
  return off("this conversation is in Ask mode: the AI reads and explains, and proposes nothing (setting: mode of the conversation, ask); whose conversation it is switches it to Plan on the "
             "Pilot page or with caip pilot mode");
}

std::optional<Error> keeps_from_looking(AiAccess access) {
  if (access != AiAccess::none) return std::nullopt;
  return off("the AI has no access to this server (setting: AI access of the server, none); an Owner or Admin changes it on the server's page or with caip ai access");
}

const AiOperation* operation_of(const ServerAction& action) noexcept {
  const auto all = ai_operations();
  const auto name = std::visit([](const auto& a) { return a.kName; }, action);
  const auto found = std::ranges::find(all, name, &AiOperation::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace caip::approvals
