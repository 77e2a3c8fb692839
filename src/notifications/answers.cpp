#include "answers.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace caip::notifications {
namespace {

constexpr Duration kLongestWait = std::chrono::hours(1);

// retry_after: Discord's in the body, in seconds with a fraction; Telegram's under "parameters".
std::optional<double> seconds_in(const json::object& o) {
  const auto* v = o.if_contains("retry_after");
  if (v == nullptr || !v->is_number()) return std::nullopt;
  const double s = v->to_number<double>();
  return std::isfinite(s) && s > 0 ? std::optional(s) : std::nullopt;
}

std::optional<Duration> wait_of(const outbound::Response& r) {
  std::optional<double> seconds;
  if (r.retry_after) seconds = static_cast<double>(r.retry_after->count());
  if (const auto body = parse_object(r.body)) {
    if (auto s = seconds_in(*body)) seconds = s;
    if (const auto* p = body->if_contains("parameters"); p != nullptr && p->is_object())
      if (auto s = seconds_in(p->get_object())) seconds = s;
  }
  if (!seconds) return std::nullopt;
  const double most = std::chrono::duration<double>(kLongestWait).count();
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(*seconds, most)));
}

std::string answered(int status) { return "the server answered " + std::to_string(status); }

// Telegram says "ok" besides the status.
bool telegram_said_ok(const outbound::Response& r) {
  const auto body = parse_object(r.body);
  const auto* ok = body ? body->if_contains("ok") : nullptr;
  return ok != nullptr && ok->is_bool() && ok->get_bool();
}

Answer refused_by_chat(int status) {
  switch (status) {
    case 400: return {Verdict::never, "the message or the chat was refused (400)"};
    case 401: return {Verdict::never, "the credential was refused (401)"};
    case 403: return {Verdict::never, "the service does not let us write there (403)"};
    case 404: return {Verdict::never, "there is no such webhook or chat (404): its URL or token is no longer valid"};
    default: return {Verdict::again, answered(status)};
  }
}

}  // namespace

Answer answer_of(ChannelKind kind, const Result<outbound::Response>& got) {
  if (!got) {
    const bool final = got.error().code == Code::forbidden || got.error().code == Code::invalid;
    return {final ? Verdict::never : Verdict::again, got.error().detail};
  }
  const int status = got->status;
  if (status >= 200 && status < 300) {
    if (kind == ChannelKind::telegram && !telegram_said_ok(*got)) return {Verdict::again, "the service did not confirm"};
    return {Verdict::delivered, answered(status)};
  }
  if (status == 410) return {Verdict::gone, "the receiver wants no more (410)"};
  if (status == 429 || status == 503) {
    const auto wait = wait_of(*got);
    return {wait ? Verdict::wait : Verdict::again, status == 429 ? "too many messages (429)" : answered(status), wait};
  }
  if (status >= 300 && status < 400) return {Verdict::again, answered(status) + ", a redirect, which is not followed"};
  if (kind == ChannelKind::webhook) return {Verdict::again, answered(status)};
  return refused_by_chat(status);
}

Answer answer_of(const Result<outbound::MailOutcome>& got) {
  if (!got) {
    const bool final = got.error().code == Code::forbidden || got.error().code == Code::invalid || got.error().code == Code::bad_credentials;
    return {final ? Verdict::never : Verdict::again, got.error().detail};
  }
  if (got->code < 300) return {Verdict::delivered, "the mail server took it (250)"};
  const std::string words = "the mail server answered " + std::to_string(got->code);
  return {got->code >= 500 ? Verdict::never : Verdict::again, words};
}

}  // namespace caip::notifications
