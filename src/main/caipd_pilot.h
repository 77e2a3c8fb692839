// caipd_pilot.h: what is told of conversations, what ends with their mode, and a key on its way to the process that talks to a provider.
#pragma once
#include <sys/socket.h>

#include <cerrno>

#include "approvals/gate.h"
#include "crypto/secret.h"
#include "runner/conversations.h"
#include "web/events.h"

namespace caip::main {

// A secret's bytes and a line end, from where they are straight into the socket.
inline Result<void> write_line(int fd, const SecretBytes& secret) {
  bool sent = false;
  secret.expose(Use::named_use, [&](BytesView b) {
    const auto all = [fd](const void* from, std::size_t size) {
      for (const char* p = static_cast<const char*>(from); size > 0;) {
        const ssize_t n = ::send(fd, p, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        size -= static_cast<std::size_t>(n);
      }
      return true;
    };
    sent = all(b.data(), b.size()) && all("\n", 1);
  });
  if (!sent) return fail(Code::unavailable, "the pilot's process is gone");
  return {};
}

inline void wire_conversations(runner::Conversations& conversations, approvals::ApprovalGate& gate, web::Events& events) {
  conversations.on_message([&events](const OrgId& org, const UserId& user, const runner::Message& m) {
    events.publish_to(org, user, Permission::pilot_view, "pilot.message", {{"conversation_id", m.conversation.str()}, {"message", runner::view(m)}});
  });
  conversations.on_mode([&events](const OrgId& org, const UserId& user, const runner::Conversation& c) {
    events.publish_to(org, user, Permission::pilot_view, "pilot.mode", {{"conversation_id", c.id.str()}, {"mode", text(c.mode)}});
  });
  conversations.on_ask([&gate](storage::WriteTx& tx, const OrgId& org, const UserId& by, const ConversationId& id) -> Result<std::function<void()>> {
    constexpr const char* kWhy = "the conversation is in Ask mode now";
    const approvals::Which of_it = [id](const approvals::Approval& a) { return a.conversation == id; };
    CAIP_CHECKED(approvals::ApprovalGate::hold(tx, org, kWhy, of_it));
    return gate.deny_all(tx, org, by, kWhy, of_it);
  });
}

}  // namespace caip::main
