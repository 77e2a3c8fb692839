// test/support/order_fixture.h: a control plane in miniature: two keys, a log of two entries, and
// an order that passes every check until a test changes something before make().
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "channel/order.h"
#include "crypto/cosignature.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/mldsa.h"
#include "crypto/note.h"

namespace caip::channel {

inline ServerId test_server() { return ServerId{IdBytes{7}}; }
inline std::string test_certificate() { return std::string(64, 'c'); }

struct OrderFixture {
  crypto::SigningKey order_key = crypto::SigningKey::generate();
  crypto::SigningKey log_key = crypto::SigningKey::generate();
  crypto::CosigningKey cosign_key = crypto::CosigningKey::generate();
  ManualClock clock{Instant(1'790'000'000'000'000)};
  ServerAction action = RestartUnit{test_server(), *ControlUnit::parse("nginx.service")};
  Order order{.order = OperationId{IdBytes{1}}, .server = test_server(), .org = OrgId{IdBytes{5}}, .certificate = test_certificate(),
              .digest = {}, .requester = "usr_x", .approver = "usr_y", .approval = "apr_z", .production = false, .nonce = new_nonce(),
              .issued = clock.now(), .expires = clock.now() + std::chrono::minutes(5)};
  std::vector<std::string> entries{"first"};  // of the log
  std::uint64_t proven = 0;                   // its size at the last proof
  std::function<void(json::object&)> change_entry = [](json::object&) {};

  OrderVerifier verifier() const { return OrderVerifier(trust(), clock); }
  OrderTrust trust() const { return {test_server(), order_key.public_key(), log_key.public_key(), cosign_key.public_key(), test_certificate()}; }

  // Said beside it where an AI began it; a person's order may come from a control plane that says nothing.
  AiGates gates{.on = true, .writes = true, .operation = true, .access = AiAccess::full};
  std::function<void(Began&)> change_began = [](Began&) {};
  std::optional<SignedBegan> say_began(Source by) const {
    Began b{.order = crypto::sha256(view(encode(order))), .by = by, .at = clock.now()};
    if (by == Source::pilot) b.ai = gates;
    change_began(b);
    return *sign_began(b, [&](BytesView m) { return Result<Bytes>(order_key.sign(m)); });
  }

  // A checkpoint as the log signs it, with both keys.
  std::string sign(const crypto::Checkpoint& checkpoint) const {
    const std::string text = crypto::checkpoint_text(checkpoint);
    auto note = *crypto::parse_note(crypto::checkpoint_note(checkpoint, log_key.public_key(), log_key.sign(view(text))));
    const crypto::Cosigner log{std::string(crypto::kLogOrigin), crypto::CosignatureType::mldsa44, cosign_key.public_key()};
    note.signatures.push_back(crypto::cosignature(log, 1, cosign_key.sign(*crypto::cosigned_message(log, 1, text))));
    return crypto::format_note(note);
  }

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
    if (gates.second) entry["detail"].as_object()["second"] = *gates.second;
    change_entry(entry);
    if (entries.back() != canonical(entry)) entries.push_back(canonical(entry));
    return SignedOrder{.order = encode(order), .signature = order_key.sign(view(encode(order))), .action = bytes, .proof = prove(),
                       .began = entry.at("source") == json::value("pilot") ? say_began(Source::pilot) : std::nullopt};
  }

  // Its last entry, in a log that has only grown since the proof before this one.
  LogProof prove() {
    std::map<std::pair<unsigned, std::uint64_t>, Digest> nodes;
    merkle::Frontier tree;
    for (const auto& e : entries) {
      const Digest leaf = merkle::leaf_hash(view(e));
      nodes[{0, tree.size()}] = leaf;
      for (const auto& m : tree.append(leaf)) nodes[{m.id.level, m.id.index}] = m.hash;
    }
    const auto read = [&](merkle::NodeId id) -> Result<Digest> { return nodes.at({id.level, id.index}); };
    const std::uint64_t size = tree.size(), old = std::exchange(proven, size);
    return {.entry = entries.back(), .index = size - 1, .size = size, .hashes = *merkle::inclusion_proof(size - 1, size, read),
            .checkpoint = sign({.size = size, .root = tree.root()}), .old = old, .consistency = *merkle::consistency_proof(old, size, read)};
  }
};

}  // namespace caip::channel
