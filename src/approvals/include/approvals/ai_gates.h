// approvals/ai_gates.h: what stands between an organisation's AI and a write, before anybody's rights are looked at: one list,
// asked in its order, the same wherever it is asked. Plain values; who reads them from the database is AiControls.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/actions.h"

namespace caip::approvals {

enum class AiUse : std::uint8_t {
  talk,     // a question, an answer, a look
  propose,  // what may lead to a write
};

inline constexpr Duration kLongestUnprotected = std::chrono::hours(24);

// Production Protection is off from `since` until `until`, and at no other time, whatever the clock was set to.
struct Unprotected {
  Instant since, until;
  UserId by;
  std::string reason;
};

struct AiSettings {
  bool on = true;
  bool writes = true;
  std::optional<UserId> changed_by = {};  // of these two; none: nobody has switched anything
  std::optional<Instant> changed_at = {};
  std::set<std::string, std::less<>> off = {};  // categories and operations that it may not propose (AiScope)
  std::optional<Unprotected> unprotected = {};
  bool second_person = false;  // has to say yes too, on production servers and to what is destructive
  std::map<std::string, std::int64_t, std::less<>> limits = {};  // by name; what is not there is as it is unset
  std::int64_t limit(const AiLimit& l) const { return limits.contains(l.str()) ? limits.at(l.str()) : l.row().unset; }
  bool may(const AiOperation&) const;       // neither it nor its category is off
  bool protects(Instant now) const noexcept;  // production servers from it
};

// One write on one server. `operation` is one of ai_operations().
struct AiWrite {
  AiOperation operation;
  AiAccess access = AiAccess::none;
  bool production = true;
  Instant now;
};

struct AiGate {
  std::string_view setting;
  std::optional<Error> shut;  // Code::ai_off: names the setting, and who changes it where
};
// All of them, in order: AI, write actions, operations, access to the server, Production Protection.
std::vector<AiGate> gates(const AiSettings&, const AiWrite&);
// The first that is shut; nullopt: none.
std::optional<Error> keeps_from(const AiSettings&, const AiWrite&);

// Where no server is in question yet. propose: whether any write could be proposed anywhere.
std::optional<Error> keeps_from(const AiSettings&, AiUse);
// The mode of the conversation that a proposal comes from (setting: mode of the conversation); after all of the above.
std::optional<Error> keeps_from(PilotMode);
// A look at one server (setting: AI access). Of `none` it is for people and the log: to the AI there is no such server.
std::optional<Error> keeps_from_looking(AiAccess);

const AiOperation* operation_of(const ServerAction&) noexcept;  // nullptr: it reads

}  // namespace caip::approvals
