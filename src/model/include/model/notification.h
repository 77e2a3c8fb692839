// model/notification.h: what people are told about, as one table: a new event is a line in
// notification.cpp. Texts are literals with one place ({}) for what the event is about.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "model/permission.h"

namespace caip {

enum class EventKind : std::uint8_t {
  approval_waiting, approval_decided, approval_expired,
  ai_changed,  // stopped, on again, with or without writes
  production_protection,  // what keeps the AI from production servers: off until a date, on again; a server is none any more
  operation_failed, server_offline, server_back,
  server_disconnected,  // a date is set for it, taken back, or has come
  server_key_changed,  // its agent's key was revoked, replaced, or came back after its certificate had ended
  server_quarantined,  // two held one key, or a key came that is worth nothing any more
  site_deleted,  // a date is set for it, taken back, near, or has come
  log_contradicted,
  member_added, role_changed, member_removed, member_disabled, new_sign_in, credential_changed,
  organization_ends,  // a date is set for it, or taken back
  key_rotated,
  delivery_failed,  // of another notification
  test, verification,  // to one channel, because somebody asked
};

enum class Severity : std::uint8_t { info, warning, critical };
enum class ChannelKind : std::uint8_t { email, slack, discord, telegram, webhook };
enum class DeliveryState : std::uint8_t { queued, delivered, dead, dropped };  // dropped: its channel was deleted

enum class Reach : std::uint8_t {
  everywhere,  // in-app and the channels whose routing wants it
  in_app,      // no channel: a message about a broken channel would break in turn
  one_channel,
};

struct EventFacts {
  EventKind kind;
  std::string_view name;  // "approval.waiting", as the API has it
  Severity severity;
  Permission audience;    // who sees it in-app; own_session: an event about one person is for them alone
  Reach reach;
  std::string_view title;
  std::string_view sentence;
};

std::span<const EventFacts> all_events() noexcept;  // in the order of the enum
const EventFacts& facts(EventKind) noexcept;
std::string_view text(EventKind) noexcept;
std::string_view text(Severity) noexcept;
std::string_view text(ChannelKind) noexcept;
std::string_view text(DeliveryState) noexcept;
Result<EventKind> parse_event_kind(std::string_view);
Result<Severity> parse_severity(std::string_view);
Result<ChannelKind> parse_channel_kind(std::string_view);
Result<DeliveryState> parse_delivery_state(std::string_view);

}  // namespace caip
