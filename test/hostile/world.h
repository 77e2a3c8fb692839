// world.h: a whole control plane in this process, as caipd wires it, two organisations with people and servers, and on each
// server the real helper, whose units write down what is really done. The model is the one that a script plays.
#pragma once
#include <condition_variable>
#include <deque>
#include <thread>

#include "agent/helper.h"
#include "boost/asio/io_context.hpp"
#include "caipd_due.h"
#include "caipd_plane.h"
#include "oracle.h"

namespace caip::hostile {

// In what nobody of the first organisation's AI may ever see, and in every secret: looked for in all that a provider is sent.
inline constexpr std::string_view kUnseen = "zqmark";
inline constexpr std::string_view kCanary = "cnry7x5";

struct Person {
  OrgId org;
  UserId user;
  SessionId session;
  Role role;
  std::string email;
  std::string token = {};
  Instant fresh = {};
};

class Machine final : public agent::UnitManager {
 public:
  Machine(std::string folder, ServerId, std::string certificate_pem, channel::OrderTrust, crypto::SigningKey, const Clock&, Oracle&);
  wire::OrderResult handle(const channel::SignedOrder&);

  Result<void> list(wire::UnitList&) override;
  Result<void> status(const UnitName&, wire::Unit&) override;
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName&) override;
  Result<void> run(UnitVerb, const UnitName&) override;
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override;
  Result<void> reboot() override;

  const ServerId id;
  const std::string certificate_pem;
  std::vector<std::string> lines;  // of its logs
  std::string described = "a service";
  std::string state = "running";
  std::string failing;             // what doing something to a unit fails with; empty: it does not
  std::string listed = "nginx";    // a name in the lists of processes, ports and disks

 private:
  wire::OrderResult lists(const std::string& action) const;
  Oracle& oracle_;
  std::string order_;  // what is run now
  agent::Helper helper_;
};

class World {
 public:
  explicit World(std::unique_ptr<pilot::PilotClient>);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Session session(Person&);
  template <Action A>
  authorization::Decision<A> permit(Person& who, A action) {
    const Session s = session(who);
    if constexpr (A::kStepUp == StepUpNeed::never) return plane->authorizer.authorize(s, std::move(action));
    else {
      auto proof = plane->step_up.prove(s);
      if (!proof) return std::unexpected(Denied{AnyAction{std::move(action)}, s.principal(), proof.error().code, proof.error().detail});
      return plane->authorizer.authorize(s, std::move(action), *std::move(proof));
    }
  }
  void freshen();        // everybody has just shown who they are
  void role(Person&, Role);     // by the product's own command, and signed in again
  void access(const ServerId&, AiAccess);
  void environment(const ServerId&, Environment);
  void stop_ai(), start_ai(), forbid_writes(), allow_writes(), two_people(bool);
  void operation(const std::string& name, bool on);
  void unprotect(Duration), protect();
  void as_before();      // all settings, after a transcript
  // SQL behind the product's back, in a transaction with some entry.
  void tamper(const std::function<void(storage::WriteTx&)>&);
  void units(const ServerId&, const std::string& name);  // one more unit that a server says it has
  void settle();         // waits until the servers have answered all that they were sent
  // Asks the Pilot and waits for the end of its answer; false: the question was not taken.
  bool ask(Person&, const ConversationId&, const std::string& words, const std::function<bool()>& quiet);
  void hold_wire(bool);  // orders cannot be sent meanwhile
  Machine& machine(const ServerId& s) { return *machines.at(s); }
  std::vector<channel::SignedOrder> sent_writes();  // since the last call

  std::string folder;
  ManualClock clock{Instant(1'790'000'000'000'000)};
  Oracle oracle{clock};
  main::Config config;
  boost::asio::io_context io{1};
  std::unique_ptr<main::Plane> plane;
  OrgId ours = crypto::random_id<OrgId>(), theirs = crypto::random_id<OrgId>();
  Person owner, admin, second, member, viewer, stranger;  // the last one owns the other organisation
  std::map<std::string, ServerId> named;  // ours by name; of theirs "theirs" and, never spoken of, "unseen"
  std::map<ServerId, std::unique_ptr<Machine>> machines;
  std::vector<std::string> tokens;  // every credential in plain text that there is

 private:
  Person person(const OrgId&, Role, const std::string& email);
  void people();
  void server(Person& by, const std::string& as, const std::string& name, Environment, AiAccess);
  void secrets();
  void serve();
  struct Waiting {
    ServerId server;
    channel::SignedOrder order;
  };
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> orders_;
  bool busy_ = false, stopping_ = false, down_ = false;
  std::vector<channel::SignedOrder> writes_;
  std::set<std::string> changed_;  // settings to put back
  std::thread server_;
};

}  // namespace caip::hostile
