#include "model/notification.h"

#include <array>
#include <string>
#include <utility>

namespace caip {
namespace {

using enum EventKind;
using enum Severity;
using enum Reach;
using P = Permission;

constexpr std::array<EventFacts, 24> kEvents{{
    {approval_waiting, "approval.waiting", warning, P::approval_view, everywhere, "Approval needed", "The pilot proposes {}. It waits for a decision."},
    {approval_decided, "approval.decided", info, P::approval_view, everywhere, "Approval decided", "Decided: {}."},
    {approval_expired, "approval.expired", info, P::approval_view, everywhere, "Approval ended", "Ended without being carried out: {}."},
    {ai_changed, "ai.changed", warning, P::pilot_view, everywhere, "AI switched", "{}."},
    {production_protection, "production.protection", critical, P::ai_control, everywhere, "Production Protection", "{}."},
    {operation_failed, "operation.failed", warning, P::server_view, everywhere, "Operation failed", "It did not work: {}."},
    {server_offline, "server.offline", critical, P::server_view, everywhere, "Server offline", "Not connected any more: {}."},
    {server_back, "server.back", info, P::server_view, everywhere, "Server back", "Connected again: {}."},
    {server_disconnected, "server.disconnected", warning, P::server_view, everywhere, "Server disconnected", "{}."},
    {server_key_changed, "server.key_changed", warning, P::server_view, everywhere, "Server's key", "{}."},
    {server_quarantined, "server.quarantined", critical, P::server_view, everywhere, "A server's identity is in doubt", "{}."},
    {site_deleted, "site.deletion", warning, P::site_view, everywhere, "Deletion of a site", "{}."},
    {log_contradicted, "log.contradicted", critical, P::audit_view, everywhere, "A server contradicts the log",
     "What the server {} was shown of the log contradicts what it had seen before. Compare the log with an export of yours."},
    {member_added, "member.added", info, P::member_view, everywhere, "Member added", "New in the organisation: {}."},
    {role_changed, "member.role_changed", warning, P::member_view, everywhere, "Role changed", "Another role: {}."},
    {member_removed, "member.removed", warning, P::member_view, everywhere, "Member removed", "Not in the organisation any more: {}."},
    {member_disabled, "member.disabled", warning, P::member_view, everywhere, "Member's access changed", "{}."},
    {new_sign_in, "account.new_sign_in", warning, P::own_session, everywhere, "New sign-in", "A sign-in from a device or place not seen before: {}."},
    {credential_changed, "account.credential_changed", warning, P::own_session, everywhere, "Account changed", "A way to sign in was changed: {}."},
    {organization_ends, "organization.deletion", critical, P::member_view, everywhere, "Deletion of the organisation", "{}."},
    {key_rotated, "key.rotated", info, P::key_view, everywhere, "Key rotated", "A new key is in use: {}."},
    {delivery_failed, "notification.failed", warning, P::notification_manage, in_app, "Notification not delivered",
     "It could not be delivered and was given up: {}."},
    {test, "notification.test", info, P::notification_manage, one_channel, "Test", "This is a test of the notification channel {}."},
    {verification, "notification.verification", info, P::notification_manage, one_channel, "Confirm this address", "The code for the channel {}:"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kEvents.size(); ++i)
    if (std::to_underlying(kEvents.at(i).kind) != i) return false;
  return true;
}
static_assert(in_order());

template <class E, std::size_t N>
Result<E> parse_one(std::string_view name, const std::array<E, N>& all, std::string_view what) {
  for (const E e : all)
    if (text(e) == name) return e;
  std::string said(what);
  for (std::size_t i = 0; i < N; ++i) (said += i == 0 ? " is " : i + 1 == N ? " or " : ", ") += text(all.at(i));
  return fail(Code::invalid, std::move(said));
}

}  // namespace

std::span<const EventFacts> all_events() noexcept { return kEvents; }
const EventFacts& facts(EventKind kind) noexcept { return kEvents.at(std::to_underlying(kind)); }
std::string_view text(EventKind kind) noexcept { return facts(kind).name; }

std::string_view text(Severity s) noexcept {
  switch (s) {
    case info: return "info";
    case warning: return "warning";
    case critical: break;
  }
  return "critical";
}

std::string_view text(ChannelKind kind) noexcept {
  switch (kind) {
    case ChannelKind::email: return "email";
    case ChannelKind::slack: return "slack";
    case ChannelKind::discord: return "discord";
    case ChannelKind::telegram: return "telegram";
    case ChannelKind::webhook: break;
  }
  return "webhook";
}

std::string_view text(DeliveryState state) noexcept {
  switch (state) {
    case DeliveryState::queued: return "queued";
    case DeliveryState::delivered: return "delivered";
    case DeliveryState::dead: return "dead";
    case DeliveryState::dropped: break;
  }
  return "dropped";
}

Result<EventKind> parse_event_kind(std::string_view name) {
  for (const auto& e : kEvents)
    if (e.name == name) return e.kind;
  return fail(Code::invalid, "no such event; see doc/notifications.md");
}
Result<Severity> parse_severity(std::string_view name) { return parse_one(name, std::array{info, warning, critical}, "a severity"); }
Result<ChannelKind> parse_channel_kind(std::string_view name) {
  using enum ChannelKind;
  return parse_one(name, std::array{email, slack, discord, telegram, webhook}, "a kind of channel");
}
Result<DeliveryState> parse_delivery_state(std::string_view name) {
  using enum DeliveryState;
  return parse_one(name, std::array{queued, delivered, dead, dropped}, "a state");
}

}  // namespace caip
