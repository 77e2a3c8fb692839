// test/support/order_fixture.h: a control plane in miniature: two keys, a log of two entries, and
// an order that passes every check until a test changes something before make().
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "channel/order.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/note.h"

namespace caip::channel {

inline ServerId test_server() { return ServerId{IdBytes{7}}; }

struct OrderFixture {
  crypto::SigningKey order_key = crypto::SigningKey::generate();
  crypto::SigningKey log_key = crypto::SigningKey::generate();
  ManualClock clock{Instant(1'790'000'000'000'000)};
  ServerAction action = RestartUnit{test_server(), *UnitName::parse("nginx.service")};
  Order order{.order = OperationId{IdBytes{1}}, .server = test_server(), .digest = {}, .requester = "usr_x",
              .approver = "usr_y", .approval = std::nullopt, .production = false, .nonce = new_nonce(),
              .issued = clock.now(), .expires = clock.now() + std::chrono::minutes(5)};
  std::function<void(json::object&)> change_entry = [](json::object&) {};

  OrderVerifier verifier() const { return OrderVerifier(trust(), clock); }
  OrderTrust trust() const { return {test_server(), order_key.public_key(), log_key.public_key()}; }

  SignedOrder make() {
    order.digest = crypto::sha256(view(caip::encode(action)));
    json::object entry{{"action", name_of(widen(action))}, {"params", params(widen(action))}, {"result", "pending"},
                       {"approver", order.approver ? json::value(*order.approver) : json::value(nullptr)},
                       {"detail", log_detail(order.order, order.digest)}};
    change_entry(entry);
    LogProof proof{.entry = canonical(entry), .index = 1, .size = 2, .hashes = {merkle::leaf_hash(view("first"))}, .checkpoint = {}};
    crypto::Checkpoint checkpoint;
    checkpoint.size = 2;
    checkpoint.root = merkle::node_hash(proof.hashes[0], merkle::leaf_hash(view(proof.entry)));
    const std::string text = crypto::checkpoint_text(checkpoint);
    proof.checkpoint = crypto::checkpoint_note(checkpoint, log_key.public_key(), log_key.sign(view(text)));
    return *sign_order(order, action, proof, [&](BytesView b) -> Result<Bytes> { return order_key.sign(b); });
  }
};

}  // namespace caip::channel
