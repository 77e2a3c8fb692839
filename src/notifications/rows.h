// Rows of the notification tables. Private.
#pragma once
#include "notifications/channels.h"
#include "notifications/notice.h"
#include "storage/tx.h"

namespace caip::notifications {

// id, org, kind, name, config, secret, previous_secret, previous_until, min_severity, events, verified, paused, version, created
Result<Channel> read_channel(const storage::Row&);
Result<std::optional<Channel>> find_channel(storage::Reader&, const OrgId&, const NotifyChannelId&);
std::string stored(const std::vector<EventKind>&);

// seq, id, org, kind, user, subject, link, created from column `from` on
Result<Notice> read_notice(const storage::Row&, int from = 0);

}  // namespace caip::notifications
