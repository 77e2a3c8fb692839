#include "rows.h"

#include "base/text.h"

namespace caip::notifications {
namespace {

Result<std::vector<EventKind>> read_events(std::string_view s) {
  std::vector<EventKind> out;
  while (s.size() > 1) {
    s.remove_prefix(1);
    const auto comma = s.find(',');
    CAIP_TRY(kind, parse_event_kind(s.substr(0, comma)));
    out.push_back(kind);
    s.remove_prefix(std::min(comma, s.size()));
  }
  return out;
}

}  // namespace

std::string stored(const std::vector<EventKind>& events) {
  std::string out;
  for (const EventKind kind : events) (out += out.empty() ? "," : "") += std::string(text(kind)) + ",";
  return out;
}

Result<Channel> read_channel(const storage::Row& r) {
  CAIP_TRY(id, r.id<NotifyChannelId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(kind, parse_channel_kind(r.text_view(2)));
  CAIP_TRY(name, ChannelName::parse(r.text_view(3)));
  CAIP_TRY(config, parse_object(r.text_view(4)));
  CAIP_TRY(target, Target::parse(kind, config));
  CAIP_TRY(secret, r.optional_id<SecretId>(5));
  CAIP_TRY(previous, r.optional_id<SecretId>(6));
  CAIP_TRY(events, read_events(r.text_view(9)));
  return Channel{.id = id, .org = org, .name = std::move(name), .target = std::move(target), .secret = secret, .previous = previous,
                 .previous_until = r.optional_time(7), .routing = {static_cast<Severity>(r.integer(8)), std::move(events)}, .verified = r.boolean(10),
                 .paused = r.optional_text(11), .version = r.integer(12), .created = r.time(13)};
}

Result<std::optional<Channel>> find_channel(storage::Reader& tx, const OrgId& org, const NotifyChannelId& id) {
  CAIP_TRY(found, tx.one<Result<Channel>>("SELECT id, org, kind, name, config, secret, previous_secret, previous_until, min_severity, events, verified, paused,"
                                          " version, created FROM notify_channels WHERE org = ?1 AND id = ?2 AND deleted IS NULL",
                                          org, id, read_channel));
  if (!found) return std::optional<Channel>();
  CAIP_TRY(channel, *std::move(found));
  return std::optional<Channel>(std::move(channel));
}

Result<Notice> read_notice(const storage::Row& r, int from) {
  CAIP_TRY(id, r.id<NoticeId>(from + 1));
  CAIP_TRY(org, r.id<OrgId>(from + 2));
  CAIP_TRY(kind, parse_event_kind(r.text_view(from + 3)));
  CAIP_TRY(user, r.optional_id<UserId>(from + 4));
  return Notice{.seq = r.integer(from), .id = id, .org = org, .kind = kind, .user = user, .subject = r.text(from + 5), .link = r.text(from + 6),
                .created = r.time(from + 7), .read = false};
}

}  // namespace caip::notifications
