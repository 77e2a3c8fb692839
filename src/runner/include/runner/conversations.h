// runner/conversations.h: what people and the pilot said. Each conversation belongs to one
// person in one organisation; nobody else reads it, nor they themselves while they act elsewhere. Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/page.h"
#include "base/time.h"
#include "proofs/authorized.h"
#include "proofs/session.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::approvals { struct Approval; }

namespace caip::runner {

enum class Speaker : std::uint8_t { user, pilot, tool };
std::string_view text(Speaker) noexcept;

struct Message {
  MessageId id;
  ConversationId conversation;
  Speaker speaker = Speaker::user;
  std::string text;
  std::string label;  // who answered: "built-in, no model", a model's name
  std::optional<ApprovalId> approval;
  Instant at;
};
struct Conversation {
  ConversationId id;
  std::string title;
  Instant created_at;
  PilotMode mode = PilotMode::plan;
  std::vector<Message> messages;  // oldest first; empty in lists
};
json::object view(const Message&);
json::object view(const Conversation&, bool with_messages);

class Conversations final {
 public:
  Conversations(storage::Database&, audit::Ledger&, const Clock&);
  ~Conversations();
  // At start. on_ask: within the transaction that puts a conversation into Ask mode; ends what it waits for. What is given
  // follows once that is durable, and then on_mode.
  using OnAsk = std::function<Result<std::function<void()>>(storage::WriteTx&, const OrgId&, const UserId& by, const ConversationId&)>;
  void on_message(std::function<void(const OrgId&, const UserId&, const Message&)>);
  void on_ask(OnAsk);
  void on_mode(std::function<void(const OrgId&, const UserId&, const Conversation&)>);

  // Kept in memory until the first message: an empty conversation is nothing to log.
  Conversation create(const Session&, PilotMode = PilotMode::plan);
  Result<Conversation> set_mode(Authorized<SetPilotMode>&&);  // of one's own; without its messages
  // Of one that is not there: ask, the narrower one.
  static Result<PilotMode> mode_within(storage::Reader&, const ConversationId&);
  Result<PilotMode> mode(const ConversationId&) const;
  Result<Page<Conversation>> list(const Session&, const PageAsk&);  // newest first
  Result<Conversation> get(const Session&, const ConversationId&);
  // Neither while the organisation's AI is stopped (Code::ai_off), on the record.
  Result<Message> ask(Authorized<AskPilot>&&, const std::string& text);  // at most 8 KiB
  // `detail`: of the answer, for the log's entry.
  Result<Message> reply(Authorized<PilotReply>&&, const std::string& text, const std::string& label,
                        std::optional<ApprovalId>, json::object detail = {});
  // Within the transaction that ends an organisation: what was said in it.
  static Result<void> end_of(storage::WriteTx&, const OrgId&);
  // What became of a proposal, told to the pilot and its human; within the given transaction.
  Result<void> note(storage::WriteTx&, const approvals::Approval&);
  void noted(const approvals::Approval&);  // tell on_message once that is durable
  // The AI was stopped while it answered in these: says so there, within the transaction that stops it. What is given
  // tells on_message, once that is durable.
  Result<std::function<void()>> interrupt(storage::WriteTx&, const std::vector<ConversationId>&);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::runner
