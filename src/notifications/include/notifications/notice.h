// notifications/notice.h: one event as it is told.
#pragma once
#include <optional>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/notification.h"

namespace caip::notifications {

struct Notice {
  std::int64_t seq = 0;
  NoticeId id;
  OrgId org;
  EventKind kind;
  std::optional<UserId> user;  // for this person alone
  std::string subject;
  std::string link;
  Instant created;
  bool read = false;

  std::string text() const;  // the sentence about its subject
};

json::object view(const Notice&);

}  // namespace caip::notifications
