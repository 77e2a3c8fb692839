// test/support/order_fixture.h: a control plane in miniature: two keys, a log of two entries, and
// an order that passes every check until a test changes something before make().
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "channel/order.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/note.h"

namespace caip::channel {

inline ServerId test_server() { return ServerId{IdBytes{7}}; }
inline std::string test_certificate() { return std::string(64, 'c'); }

struct OrderFixture {
  crypto::SigningKey order_key = crypto::SigningKey::generate();
  crypto::SigningKey log_key = crypto::SigningKey::generate();
  ManualClock clock{Instant(1'790'000'000'000'000)};
  ServerAction action = RestartUnit{test_server(), *ControlUnit::parse("nginx.service")};
  Order order{.order = OperationId{IdBytes{1}}, .server = test_server(), .org = OrgId{IdBytes{5}}, .certificate = test_certificate(),
              .digest = {}, .requester = "usr_x", .approver = "usr_y", .approval = "apr_z", .production = false, .nonce = new_nonce(),
              .issued = clock.now(), .expires = clock.now() + std::chrono::minutes(5)};
  std::function<void(json::object&)> change_entry = [](json::object&) {};

  OrderVerifier verifier() const { return OrderVerifier(trust(), clock); }
  OrderTrust trust() const { return {test_server(), order_key.public_key(), log_key.public_key(), test_certificate()}; }

  // What no ServerAction can say, signed and logged all the same: by whoever holds the keys.
  std::optional<json::object> unspeakable = {};

  SignedOrder make() {
    json::object said = unspeakable ? *unspeakable : parse_object(caip::encode(action)).value();
    const std::string bytes = canonical(said);
    order.digest = crypto::sha256(view(bytes));
    const json::value name = said.at("action");
    said.erase("action");
    said.erase("v");
    json::object entry{{"action", name}, {"params", said}, {"result", "pending"},
                       {"org", order.org.str()}, {"target", order.server.str()}, {"source", order.approver ? "pilot" : "user"},
                       {"actor", {{"kind", "user"}, {"id", order.requester}}},
                       {"approver", order.approver ? json::value(*order.approver) : json::value(nullptr)},
                       {"detail", log_detail(order.order, order.digest, order.approval)}};
    change_entry(entry);
    LogProof proof{.entry = canonical(entry), .index = 1, .size = 2, .hashes = {merkle::leaf_hash(view("first"))}, .checkpoint = {}};
    crypto::Checkpoint checkpoint;
    checkpoint.size = 2;
    checkpoint.root = merkle::node_hash(proof.hashes[0], merkle::leaf_hash(view(proof.entry)));
    const std::string text = crypto::checkpoint_text(checkpoint);
    proof.checkpoint = crypto::checkpoint_note(checkpoint, log_key.public_key(), log_key.sign(view(text)));
    return SignedOrder{.order = encode(order), .signature = order_key.sign(view(encode(order))), .action = bytes, .proof = std::move(proof)};
  }
};

}  // namespace caip::channel
