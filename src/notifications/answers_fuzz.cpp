// What a service may answer, and what a form may say about where a channel leads.
#include "answers.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "notifications/target.h"

constexpr std::array kStatuses{200, 204, 302, 400, 401, 403, 404, 410, 429, 500, 503};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  using namespace caip::notifications;
  if (size < 2) return 0;
  const auto kind = static_cast<ChannelKind>(data[0] % 5);
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  outbound::Response r;
  r.status = kStatuses.at(data[1] % kStatuses.size());
  r.body = text;
  const Answer a = answer_of(kind, Result<outbound::Response>(std::move(r)));
  if (a.wait && (*a.wait < Duration(0) || *a.wait > std::chrono::hours(1))) std::abort();
  if (a.words.empty() || a.words.size() > 200) std::abort();
  if (const auto object = parse_object(text))
    if (const auto target = Target::parse(kind, *object))
      if (!Target::parse(kind, target->stored())) std::abort();  // what was stored is read again
  return 0;
}
