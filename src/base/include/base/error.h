// base/error.h: the one error type of the product. Code is closed: each value has one stable
// text (`code` of the problem document, RFC 9457), one HTTP status and one CLI exit code, all
// in error.cpp. `detail` is for the person who reads it and never holds a secret.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace caip {

enum class Code : std::uint8_t {
  malformed,            // 400 not what the format says
  unknown_member,       // 400 a JSON member nobody knows
  missing_idempotency_key,  // 400
  unauthenticated,      // 401
  bad_credentials,      // 401 one text for every failed sign-in
  forbidden,            // 403
  csrf,                 // 403 a browser request from another origin
  step_up_needed,       // 403 the session must prove anew who is there
  not_found,            // 404
  method_not_allowed,   // 405
  conflict,             // 409
  already_decided,      // 409 an approval has its decision
  in_progress,          // 409 same idempotency key still running
  already_done,         // 409 same idempotency key, carried out before a restart
  expired,              // 410 a token, approval or order past its time
  precondition_failed,  // 412
  too_large,            // 413
  unsupported_media,    // 415
  invalid,              // 422 well formed, not acceptable
  digest_mismatch,      // 422 what was approved is not what stands there
  key_reused,           // 422 idempotency key with another payload
  precondition_required,  // 428
  too_many,             // 429
  approval_needed,      // 403 an AI may only propose this
  ai_off,               // 403 a setting of the organisation keeps its AI from this
  ai_limit,             // 429 a limit that the organisation set its AI is reached
  server_offline,       // 503 the agent is not connected
  unavailable,          // 503
  timeout,              // 504
  storage_failed,       // 500
  storage_full,         // 507 no room on the disk; nothing was changed
  storage_read_only,    // 503 the file system takes no writes; nothing was changed
  internal,             // 500
};

struct [[nodiscard]] Error {
  Code code;
  std::string detail;
};

std::string_view code_text(Code) noexcept;   // "bad_credentials"
std::string_view code_title(Code) noexcept;  // "Not accepted"
int code_status(Code) noexcept;              // HTTP status

}  // namespace caip
