// caipd_door.h: what agents say, handed to the rooms that keep it.
#pragma once
#include <set>

#include "base/guarded.h"
#include "base/log.h"
#include "channel/hub.h"
#include "runner/approval_runner.h"
#include "servers/order_service.h"
#include "servers/server_service.h"
#include "servers/witnesses.h"

namespace caip::main {

class Door final : public channel::AgentEvents {
 public:
  Door(servers::ServerService& servers, servers::OrderService& orders, servers::Witnesses& witnesses, runner::ApprovalRunner& runner,
       const Clock& clock)
      : servers_(servers), orders_(orders), witnesses_(witnesses), runner_(runner), clock_(clock) {}

  Instant now() override { return servers_.key_time(); }
  Result<void> knocks(const AgentIdentity& who) override { return servers_.knocks(who); }
  Result<std::optional<channel::KeyAsk>> connected(const AgentIdentity& who, const channel::AgentHello& hello) override {
    CAIP_CHECKED(servers_.met(who, hello.renews, hello.proves));
    auto ask = servers_.ask_key(who);
    if (who.shown().lapsed) {
      if (!ask) return fail(Code::forbidden, "its certificate has ended, and its agent cannot renew it");
      return ask;
    }
    if (!servers_.online(who, servers::Facts{hello.hostname, hello.os, hello.kernel})) return fail(Code::forbidden, "not a key that this server is let in with");
    witnesses_.known(who, hello.witnessed, hello.keys);
    back_.with([&](auto& set) { set.insert(who.server()); });
    return ask;
  }
  Result<channel::KeyIssued> offered(const AgentIdentity& who, const channel::KeyOffer& offer) override { return servers_.offered(who, offer); }
  void reported(const AgentIdentity& who, const channel::Metrics& m) override {
    auto n = [](std::uint64_t v) { return static_cast<std::int64_t>(v & 0x1f'ffff'ffff'ffff); };
    servers_.report(who, servers::Sample{m.cpu_ratio, n(m.mem_used), n(m.mem_total), n(m.disk_used), n(m.disk_total),
                                         n(m.net_rx_bps), n(m.net_tx_bps), m.load1, clock_.now()});
  }
  void units(const AgentIdentity& who, const std::vector<channel::UnitState>& states) override {
    std::vector<servers::Unit> units;
    units.reserve(states.size());
    for (const auto& u : states) units.push_back(unit_of(u));
    servers_.report(who, std::move(units));
  }
  Result<void> finished(const AgentIdentity& who, const channel::OrderResult& result) override {
    if (result.contradicts) witnesses_.contradicted(who, result.witnessed, 0);
    if (result.stale) {
      witnesses_.corrected(who.server(), result.witnessed);
      orders_.resend(who, result.order);
      return {};
    }
    servers::Answer answer{.ok = result.succeeded, .replayed = result.replayed, .result = result_of(result), .error = result.error, .unknown = result.unknown};
    auto done = orders_.finish(who, result.order, answer);
    if (done || done.error().code == Code::expired) return {};  // late is no lie
    log::warn("an order's result was not taken", {{"order", result.order.str()}, {"detail", done.error().detail}});
    const Code code = done.error().code;
    if (code == Code::not_found || code == Code::conflict || code == Code::forbidden) return done;
    return {};
  }
  void proved(const AgentIdentity& who, const channel::KeyProof& proof) override { servers_.proved(who, proof); }
  void twice(const AgentIdentity& who, const std::string& here, const std::string& there) override { servers_.twice(who, here, there); }
  void witnessed(const AgentIdentity& who, const channel::Witnessed& w) override { witnesses_.witnessed(who, w); }
  void held(const AgentIdentity& who, const channel::KeysSaid& said) override { witnesses_.held(who, said); }
  void disconnected(const AgentIdentity& who) override {
    witnesses_.gone(who.server());
    servers_.offline(who);
  }
  // What waited for servers that came back: not in connected(), because the hub takes orders for
  // a server only after that has returned. Called a few times a second.
  void resume() {
    for (const auto& server : back_.with([](auto& set) { return std::exchange(set, {}); })) {
      orders_.server_online(server);
      runner_.server_online(server);
    }
  }

 private:
  static servers::Unit unit_of(const channel::UnitState& u) { return servers::Unit{u.unit, u.description, u.load, u.active, u.sub, u.file_state}; }
  static json::object result_of(const channel::OrderResult& r) {
    json::object out = r.machine;
    if (r.unit) out["unit"] = servers::view(unit_of(*r.unit));
    json::array lines;
    for (const auto& line : r.lines) lines.emplace_back(line.raw());
    if (!lines.empty()) out["lines"] = std::move(lines);
    return out;
  }
  Guarded<std::set<ServerId>> back_;
  servers::ServerService& servers_;
  servers::OrderService& orders_;
  servers::Witnesses& witnesses_;
  runner::ApprovalRunner& runner_;
  const Clock& clock_;
};

}  // namespace caip::main
