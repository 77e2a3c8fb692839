#include "channel/gates.h"

#include <algorithm>

#include "base/json.h"
#include "channel/order.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

constexpr std::string_view kPrefix = "gates\n";

json::value time_or_null(const std::optional<Instant>& t) { return t ? json::value(t->str()) : json::value(nullptr); }

json::value members(const std::optional<AiGates>& g) {
  if (!g) return nullptr;
  return json::object{{"on", g->on}, {"writes", g->writes}, {"operation", g->operation}, {"access", text(g->access)},
                      {"unprotected_until", time_or_null(g->unprotected_until)}, {"two_people", g->two_people},
                      {"second", g->second ? json::value(*g->second) : json::value(nullptr)}};
}

Result<Source> parse_source(std::string_view name) {
  for (const Source s : {Source::user, Source::api_token, Source::pilot})
    if (text(s) == name) return s;
  return fail(Code::malformed, "gates: nobody of that kind gives orders");
}

// null counts as absent; the canonical form always writes the member.
std::optional<std::string> take_nullable(json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  if (v == nullptr || !v->is_string()) return std::nullopt;
  return std::string(v->get_string());
}

Result<AiGates> read_ai(json::object o) {
  const auto until = take_nullable(o, "unprotected_until"), second = take_nullable(o, "second");
  o.erase("unprotected_until");
  o.erase("second");
  Members m(o);
  CAIP_TRY(on, m.boolean("on"));
  CAIP_TRY(writes, m.boolean("writes"));
  CAIP_TRY(operation, m.boolean("operation"));
  CAIP_TRY(access_text, m.string("access", 16));
  CAIP_TRY(two_people, m.boolean("two_people"));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(access, parse_ai_access(access_text));
  AiGates g{.on = on, .writes = writes, .operation = operation, .access = access, .two_people = two_people, .second = second};
  if (until) {
    CAIP_TRY(at, Instant::parse(*until));
    g.unprotected_until = at;
  }
  return g;
}

std::unexpected<Error> shut(std::string_view why) {
  return fail(Code::forbidden, "this server refuses what an AI began: " + std::string(why));
}

// Whether it is signed, and of this very order.
Result<Began> opened(const SignedBegan& given, const Order& order, BytesView order_key) {
  if (!crypto::ed25519_verify(order_key, view(std::string(kPrefix) + given.text), given.signature)) return fail(Code::forbidden, "the signature of the gates is wrong");
  auto began = decode_began(given.text);
  if (!began) return fail(Code::malformed, began.error().detail);
  if (began->order != crypto::sha256(view(encode(order)))) return fail(Code::digest_mismatch, "the gates are those of another order");
  return began;
}

Result<void> second_person(const AiGates& g, const Order& order) {
  if (!g.two_people && !g.second) return {};
  if (!g.second) return shut("two people have to allow it, and one did (setting: second person)");
  if (g.second == order.approver || g.second == order.requester) return shut("the second yes is by who gave the first, or by who asked (setting: second person)");
  return {};
}

Result<void> open_to_write(const AiGates& g, const Order& order, Instant now) {
  if (!g.writes) return shut("it proposes no changes (setting: write actions of the AI)");
  if (!g.operation) return shut("this operation is off (setting: operations of the AI)");
  if (g.access != AiAccess::full) return shut("it may not change this server (setting: AI access of the server)");
  if (order.production && !(g.unprotected_until && now < *g.unprotected_until)) return shut("the server counts as production (setting: Production Protection)");
  if (!order.approver || !order.approval) return shut("nobody allowed it");
  return second_person(g, order);
}

Result<void> open(const AiGates& g, const Order& order, const ServerAction& action, Instant now) {
  if (!g.on) return shut("it is stopped (setting: AI)");
  if (g.access == AiAccess::none) return shut("it has no access here (setting: AI access of the server)");
  return writes(action) ? open_to_write(g, order, now) : Result<void>();
}

}  // namespace

std::string encode(const Began& b) {
  return canonical(json::object{{"v", 1}, {"order", hex(b.order)}, {"began", text(b.by)}, {"at", b.at.str()}, {"ai", members(b.ai)}});
}

Result<Began> decode_began(std::string_view text) {
  CAIP_TRY(value, parse_canonical(text));
  if (!value.is_object()) return fail(Code::malformed, "gates: not an object");
  json::object o = value.as_object();
  const json::value* ai = o.if_contains("ai");
  if (ai == nullptr || !(ai->is_null() || ai->is_object())) return fail(Code::malformed, "gates: ai");
  Began b;
  if (ai->is_object()) {
    CAIP_TRY(gates, read_ai(ai->get_object()));
    b.ai = std::move(gates);
  }
  o.erase("ai");
  Members m(o);
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_TRY(order_text, m.string("order", 64));
  CAIP_TRY(by_text, m.string("began", 16));
  CAIP_TRY(at_text, m.string("at", 32));
  CAIP_CHECKED(m.finish());
  const auto order = from_hex(order_text);
  if (!order || order->size() != b.order.size()) return fail(Code::malformed, "gates: order");
  std::ranges::copy(*order, b.order.begin());
  CAIP_TRY(by, parse_source(by_text));
  CAIP_TRY(at, Instant::parse(at_text));
  b.by = by;
  b.at = at;
  if ((b.by == Source::pilot) != b.ai.has_value()) return fail(Code::malformed, "gates: of an AI, and of nobody else");
  if (encode(b) != text) return fail(Code::malformed, "gates: not in canonical form");
  return b;
}

Result<SignedBegan> sign_began(const Began& b, const std::function<Result<Bytes>(BytesView)>& sign) {
  SignedBegan out{.text = encode(b), .signature = {}};
  CAIP_TRY(signature, sign(view(std::string(kPrefix) + out.text)));
  out.signature = std::move(signature);
  return out;
}

Result<void> check_began(const std::optional<SignedBegan>& given, const Order& order, const ServerAction& action, const Logged& logged, BytesView order_key, Instant now) {
  const bool ai = logged.by == Source::pilot;
  if (!given && !ai) return {};  // from a control plane that is older than this
  if (!given) return shut("the order does not say which gates it passed; the control plane is older than this server's agent, update it");
  auto began = opened(*given, order, order_key);
  if (!began && !ai && began.error().code == Code::malformed) return {};  // of a newer one, about people: nothing here rests on it
  if (!began) return std::unexpected<Error>(std::move(began).error());
  if (began->by != logged.by) return fail(Code::digest_mismatch, "the log and the order do not agree on who began it");
  if (!ai) return {};
  if (began->at - now > kClockSkew || began->at < order.issued) return shut("its gates were asked at another time than this");
  if (began->ai->second != logged.second) return fail(Code::digest_mismatch, "the log and the order do not agree on who allowed it second");
  return open(*began->ai, order, action, now);
}

void to_wire(const SignedBegan& in, wire::Order& out) {
  out.set_gates(in.text);
  out.set_gates_signature(std::string(text_of(in.signature)));
}

std::optional<SignedBegan> began_from_wire(const wire::Order& in) {
  if (in.gates().empty()) return std::nullopt;
  return SignedBegan{in.gates(), Bytes(in.gates_signature().begin(), in.gates_signature().end())};
}

}  // namespace caip::channel
