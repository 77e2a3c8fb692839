// What caipd and caip-keeper say to each other over their socketpair. A frame is a length of four
// bytes, big-endian, at most kMaxFrame, and that many bytes. A request's first byte is Verb, the
// rest its operand; a reply's first byte is 0 or 1 + Code, the rest result or detail. One request
// at a time; the child speaks first (Verb-less "ready" reply: a Standing). Binary, so that no copy of a secret lingers in a JSON value. Every verb may be
// repeated after a lost answer.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "core.h"
#include "secrets/keeper.h"

namespace caip::secrets {

enum class Verb : std::uint8_t {
  sign_jwt = 1, sign_checkpoint, sign_order, pepper, agent_certificate, server_certificate,
  seal, open, reseal, make_ssh_key, ssh_sign,
  prepare, adopt, inventory, sign_cosign, sign_with, succession,
};

inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;
inline constexpr std::size_t kMostItems = 4096;  // in one request

bool send_frame(int fd, std::uint8_t first, BytesView rest) noexcept;
Result<Bytes> receive_frame(int fd);  // not empty; else as lost_connection() says
// Right after either failed: timeout when the other end stood still for longer than the socket allows, else unavailable.
std::unexpected<Error> lost_connection();

Bytes encode_items(const OrgId&, const Items&);
Result<std::pair<OrgId, Items>> decode_items(BytesView);
Bytes encode_change(const KeyChange&);
Result<KeyChange> decode_change(BytesView);
Bytes encode_inventory(const Inventory&);
Result<Inventory> decode_inventory(BytesView);
struct Standing {  // what may be known of the keys: at the start, and after a change
  Inventory inventory;
  Authority ca, agent_ca;
};
Bytes encode_standing(const Standing&);
Result<Standing> decode_standing(BytesView);

// The child's answer to one request; never throws, refuses what it does not know. For fuzzing too.
Bytes answer(KeyCore&, BytesView request);

}  // namespace caip::secrets
