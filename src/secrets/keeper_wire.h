// What caipd and caip-keeper say to each other over their socketpair. A frame is a length of four
// bytes, big-endian, at most kMaxFrame, and that many bytes. A request's first byte is Verb, the
// rest its operand; a reply's first byte is 0 or 1 + Code, the rest result or detail. One request
// at a time; the child speaks first (Verb-less "ready" reply: three public keys of 32
// bytes, one of 1,312, then the authority's certificate). Binary, so that no copy of a password lingers in a JSON value.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "secrets/keeper.h"

namespace caip::secrets {

enum class Verb : std::uint8_t { sign_jwt = 1, sign_checkpoint, sign_order, pepper, agent_certificate, server_certificate, sign_cosign };

inline constexpr std::size_t kMaxFrame = 256 * 1024;

bool send_frame(int fd, std::uint8_t first, BytesView rest) noexcept;
Result<Bytes> receive_frame(int fd);  // not empty; Code::unavailable when the other end is gone

// The child's answer to one request; never throws, refuses what it does not know. For fuzzing too.
Bytes answer(Keeper&, BytesView request);

}  // namespace caip::secrets
