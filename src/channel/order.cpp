#include "channel/order.h"

#include <algorithm>

#include "crypto/cosignature.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/random.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

constexpr std::size_t kDigestHex = 64;
constexpr std::size_t kMaxProofHashes = 64;

json::value or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

// JSON null counts as absent; the canonical form always writes the member.
Result<std::optional<std::string>> nullable(json::object& o, Members& m, std::string_view name) {
  const json::value* v = o.if_contains(name);
  if (!v) return fail(Code::malformed, "order: a member is missing");
  if (v->is_null()) {
    o.erase(name);
    return std::optional<std::string>{};
  }
  return m.optional_string(name, 64);
}

Result<Digest> digest_of(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != Digest{}.size()) return fail(Code::malformed, "order: digest");
  Digest d;
  std::ranges::copy(*bytes, d.begin());
  return d;
}

// Who asked, who decided, for whom: in entry and order the same. A write that an AI asked for has a
// human who decided it; what a person did has none.
Result<Source> check_people(const json::object& entry, const Order& order, bool write) {
  const auto is = [&](std::string_view name, const json::value& value) {
    const json::value* v = entry.if_contains(name);
    return v && *v == value;
  };
  // An entry about a refusal or an outcome is no decision.
  if (!is("result", "pending")) return fail(Code::digest_mismatch, "the log entry is not the decision");
  if (!is("org", json::value(order.org.str())) || !is("target", json::value(order.server.str())))
    return fail(Code::digest_mismatch, "the log entry is about another organisation or server");
  if (!is("actor", {{"kind", "user"}, {"id", order.requester}})) return fail(Code::digest_mismatch, "the log names another requester");
  if (!is("approver", or_null(order.approver))) return fail(Code::digest_mismatch, "the log names another approver");
  if (is("source", "pilot")) {
    if (write && (!order.approver || !order.approval)) return fail(Code::approval_needed, "an AI asked for it and nobody allowed it");
    return Source::pilot;
  }
  const Source by = is("source", "user") ? Source::user : Source::api_token;
  if (!is("source", json::value(text(by)))) return fail(Code::digest_mismatch, "the log entry is nobody's who may give orders");
  if (order.approver || order.approval) return fail(Code::digest_mismatch, "a person's own order has no approval");
  return by;
}

// The log entry has to be the decision about this very action and order. What it says of who began it.
Result<Logged> check_entry(const std::string& bytes, const Order& order, const ServerAction& action) {
  CAIP_TRY(value, parse_canonical(bytes));
  const json::object* entry = value.if_object();
  const json::value* name = entry ? entry->if_contains("action") : nullptr;
  const json::value* operands = entry ? entry->if_contains("params") : nullptr;
  const json::value* detail = entry ? entry->if_contains("detail") : nullptr;
  AnyAction any = widen(action);
  if (!name || *name != json::value(name_of(any)) || !operands || *operands != json::value(params(any)))
    return fail(Code::digest_mismatch, "the log entry is about another action");
  CAIP_TRY(by, check_people(*entry, order, writes(action)));
  const json::object* found = detail ? detail->if_object() : nullptr;
  if (!found) return fail(Code::digest_mismatch, "the log entry names no order");
  for (const auto& member : log_detail(order.order, order.digest, order.approval)) {
    const json::value* v = found->if_contains(member.key());
    if (!v || *v != member.value()) return fail(Code::digest_mismatch, "the log entry is about another order");
  }
  if (!order.approval && found->contains("approval")) return fail(Code::digest_mismatch, "the log entry has an approval, the order has none");
  const json::value* second = found->if_contains("second");
  return Logged{by, second && second->is_string() ? std::optional(std::string(second->get_string())) : std::nullopt};
}

Result<void> check_log(const LogProof& proof, const OrderTrust& trust) {
  CAIP_TRY(checkpoint, open_checkpoint(proof.checkpoint, trust));
  if (checkpoint.size != proof.size) return fail(Code::digest_mismatch, "the proof is for another size of the log");
  if (proof.index >= proof.size ||
      !merkle::verify_inclusion(merkle::leaf_hash(view(proof.entry)), proof.index, proof.size, proof.hashes, checkpoint.root))
    return fail(Code::digest_mismatch, "the order is not in the log");
  return {};
}

// Values come with what places them and with nothing else, one for each secret that was approved.
Result<void> check_env(const ServerAction& action, const SharedEnv& env) {
  const auto* place = std::get_if<PlaceEnv>(&action);
  const std::size_t wanted = place ? place->secrets.size() : 0;
  if ((env ? env->all().size() : 0) != wanted) return fail(Code::digest_mismatch, "the order comes with other env values than its action names");
  return {};
}

template <class Repeated>
Result<std::vector<Digest>> hashes_of(const Repeated& in) {
  if (static_cast<std::size_t>(in.size()) > kMaxProofHashes) return fail(Code::malformed, "too many hashes");
  std::vector<Digest> out;
  for (const std::string& h : in) {
    Digest d;
    if (h.size() != d.size()) return fail(Code::malformed, "a hash is 32 bytes");
    std::ranges::transform(h, d.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    out.push_back(d);
  }
  return out;
}

}  // namespace

Result<crypto::Checkpoint> open_checkpoint(const std::string& text, const OrderTrust& trust) {
  CAIP_TRY(checkpoint, crypto::open_checkpoint(text, trust.log_key));
  CAIP_TRY(note, crypto::parse_note(text));
  const crypto::Cosigner log{std::string(crypto::kLogOrigin), crypto::CosignatureType::mldsa44, trust.cosign_key};
  if (!crypto::cosigned_at(note, log)) return fail(Code::invalid, "the checkpoint lacks the log's ML-DSA-44 signature");
  return checkpoint;
}

Result<crypto::Checkpoint> open_own_checkpoint(const std::string& text, const OrderTrust& trust) {
  auto log_keys = trust.former_log_keys, cosign_keys = trust.former_cosign_keys;
  log_keys.push_back(trust.log_key);
  cosign_keys.push_back(trust.cosign_key);
  OrderTrust then = trust;
  for (const Bytes& log_key : log_keys)
    for (const Bytes& cosign_key : cosign_keys) {
      then.log_key = log_key;
      then.cosign_key = cosign_key;
      if (auto opened = open_checkpoint(text, then)) return opened;
    }
  return open_checkpoint(text, trust);  // for the reason
}

HeldKeys held_keys(const OrderTrust& t) { return {crypto::sha256(t.log_key), crypto::sha256(t.cosign_key), crypto::sha256(t.order_key)}; }

std::string new_nonce() { return hex(crypto::random_bytes(16)); }

json::object log_detail(const OperationId& order, const Digest& digest, const std::optional<std::string>& approval) {
  json::object detail{{"digest", hex(digest)}, {"operation", order.str()}};
  if (approval) detail["approval"] = *approval;
  return detail;
}

std::string encode(const Order& o) {
  return canonical(json::object{{"v", 1},
                                {"order", o.order.str()},
                                {"server", o.server.str()},
                                {"org", o.org.str()},
                                {"certificate", o.certificate},
                                {"digest", hex(o.digest)},
                                {"requester", o.requester},
                                {"approver", or_null(o.approver)},
                                {"approval", or_null(o.approval)},
                                {"policy", kPolicyVersion},
                                {"production", o.production},
                                {"nonce", o.nonce},
                                {"issued", o.issued.str()},
                                {"expires", o.expires.str()}});
}

Result<Order> decode_order(std::string_view text) {
  CAIP_TRY(value, parse_canonical(text));
  if (!value.is_object()) return fail(Code::malformed, "order: not an object");
  json::object o = value.as_object();
  Members m(o);
  CAIP_TRY(approver, nullable(o, m, "approver"));
  CAIP_TRY(approval, nullable(o, m, "approval"));
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_CHECKED(m.integer("policy", kPolicyVersion, kPolicyVersion));
  CAIP_TRY(order_text, m.string("order", 64));
  CAIP_TRY(server_text, m.string("server", 64));
  CAIP_TRY(org_text, m.string("org", 64));
  CAIP_TRY(certificate, m.string("certificate", kDigestHex));
  CAIP_TRY(digest_text, m.string("digest", kDigestHex));
  CAIP_TRY(requester, m.string("requester", 64));
  CAIP_TRY(production, m.boolean("production"));
  CAIP_TRY(nonce, m.string("nonce", 32));
  CAIP_TRY(issued_text, m.string("issued", 32));
  CAIP_TRY(expires_text, m.string("expires", 32));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(id, OperationId::parse(order_text));
  CAIP_TRY(server, ServerId::parse(server_text));
  CAIP_TRY(org, OrgId::parse(org_text));
  CAIP_CHECKED(digest_of(certificate));
  CAIP_TRY(digest, digest_of(digest_text));
  CAIP_TRY(issued, Instant::parse(issued_text));
  CAIP_TRY(expires, Instant::parse(expires_text));
  if (nonce.size() != 32 || !from_hex(nonce)) return fail(Code::malformed, "order: nonce");
  Order order{.order = id, .server = server, .org = org, .certificate = std::move(certificate), .digest = digest, .requester = std::move(requester), .approver = std::move(approver),
              .approval = std::move(approval), .production = production, .nonce = std::move(nonce), .issued = issued,
              .expires = expires};
  if (encode(order) != text) return fail(Code::malformed, "order: not in canonical form");
  return order;
}

std::string signed_bytes(const std::string& order, const SharedEnv& env) { return env ? order + "\n" + hex(env->digest()) : order; }

Result<SignedOrder> sign_order(const Order& order, const ServerAction& action, LogProof proof, const SignFn& sign, SharedEnv env) {
  SignedOrder out{.order = encode(order), .signature = {}, .action = caip::encode(action), .proof = std::move(proof), .env = std::move(env)};
  if (crypto::sha256(view(out.action)) != order.digest) return fail(Code::digest_mismatch, "order and action differ");
  CAIP_CHECKED(check_env(action, out.env));
  CAIP_TRY(signature, sign(view(signed_bytes(out.order, out.env))));
  out.signature = std::move(signature);
  return out;
}

Result<VerifiedOrder> OrderVerifier::verify(const SignedOrder& signed_order) const {
  // The signature first: nothing of an order is looked at before it is known to be ours.
  if (!crypto::ed25519_verify(trust_.order_key, view(signed_bytes(signed_order.order, signed_order.env)), signed_order.signature))
    return fail(Code::forbidden, "the order's signature is wrong");
  CAIP_TRY(order, decode_order(signed_order.order));
  if (order.server != trust_.server) return fail(Code::forbidden, "the order is for another server");
  if (order.certificate != trust_.certificate) return fail(Code::forbidden, "the order is for another enrolment of this server");
  Instant now = clock_.now();
  if (order.issued - now > kClockSkew) return fail(Code::invalid, "the order is from the future; check the clocks");
  if (order.expires - order.issued > kMaxOrderLife) return fail(Code::invalid, "the order lives too long");
  if (now >= order.expires) return fail(Code::expired, "the order has expired");
  if (crypto::sha256(view(signed_order.action)) != order.digest)
    return fail(Code::digest_mismatch, "the action is not the one that was signed");
  CAIP_TRY(action, caip::decode(signed_order.action));
  const ServerId* target = nullptr;
  std::visit([&](const auto& a) { target = &a.server; }, action);
  if (*target != trust_.server) return fail(Code::forbidden, "the action is for another server");
  CAIP_CHECKED(check_env(action, signed_order.env));
  CAIP_CHECKED(check_log(signed_order.proof, trust_));
  CAIP_TRY(logged, check_entry(signed_order.proof.entry, order, action));
  CAIP_CHECKED(check_began(signed_order.began, order, action, logged, trust_.order_key, now));
  return VerifiedOrder(std::move(order), std::move(action), logged.by);
}

void to_wire(const SignedOrder& in, wire::Order& out) {
  out.set_order(in.order);
  out.set_signature(std::string(text_of(in.signature)));
  out.set_action(in.action);
  wire::LogProof& proof = *out.mutable_proof();
  proof.set_entry(in.proof.entry);
  proof.set_index(in.proof.index);
  proof.set_size(in.proof.size);
  for (const Digest& d : in.proof.hashes) proof.add_hashes(std::string(text_of(d)));
  proof.set_checkpoint(in.proof.checkpoint);
  proof.set_old(in.proof.old);
  for (const Digest& d : in.proof.consistency) proof.add_consistency(std::string(text_of(d)));
  if (in.env) in.env->to_wire(*out.mutable_env());
  if (in.began) to_wire(*in.began, out);
}

void to_wire(const Offer& in, wire::CheckpointOffer& out) {
  out.set_checkpoint(in.checkpoint);
  out.set_old(in.old);
  for (const Digest& d : in.consistency) out.add_consistency(std::string(text_of(d)));
}

void to_wire(const HeldKeys& in, wire::KeysHeld& out) {
  out.set_checkpoint(std::string(text_of(in.checkpoint)));
  out.set_cosign(std::string(text_of(in.cosign)));
  out.set_order(std::string(text_of(in.order)));
}

Result<HeldKeys> from_wire(const wire::KeysHeld& in) {
  HeldKeys out;
  for (const auto& [digest, bytes] : {std::pair{&out.checkpoint, &in.checkpoint()}, {&out.cosign, &in.cosign()}, {&out.order, &in.order()}}) {
    if (bytes->size() != digest->size()) return fail(Code::malformed, "a key's digest has 32 bytes");
    std::ranges::transform(*bytes, digest->begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  }
  return out;
}

void to_wire(const Successions& in, wire::Successions& out) {
  for (const auto& statement : in) out.add_statements(statement);
}

Result<Successions> from_wire(const wire::Successions& in) {
  if (in.statements_size() > static_cast<int>(kMostSuccessions)) return fail(Code::malformed, "too many successions");
  return Successions(in.statements().begin(), in.statements().end());
}

Result<Offer> from_wire(const wire::CheckpointOffer& in) {
  CAIP_TRY(consistency, hashes_of(in.consistency()));
  return Offer{in.checkpoint(), in.old(), std::move(consistency)};
}

Result<SignedOrder> from_wire(const wire::Order& in) {
  SignedOrder out;
  out.order = in.order();
  out.action = in.action();
  out.signature.assign(in.signature().begin(), in.signature().end());
  out.began = began_from_wire(in);
  if (in.has_env()) {
    CAIP_TRY(env, EnvValues::from_wire(in.env()));
    out.env = std::make_shared<const EnvValues>(std::move(env));
  }
  const wire::LogProof& proof = in.proof();
  CAIP_TRY(hashes, hashes_of(proof.hashes()));
  CAIP_TRY(consistency, hashes_of(proof.consistency()));
  out.proof = {.entry = proof.entry(), .index = proof.index(), .size = proof.size(), .hashes = std::move(hashes),
               .checkpoint = proof.checkpoint(), .old = proof.old(), .consistency = std::move(consistency)};
  return out;
}

}  // namespace caip::channel
