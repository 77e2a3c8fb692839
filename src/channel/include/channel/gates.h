// channel/gates.h: who began an order, and the gates of the organisation's AI as they stood when it was sent. Said by the control plane
// beside each order, signed with the order key and bound to the order's bytes; of an order that an AI began the helper asks every
// gate again by itself, and a gate that is shut, missing or unknown to it refuses the order.
//
//   {"v":1,"order":"<SHA-256 of the order's bytes>","began":"pilot","at":"…","ai":{"on":true,"writes":true,"operation":true,"access":"full",
//    "unprotected_until":null,"two_people":false,"second":null}}      "ai" is null of what a person or their token began
//
// It travels in fields of its own, so that an older helper takes the order without it, and a newer one takes what people began
// from an older control plane; what an AI began then waits for an update of the control plane.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/actions.h"
#include "model/actor.h"
#include "model/ai.h"

namespace caip::wire { class Order; }

namespace caip::channel {

struct Order;

struct AiGates {  // open or shut, in the order in which they are asked
  bool on = false;
  bool writes = false;
  bool operation = false;  // of this one, and its category
  AiAccess access = AiAccess::none;
  std::optional<Instant> unprotected_until = {};  // none: Production Protection is on
  bool two_people = false;                        // have to have said yes
  std::optional<std::string> second = {};         // usr_…, who did after the order's approver
};

struct Began {
  Digest order{};  // of encode(Order)
  Source by = Source::anonymous;  // user, api_token or pilot
  Instant at;
  std::optional<AiGates> ai = {};  // with pilot, and with nobody else
};

std::string encode(const Began&);
Result<Began> decode_began(std::string_view canonical_bytes);

struct SignedBegan {
  std::string text;  // encode(Began)
  Bytes signature;   // of "gates\n" and it, by the order key: no order begins so
};
Result<SignedBegan> sign_began(const Began&, const std::function<Result<Bytes>(BytesView)>& sign);

struct Logged {  // what the log entry of an order says
  Source by = Source::anonymous;
  std::optional<std::string> second = {};  // usr_…
};
// What the helper makes of it all. Code::forbidden names the gate.
Result<void> check_began(const std::optional<SignedBegan>&, const Order&, const ServerAction&, const Logged&, BytesView order_key, Instant now);

void to_wire(const SignedBegan&, wire::Order&);
std::optional<SignedBegan> began_from_wire(const wire::Order&);

}  // namespace caip::channel
