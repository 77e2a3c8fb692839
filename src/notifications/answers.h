// What a service's answer means for a delivery. Private. Outcomes are our own words: what a service
// writes may be anything, also the credential it was sent.
#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "model/notification.h"
#include "outbound/client.h"

namespace caip::notifications {

enum class Verdict : std::uint8_t {
  delivered,
  again,    // by the schedule
  wait,     // by the service's own word: not before `wait`, and the whole channel with it
  never,    // no other try will do
  gone,     // nor for any other message: the channel is paused
};

struct Answer {
  Verdict verdict;
  std::string words;
  std::optional<Duration> wait = {};
};

Answer answer_of(ChannelKind, const Result<outbound::Response>&);
Answer answer_of(const Result<outbound::MailOutcome>&);

}  // namespace caip::notifications
