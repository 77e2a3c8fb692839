// test_keys.h: a control plane, and a server whose root half is the test's.
#pragma once
#include <catch2/catch_test_macros.hpp>

#include "channel/agent_keys.h"
#include "server_world.h"

namespace caip::servers {

inline constexpr Duration kDay = std::chrono::hours(24), kHour = std::chrono::hours(1);
inline const Facts kFacts{Foreign("web-1"), Foreign("Debian 13"), Foreign("6.12")};

template <class T>
Code code_of(const Result<T>& r) {
  return r ? Code{255} : r.error().code;
}
inline constexpr Code kFine{255};

struct KeyWorld : test::Domain {
  KeyWorld() : Domain(servers::migrations()) { wire(); }
  void wire() {
    servers->on({.server_updated = {}, .metrics = {}, .units_updated = {}, .gone = {}, .departed = [&](const ServerId& id) { thrown_out.push_back(id); orders->departed(id); },
                 .reenrolled = {}, .lapsed = [&](const ServerId& id) { parted.push_back(id); servers->offline(agent()); }});
    servers->on_challenge([&](const ServerId& id, const Bytes& nonce) -> Result<void> {
      challenged.emplace_back(id, nonce);
      return {};
    });
    servers->on_ask([&](const ServerId& id, const channel::KeyAsk& ask) { CHECK(id == *server); asks.push_back(ask); });
  }
  void restart() {
    open();
    start();
    wire();
  }
  void enrol_agent(bool renews = true, bool with_witness = true) { take(enrol(offer().token, renews, with_witness)); }
  servers::Enrolled enrol(std::string_view token, bool renews = true, bool with_witness = true) {
    auto csr = crypto::make_request("web-1").value();
    key = std::move(csr.key_pem);
    return servers->enrol(token, csr.csr_pem, Foreign("web-1"), Origin{"192.0.2.9", Foreign("curl"), "req_test"}, with_witness ? witness.public_key() : Bytes{}, renews).value();
  }
  void take(const servers::Enrolled& e) {
    server = e.server;
    enrolment = crypto::certificate_fingerprint(e.certificate_pem).value();
    certificate_pem = e.certificate_pem;
  }
  // As the channel has it, with the log's time.
  AgentIdentity shows(const std::string& pem, std::string signature = "mldsa65") const { return channel::Handshake::mint(*server, pem, servers->key_time(), std::move(signature)); }
  AgentIdentity agent() const { return shows(certificate_pem); }
  // What the door does with a hello: fine and a question, or the error.
  Result<std::optional<channel::KeyAsk>> comes(const AgentIdentity& who, bool renews = true) {
    CAIP_CHECKED(servers->knocks(who));
    CAIP_CHECKED(servers->met(who, renews, renews));
    auto ask = servers->ask_key(who);
    if (ask) asks.push_back(*ask);
    if (!who.shown().lapsed && !servers->online(who, kFacts)) return fail(Code::forbidden);
    return ask;
  }
  Result<std::optional<channel::KeyAsk>> comes() { return comes(agent()); }
  channel::KeyOffer same(const channel::KeyAsk& ask) const { return {.request = crypto::request_for(key, "x").value(), .voucher = {}, .nonce = ask.nonce}; }
  channel::KeyOffer same() const { return same(asks.empty() ? channel::KeyAsk{} : asks.back()); }
  struct Fresh {
    channel::KeyOffer offer;
    Digest key;
  };
  Fresh fresh(const channel::KeyAsk& ask) {
    auto made = crypto::make_request("x").value();
    Fresh out{.offer = {.request = made.csr_pem, .voucher = {}, .nonce = ask.nonce}, .key = crypto::read_request(made.csr_pem)->key};
    out.offer.voucher = vouch(ask, out.key);
    next = std::move(made.key_pem);
    return out;
  }
  Bytes vouch(const channel::KeyAsk& ask, const Digest& of) const {
    return witness.sign(caip::view(channel::voucher_text({.server = *server, .enrolment = enrolment, .held = agent().shown().key, .next = of, .nonce = ask.nonce})));
  }
  // A whole renewal, of what came with a question.
  void renew() {
    REQUIRE(comes());
    servers->tick_keys();
    if (asks.empty()) return;
    auto issued = servers->offered(agent(), same());
    REQUIRE(issued);
    certificate_pem = issued->certificate;
    asks.clear();
  }
  // Up to the certificate of a new key, which nobody has used.
  std::string rotated() {
    auto permit = authorize(owner.session(), RotateServerKey{*server});
    REQUIRE(servers->rotate_key(*std::move(permit)));
    auto ask = comes().value().value();
    REQUIRE(ask.rotate);
    return servers->offered(agent(), fresh(ask).offer)->certificate;
  }
  Result<Receipt<RevokeServerKey>> revoke() {
    auto permit = authorize(owner.session(), RevokeServerKey{*server});
    if (!permit) return fail(permit.error().code);
    return servers->revoke_key(*std::move(permit));
  }
  std::int64_t told(std::string_view words, std::string_view kind = "server.key_changed") {
    auto tx = db->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM notices WHERE kind = ?2 AND instr(subject, ?1) > 0", words, kind, [](const storage::Row& r) { return r.integer(0); }).value().value();
  }

  crypto::SigningKey witness = crypto::SigningKey::generate();
  SecretBytes key, next;
  std::string enrolment;
  std::vector<channel::KeyAsk> asks;
  std::vector<ServerId> thrown_out, parted;
  std::vector<std::pair<ServerId, Bytes>> challenged;
};

}  // namespace caip::servers
