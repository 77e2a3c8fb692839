// agent/helper.h: the root half. It takes orders from the network half over a socketpair and
// believes none of them: OrderVerifier checks each, Witness holds its log against what this server
// has seen of it, OrderBook lets it run once, UnitManager has one function per verb and no command
// line.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "agent/env_files.h"
#include "agent/identity.h"
#include "agent/keys.h"
#include "agent/order_book.h"
#include "agent/policy.h"
#include "agent/sites.h"
#include "agent/witness.h"
#include "base/time.h"
#include "channel/order.h"
#include "model/units.h"

namespace caip::wire { class ChannelCheck; class CheckpointOffer; class Credential; class KeyAsk; class KeyIssued; class KeyOffer; class KeyProof; class KeysHeld; class Order; class OrderResult; class Successions; class Unit; class UnitList; class Witnessed; }

namespace caip::agent {

class UnitManager {
 public:
  virtual ~UnitManager() = default;
  virtual Result<void> list(wire::UnitList&) = 0;
  virtual Result<void> status(const UnitName&, wire::Unit&) = 0;  // not_found when nothing defines it
  // All that systemd knows it by, and for enable and disable all that its file brings along. Errors: invalid, where that is not known.
  virtual Result<std::vector<std::string>> reached(UnitVerb, const UnitName&) = 0;
  virtual Result<void> run(UnitVerb, const UnitName&) = 0;        // waits until systemd is done with it
  virtual Result<std::vector<std::string>> journal(const UnitName&, std::int64_t lines) = 0;  // oldest first
  virtual Result<void> reboot() = 0;  // has begun when it returns; there is time for an answer, and none is waited for
};

std::unique_ptr<UnitManager> make_systemd();  // sd-bus and sd-journal

class Helper {
 public:
  Helper(Keys keys, Witness witness, OrderBook book, UnitManager& units, EnvFiles env, const Clock& clock, PolicyFile policy = PolicyFile(kPolicyFile), std::string sites_folder = kSitesState)
      : keys_(std::move(keys)), verifier_(keys_.trust(), clock), witness_(std::move(witness)), book_(std::move(book)), units_(units), env_(std::move(env)), sites_(units, std::move(sites_folder)), clock_(clock), policy_(std::move(policy)) {}
  // Never fails: a refusal is a result too. Empty order id: not even that could be read. What comes
  // back fits a frame and is UTF-8, whatever the machine said.
  wire::OrderResult handle(const wire::Order&);
  wire::Witnessed look(const wire::CheckpointOffer&);  // nor does this
  wire::KeysHeld follow(const wire::Successions&);     // nor this
  wire::KeysHeld held() const;
  void prove_with(Identity identity) { identity_ = std::move(identity); }  // at start
  wire::KeyOffer offer(const wire::KeyAsk&);         // empty: there is none
  wire::Credential take(const wire::KeyIssued&);     // likewise
  wire::KeyProof prove(const wire::ChannelCheck&);   // likewise
  Result<void> list(wire::UnitList& out) { return units_.list(out); }
  // Frames on fd until it is closed.
  Result<void> serve(int fd);

 private:
  Result<void> may_control(const ServerAction&);
  Result<void> about_site(const ServerAction&, const OperationId&, wire::OrderResult&);
  Result<void> execute(const OperationId&, const ServerAction&, const channel::SharedEnv&, wire::OrderResult&);
  Result<void> serve_one(int fd, std::string& body);
  Result<channel::KeyOffer> make_offer(const wire::KeyAsk&);
  Result<wire::Credential> make_credential(const wire::KeyIssued&);
  Keys keys_;
  channel::OrderVerifier verifier_;
  Witness witness_;
  OrderBook book_;
  UnitManager& units_;
  EnvFiles env_;
  SiteDesk sites_;
  const Clock& clock_;
  PolicyFile policy_;
  std::optional<Identity> identity_ = {};
};

}  // namespace caip::agent
