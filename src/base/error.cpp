#include "base/error.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/result.h"

namespace caip {
namespace {

struct Row {
  Code code;
  std::string_view text;
  std::string_view title;
  int status;
};

// In the order of the enum; row() asserts that it stays so.
constexpr std::array kRows{
    Row{Code::malformed, "malformed", "The request could not be read", 400},
    Row{Code::unknown_member, "unknown_member", "The request has a member that is not known", 400},
    Row{Code::missing_idempotency_key, "missing_idempotency_key", "The Idempotency-Key header is missing", 400},
    Row{Code::unauthenticated, "unauthenticated", "Sign in first", 401},
    Row{Code::bad_credentials, "bad_credentials", "Not accepted", 401},
    Row{Code::forbidden, "forbidden", "You may not do this", 403},
    Row{Code::csrf, "csrf", "The request came from another site", 403},
    Row{Code::step_up_needed, "step_up_needed", "Show once more that it is you", 403},
    Row{Code::not_found, "not_found", "There is no such thing", 404},
    Row{Code::method_not_allowed, "method_not_allowed", "This address does not take that method", 405},
    Row{Code::conflict, "conflict", "This does not fit the present state", 409},
    Row{Code::already_decided, "already_decided", "This approval has been decided", 409},
    Row{Code::in_progress, "in_progress", "The same request is still running", 409},
    Row{Code::already_done, "already_done", "This request was carried out already", 409},
    Row{Code::expired, "expired", "This has expired", 410},
    Row{Code::precondition_failed, "precondition_failed", "It has changed since you read it", 412},
    Row{Code::too_large, "too_large", "The request is too large", 413},
    Row{Code::unsupported_media, "unsupported_media", "This content type is not supported", 415},
    Row{Code::invalid, "invalid", "A value is not acceptable", 422},
    Row{Code::digest_mismatch, "digest_mismatch", "The proposal is not the one you saw", 422},
    Row{Code::key_reused, "key_reused", "The Idempotency-Key was used for another request", 422},
    Row{Code::precondition_required, "precondition_required", "The If-Match header is missing", 428},
    Row{Code::too_many, "too_many", "Too many attempts; wait a little", 429},
    Row{Code::approval_needed, "approval_needed", "The AI may only propose this", 403},
    Row{Code::ai_off, "ai_off", "The AI is switched off for this", 403},
    Row{Code::ai_limit, "ai_limit", "A limit of the AI is reached", 429},
    Row{Code::server_offline, "server_offline", "The server's agent is not connected", 503},
    Row{Code::unavailable, "unavailable", "Not available just now", 503},
    Row{Code::timeout, "timeout", "No answer in time", 504},
    Row{Code::storage_failed, "storage_failed", "The change could not be stored", 500},
    Row{Code::storage_full, "storage_full", "The disk is full; nothing was changed", 507},
    Row{Code::storage_read_only, "storage_read_only", "The disk takes no writes; nothing was changed", 503},
    Row{Code::internal, "internal", "Something went wrong here", 500},
};

const Row& row(Code code) noexcept {
  const Row& r = kRows.at(std::to_underlying(code));
  CAIP_ASSERT(r.code == code);
  return r;
}

}  // namespace

std::string_view code_text(Code code) noexcept { return row(code).text; }
std::string_view code_title(Code code) noexcept { return row(code).title; }
int code_status(Code code) noexcept { return row(code).status; }

void assertion_failed(const char* expr, const char* file, int line) noexcept {
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expr, file, line);
  std::abort();
}

}  // namespace caip
