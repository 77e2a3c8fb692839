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
  if (!running_.with([&](auto& all) { return all.try_emplace(id, Running{org, reply, source}).second; }))
    return fail(Code::in_progress, "the pilot is still answering");
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
pilot::Offer PilotDesk::offer(const OrgId& org) const {
  const auto settings = rooms_.ai.of(org);
  if (!settings || approvals::keeps_from(*settings, approvals::AiUse::propose)) return pilot::Offer::reads;
  const auto could = [&](const AiOperation& o) { return settings->may(o) && std::ranges::contains(pilot::proposable(), o.name); };
  return std::ranges::any_of(ai_operations(), could) ? pilot::Offer::all : pilot::Offer::reads;
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
  pilot::SendKey send_key;
  if (rooms_.send_provider_key)
    send_key = [&](int fd) -> Result<void> {
      CAIP_TRY(session, rooms_.sessions.still(job.session, job.org, job.user, job.origin));
      return rooms_.send_provider_key(session, job.conversation, fd);
    };
  auto answer = pilot::converse(client_, job.history, host, {.offer = offer(job.org), .on_text = on_text, .send_key = send_key, .stop = job.stopped});
  if (job.stopped.stop_requested()) return;  // said where it was stopped
  if (!answer) text = "The pilot could not answer: " + std::string(code_title(answer.error().code)) + ". " + answer.error().detail;
  else if (!answer->empty() && !answer->back().text.empty()) text = answer->back().text;
  // A message shows one card; further proposals get a message each.
  for (std::size_t i = 0; i + 1 < proposed.size(); ++i)
    if (auto r = reply(job, crypto::random_id<MessageId>(), "This waits for your decision.", proposed[i]); !r)
      log::warn("pilot reply not kept", {{"detail", r.error().detail}});
  std::optional<ApprovalId> last;
  if (!proposed.empty()) last = proposed.back();
  if (auto r = reply(job, job.reply, text, last); !r) log::warn("pilot reply not kept", {{"detail", r.error().detail}});
}

Result<void> PilotDesk::reply(const Job& job, const MessageId& id, const std::string& text, std::optional<ApprovalId> approval) {
  CAIP_TRY(session, rooms_.sessions.still(job.session, job.org, job.user, job.origin));
  CAIP_TRY(permit, permit_for(rooms_, session.as_pilot(), PilotReply{job.conversation, id}));
  CAIP_TRY(message, conversations_.reply(std::move(permit), text, client_.about().label, approval));
  return {};
}

}  // namespace caip::web
