// web/events.h: server-sent events to everyone of an organisation who may see them.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "base/guarded.h"
#include "base/json.h"
#include "base/result.h"
#include "http/events.h"
#include "model/ids.h"
#include "model/permission.h"

namespace caip::web {

class Events {  // thread-safe; publish never blocks
 public:
  // Of one person, in all organisations and through all their tokens; and of all.
  static constexpr std::size_t kMostOfOne = 32, kMost = 4096;
  // A queue that gets what a session of this user that holds these may see. Code::too_many: so many are open already.
  Result<std::shared_ptr<http::EventQueue>> subscribe(const OrgId&, const UserId&, PermissionSet);
  void publish(const OrgId&, Permission needed, std::string_view name, const json::object& data);
  // Private to one person, while they act in that organisation, as far as they (their token) may.
  void publish_to(const OrgId&, const UserId&, Permission needed, std::string_view name, const json::object& data);
  // They may not be there any longer: what waits for them is dropped and their streams end, whoever still may opens another.
  void end_of(const OrgId&, const UserId&);
  std::size_t readers() const;

 private:
  struct Reader {
    OrgId org;
    UserId user;
    PermissionSet may;
    std::weak_ptr<http::EventQueue> queue;
  };
  template <class F>
  void send(F&& wanted, std::string_view name, const json::object& data);
  Guarded<std::vector<Reader>> readers_;
};

}  // namespace caip::web
