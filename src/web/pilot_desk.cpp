#include "web/pilot_desk.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "approvals/ai_controls.h"
#include "auth/sessions.h"
#include "base/log.h"
#include "crypto/random.h"
#include "permits.h"
#include "pilot/client.h"
#include "pilot/tools.h"
#include "runner/conversations.h"
#include "runner/pilot_tools.h"

namespace caip::web {

struct PilotDesk::Answerer {
  std::optional<pilot::Provider> provider;  // none: the client's own
  std::string label;
  pilot::SendKey send_key;
  std::function<Result<void>()> unchanged;  // it is still who answers
};

struct PilotDesk::Said {
  MessageId id;
  std::string text, label;
  std::optional<ApprovalId> approval;
  json::object detail = {};
};

struct PilotDesk::Job {
  OrgId org;
  UserId user;
  SessionId session;
  Origin origin;
  ConversationId conversation;
  MessageId reply;
  std::vector<pilot::Message> history;
  std::stop_token stopped;
};

namespace {

constexpr std::string_view kStepsPerRun = "steps_per_run";

std::vector<pilot::Message> history_of(const runner::Conversation& c) {
  std::vector<pilot::Message> out;
  for (const auto& m : c.messages) {
    // What became of a proposal was said by us; to the model it is part of its side.
    auto who = m.speaker == runner::Speaker::user ? pilot::Speaker::user : pilot::Speaker::pilot;
    out.push_back(pilot::Message{.speaker = who, .text = m.text, .calls = {}, .call_id = {}});
  }
  return out;
}

}  // namespace

PilotDesk::PilotDesk(const Rooms& rooms, pilot::PilotClient& client, runner::Conversations& conversations, runner::PilotTools& tools)
    : rooms_(rooms), client_(client), conversations_(conversations), tools_(tools) {}
PilotDesk::~PilotDesk() { stop(); }

void PilotDesk::stop() {
  client_.stop();
  pool_.stop();
  pool_.join();
}

bool PilotDesk::busy(const ConversationId& id) const {
  return running_.with([&](const auto& all) { return all.contains(id); });
}

std::vector<ConversationId> PilotDesk::end_of(const OrgId& org) {
  return running_.with([&](auto& all) {
    std::vector<ConversationId> ended;
    std::erase_if(all, [&](auto& one) {
      if (one.second.org != org) return false;
      one.second.stop.request_stop();
      ended.push_back(one.first);
      return true;
    });
    return ended;
  });
}

// First it can be ended, then it is asked whether it may be at all: of a stop in between, one of the two takes notice.
Result<std::stop_token> PilotDesk::begin(const OrgId& org, const ConversationId& id, const MessageId& reply) {
  const std::stop_source source;
  const auto began = running_.with([&](auto& all) -> Result<void> {
    if (std::ranges::count_if(all, [&](const auto& one) { return one.second.org == org; }) >= static_cast<std::ptrdiff_t>(kMostOfOne))
      return fail(Code::too_many, "the Pilot answers " + std::to_string(kMostOfOne) + " questions of this organisation already; try again in a moment");
    if (!all.try_emplace(id, Running{org, reply, source}).second) return fail(Code::in_progress, "the pilot is still answering");
    return {};
  });
  if (!began) return std::unexpected(began.error());
  auto settings = rooms_.ai.of(org);
  auto off = settings ? approvals::keeps_from(*settings, approvals::AiUse::talk) : std::optional<Error>(settings.error());
  if (!off) return source.get_token();
  end(id, reply);
  return std::unexpected(*std::move(off));
}

void PilotDesk::end(const ConversationId& id, const MessageId& reply) {
  running_.with([&](auto& all) {
    const auto it = all.find(id);
    if (it != all.end() && it->second.reply == reply) all.erase(it);  // not that of a later question
  });
}

Result<MessageId> PilotDesk::answer(const Session& session, Origin origin, const ConversationId& id) {
  CAIP_TRY(conversation, conversations_.get(session, id));
  const auto reply = crypto::random_id<MessageId>();
  CAIP_TRY(stopped, begin(session.org(), id, reply));
  origin.command.reset();  // the command was the question; what the pilot does for it are acts of their own
  Job job{session.org(), session.user(), session.id(), std::move(origin), id, reply, history_of(conversation), std::move(stopped)};
  boost::asio::post(pool_, [this, job = std::move(job)] {
    run(job);
    end(job.conversation, job.reply);
  });
  return reply;
}

// What is switched off later is refused when it is called.
pilot::Offer PilotDesk::offer(const OrgId& org, const ConversationId& id) const {
  const auto settings = rooms_.ai.of(org);
  if (conversations_.mode(id).value_or(PilotMode::ask) == PilotMode::ask) return pilot::Offer::asks;
  if (!settings || approvals::keeps_from(*settings, approvals::AiUse::propose)) return pilot::Offer::reads;
  const auto could = [&](const AiOperation& o) { return settings->may(o) && std::ranges::contains(pilot::proposable(), o.name); };
  return std::ranges::any_of(ai_operations(), could) ? pilot::Offer::all : pilot::Offer::reads;
}

std::size_t PilotDesk::steps(const OrgId& org) const {
  const auto limit = AiLimit::parse(kStepsPerRun);
  const auto settings = rooms_.ai.of(org);
  return static_cast<std::size_t>(limit && settings ? settings->limit(*limit) : 1);
}

pilot::Provider PilotDesk::for_pilot(const approvals::AiProvider& p) {
  return {.base_url = p.base_url, .model = p.model, .api_key_file = {}, .max_tokens_field = p.vendor == AiVendor::openai_compatible ? "max_tokens" : "max_completion_tokens",
          .max_tokens = p.max_tokens, .vendor = p.vendor};
}

pilot::About PilotDesk::about(const OrgId& org) const {
  const auto set = rooms_.ai.provider(org);
  return set && *set ? pilot::about(for_pilot(**set)) : client_.about();
}

// One at a time for an organisation and two altogether: whoever has a provider that does not answer holds a worker for so long.
class PilotDesk::Tested {
 public:
  Tested(Guarded<std::set<OrgId>>& all, const OrgId& org) : all_(all), org_(org) {
    taken_ = all_.with([&](auto& set) { return set.size() < kMostTests && set.insert(org_).second; });
  }
  Tested(const Tested&) = delete;
  Tested& operator=(const Tested&) = delete;
  ~Tested() {
    if (taken_) all_.with([&](auto& set) { set.erase(org_); });
  }
  bool taken() const { return taken_; }

 private:
  static constexpr std::size_t kMostTests = 2;
  Guarded<std::set<OrgId>>& all_;
  OrgId org_;
  bool taken_ = false;
};

Result<std::vector<std::string>> PilotDesk::models(const Session& asked, Origin origin, const approvals::AiProvider& p) {
  const Tested one(testing_, asked.org());
  if (!one.taken()) return fail(Code::too_many, "another connection is being tested; try again in a moment");
  origin.command.reset();  // the command was the test, which is in the log by now; that the key is used for it is an act of its own
  CAIP_TRY(session, rooms_.sessions.still(asked.id(), asked.org(), asked.user(), origin));
  pilot::SendKey send_key;
  if (p.secret) send_key = [&](int fd) { return rooms_.send_key(session, *p.secret, TestAiProvider::kName, "", fd); };
  return client_.models(for_pilot(p), send_key);
}

// Who answers this one, and how the key gets there: read once an answer.
Result<PilotDesk::Answerer> PilotDesk::answerer(const Job& job) {
  CAIP_TRY(set, rooms_.ai.provider(job.org));
  Answerer out{set ? std::optional(for_pilot(*set)) : std::nullopt, (set ? pilot::about(for_pilot(*set)) : client_.about()).label, {}, {}};
  out.unchanged = [this, org = job.org, began = set ? set->changed_at : std::nullopt]() -> Result<void> {
    CAIP_TRY(now, rooms_.ai.provider(org));
    if ((now ? now->changed_at : std::nullopt) == began) return {};
    return fail(Code::unavailable, "the provider was changed while it answered; ask again");
  };
  // Each turn anew: neither the talk nor a key that was replaced goes to an address that was taken away meanwhile.
  const auto still = [this, &job, unchanged = out.unchanged]() -> Result<Session> {
    CAIP_CHECKED(unchanged());
    return rooms_.sessions.still(job.session, job.org, job.user, job.origin);
  };
  if (set && set->secret)
    out.send_key = [this, &job, still, secret = *set->secret](int fd) -> Result<void> {
      CAIP_TRY(session, still());
      return rooms_.send_key(session, secret, AskPilot::kName, job.conversation.str(), fd);
    };
  if (!set && rooms_.send_provider_key)
    out.send_key = [this, &job, still](int fd) -> Result<void> {
      CAIP_TRY(session, still());
      return rooms_.send_provider_key(session, job.conversation, fd);
    };
  return out;
}

// The call that was one step too many, on the record.
void PilotDesk::refuse(const Job& job, const std::string& tool, std::size_t steps) {
  const auto noted = [&]() -> Result<void> {
    CAIP_TRY(session, rooms_.sessions.still(job.session, job.org, job.user, job.origin));
    return rooms_.refuse(Denied{CallTool{job.conversation, Foreign(tool, 64)}, session.as_pilot().principal(), Code::ai_limit,
                                "the answer reached its limit of " + std::to_string(steps) + " steps (setting: steps_per_run)"});
  }();
  if (!noted) log::warn("a refused call is not in the log", {{"detail", noted.error().detail}});
}

void PilotDesk::run(const Job& job) {
  std::vector<ApprovalId> proposed;
  pilot::ToolHost host = [&](std::string_view tool, const json::object& arguments) -> Result<json::object> {
    CAIP_TRY(session, rooms_.sessions.still(job.session, job.org, job.user, job.origin));
    auto result = tools_.call(session, job.conversation, tool, json::serialize(arguments));
    if (result.approval) proposed.push_back(*result.approval);
    return result.value;
  };
  pilot::OnText on_text = [&](const Foreign& text) {
    if (job.stopped.stop_requested()) return;
    rooms_.events.publish_to(job.org, job.user, Permission::pilot_view, "pilot.delta", json::object{{"conversation_id", job.conversation.str()},
                                                                   {"message_id", job.reply.str()}, {"text", text.raw()}});
  };
  std::string text = "The pilot gave no answer.";
  const auto who = answerer(job);
  const std::string label = who ? who->label : std::string();
  auto answer = who ? pilot::converse(client_, job.history, host, {.provider = who->provider, .offer = offer(job.org, job.conversation), .steps = steps(job.org), .on_text = on_text,
                                                                   .send_key = who->send_key, .before_turn = who->unchanged, .stop = job.stopped})
                    : Result<pilot::Answer>(std::unexpected(who.error()));
  if (job.stopped.stop_requested()) return;  // said where it was stopped
  if (!answer) text = "The pilot could not answer: " + std::string(code_title(answer.error().code)) + ". " + answer.error().detail;
  else if (!answer->messages.empty() && !answer->messages.back().text.empty()) text = answer->messages.back().text;
  json::object detail;
  if (answer) detail["steps"] = answer->steps;
  if (answer && answer->beyond) refuse(job, *answer->beyond, answer->steps);
  // A message shows one card; further proposals get a message each.
  for (std::size_t i = 0; i + 1 < proposed.size(); ++i)
    if (auto r = reply(job, {crypto::random_id<MessageId>(), "This waits for your decision.", label, proposed[i]}); !r)
      log::warn("pilot reply not kept", {{"detail", r.error().detail}});
  std::optional<ApprovalId> last;
  if (!proposed.empty()) last = proposed.back();
  if (auto r = reply(job, {job.reply, text, label, last, std::move(detail)}); !r) log::warn("pilot reply not kept", {{"detail", r.error().detail}});
}

Result<void> PilotDesk::reply(const Job& job, Said said) {
  CAIP_TRY(session, rooms_.sessions.still(job.session, job.org, job.user, job.origin));
  CAIP_TRY(permit, permit_for(rooms_, session.as_pilot(), PilotReply{job.conversation, said.id}));
  CAIP_TRY(message, conversations_.reply(std::move(permit), said.text, said.label, said.approval, std::move(said.detail)));
  return {};
}

}  // namespace caip::web
