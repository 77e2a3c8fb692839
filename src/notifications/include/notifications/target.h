// notifications/target.h: where a channel leads, as far as it is no secret. Valid once it exists.
#pragma once
#include <cstdint>
#include <string>
#include <variant>

#include "base/json.h"
#include "crypto/secret.h"
#include "model/names.h"
#include "model/notification.h"

namespace caip::outbound { class Client; }

namespace caip::notifications {

struct MailTarget {
  std::string host;
  std::int64_t port;
  bool starttls;  // else TLS from the first byte
  std::string user;
  Email from, to;
};
struct TelegramTarget { std::string chat; };  // a number or @name
struct WebhookTarget { std::string url; };
struct IncomingTarget {};                     // Slack, Discord: the URL is the credential

class Target {
 public:
  // {"host","port","security","user","from","to"}, {"chat"}, {"url"} or {}.
  static Result<Target> parse(ChannelKind, const json::object&);
  json::object stored() const;  // parse() reads it again
  json::object view() const;    // for people and the log: of a URL its host, for tokens stand in paths, and a digest
  ChannelKind kind() const noexcept { return kind_; }
  const auto& where() const noexcept { return where_; }

 private:
  using Where = std::variant<MailTarget, TelegramTarget, WebhookTarget, IncomingTarget>;
  Target(ChannelKind kind, Where where) : kind_(kind), where_(std::move(where)) {}
  ChannelKind kind_;
  Where where_;
};

// Whether the credential has its kind's form: an incoming URL, a bot token, a whsec_ secret, a
// password. The client says which URLs go out at all.
Result<void> acceptable_credential(ChannelKind, const SecretBytes&, const outbound::Client&);
Result<void> acceptable_target(const Target&, const outbound::Client&);
bool needs_credential(ChannelKind) noexcept;  // mail may do without, a webhook's is made here

SecretBytes new_signing_secret();  // "whsec_…", 32 random bytes

}  // namespace caip::notifications
