#include "web/events.h"

#include <algorithm>

namespace caip::web {

namespace {

bool gone(const std::weak_ptr<http::EventQueue>& reader) {
  const auto queue = reader.lock();
  return !queue || queue->closed();
}

}  // namespace

Result<std::shared_ptr<http::EventQueue>> Events::subscribe(const OrgId& org, const UserId& user, PermissionSet may) {
  return readers_.with([&](std::vector<Reader>& list) -> Result<std::shared_ptr<http::EventQueue>> {
    std::erase_if(list, [](const Reader& r) { return gone(r.queue); });
    if (std::ranges::count(list, user, &Reader::user) >= static_cast<std::ptrdiff_t>(kMostOfOne) || list.size() >= kMost)
      return fail(Code::too_many, "too many event streams are open; close some of your pages or programs");
    auto queue = std::make_shared<http::EventQueue>();
    list.push_back(Reader{org, user, may, queue});
    return queue;
  });
}

template <class F>
void Events::send(F&& wanted, std::string_view name, const json::object& data) {
  http::EventQueue::Frame frame;
  readers_.with([&](std::vector<Reader>& list) {
    std::erase_if(list, [&](const Reader& reader) {
      auto queue = reader.queue.lock();
      if (!queue || queue->closed()) return true;
      if (!wanted(reader)) return false;
      if (!frame) frame = std::make_shared<const std::string>(http::event_frame(name, json::serialize(data)));
      return !queue->push(frame);
    });
  });
}

void Events::publish(const OrgId& org, Permission needed, std::string_view name, const json::object& data) {
  send([&](const Reader& r) { return r.org == org && r.may.has(needed); }, name, data);
}

void Events::publish_to(const OrgId& org, const UserId& user, Permission needed, std::string_view name, const json::object& data) {
  send([&](const Reader& r) { return r.org == org && r.user == user && r.may.has(needed); }, name, data);
}

void Events::end_of(const OrgId& org, const UserId& user) {
  readers_.with([&](std::vector<Reader>& list) {
    std::erase_if(list, [&](const Reader& r) {
      if (r.org != org || r.user != user) return false;
      if (auto queue = r.queue.lock()) queue->end();
      return true;
    });
  });
}

std::size_t Events::readers() const {
  return readers_.with([](const auto& list) { return list.size(); });
}

}  // namespace caip::web
