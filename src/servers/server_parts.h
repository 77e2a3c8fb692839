// server_parts.h: what a ServerService has in its hands. Private.
#pragma once
#include <atomic>
#include <deque>
#include <map>

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/guarded.h"
#include "crypto/certificates.h"
#include "secrets/keeper.h"
#include "servers/server_service.h"
#include "storage/database.h"

namespace caip::servers {

struct Live {
  Server server;
  std::string witness = {};  // hex of its public key; empty: none
  Instant asked = {};        // about its key, last
  std::deque<Sample> samples = {};
  std::vector<Unit> units = {};
};
using Inventory = std::map<ServerId, Live>;

// The key that this agent showed is its server's, and worth something. With a certificate that has ended it renews that, and nothing else.
bool holds_key(const Live&, const AgentIdentity&);
Result<Live> read_server(const storage::Row&);
#define SERVER_COLUMNS "id, org, name, environment, certificate, witness, leaves, version, agent_key, next_key, key_state, rotate, key_since, certificate_from, certificate_until, seen, checked_at, check_result, certificate_issuer"

// The time that certificates are held against: never before anything that the log or this process has seen. Of it, what passed while
// nobody could have come is taken off where absences are counted: a control plane that was off for a year has missed nobody.
class KeyTime {
 public:
  explicit KeyTime(const Clock& clock) : clock_(clock) {}
  Instant now();  // while the clock is behind, as time passes
  std::int64_t listened() { return now().micros() - deaf_; }
  std::int64_t deaf() const { return deaf_; }
  void begin(Instant newest, std::int64_t deaf);  // at start: the log's newest entry, and what was stored
  void tick();                                    // every second or so: whoever was not called for long was not listening
 private:
  using Steady = std::chrono::steady_clock;
  struct Latest {
    std::int64_t micros = 0;
    Steady::time_point at = Steady::now();
  };
  const Clock& clock_;
  Guarded<Latest> latest_;
  std::atomic<std::int64_t> deaf_ = 0, ticked_ = 0;
};

struct Check {  // of a channel, under way
  Authorized<CheckChannel> permit;
  OrgId org;
  Bytes nonce;
  Instant asked;
  bool fresh = false;  // it connected anew since
};

struct Asked {  // an agent, about its key
  ServerId server;
  bool rotate = false;
  Instant at;
};

// What people have set of a server, as seen from inside a transaction; nothing: there is none of theirs.
struct Row {
  OrgId org;
  ServerName name;
  Environment environment;
  std::optional<Instant> leaves;
  std::int64_t version;
  bool production() const { return counts_as_production(environment); }
};
Result<std::optional<Row>> row_of(storage::Reader&, const ServerId&, const OrgId&);

struct ServerService::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  secrets::Keeper& keeper;
  const authorization::Authorizer& authorizer;
  const Clock& clock;
  Duration grace;
  Events events = {};
  Guarded<Inventory> inventory = {};
  KeyTime time{clock};
  Guarded<std::map<Bytes, Asked>> asked = {};  // by the question's number: whoever else has the key asks nothing away
  struct Issuer {
    std::string id;  // crypto::authority_id()
    secrets::Authority now;
  };
  Guarded<Issuer> authority = {};  // of the agents' channel
  Result<void> read_authority();
  std::optional<ServerId> asked_last = {};  // tick_keys()'s own
  Guarded<std::map<ServerId, Check>> checks = {};
  std::function<Result<void>(const ServerId&, const Bytes&)> challenge = {};
  Guarded<std::map<ServerId, Instant>> turned_away = {};  // and when that was last put on record

  Result<void> may_view(const Session& s) const { return authorizer.require_view(s, Permission::server_view); }

  std::function<Result<void>(storage::Reader&, const Principal&)> maker_still = {};
  InMove in_move = {};
  std::function<void(const ServerId&, const channel::KeyAsk&)> ask_agent = {};

  template <Action A>
  Result<NewEnrolment> offer(Authorized<A>&& permit, bool replaces);
  std::optional<Server> named(const OrgId&, const ServerName&) const;
  // Nothing, or why this command does not work now; in the writer's lane.
  std::optional<std::string> ended(storage::Reader&, const Enrolment&) const;
  std::unexpected<Error> refuse(Origin, const std::optional<Enrolment>&, std::string why);
  struct Machine {
    const std::string& csr_pem;
    const Foreign& hostname;
    const Bytes& witness_key;
    bool renews;
  };
  Result<Enrolled> admit(const Enrolment&, const Machine&, Origin);

  // Within the transaction in which another machine takes a server's place: nobody has said what that one is for.
  Result<std::function<void()>> another_machine(storage::WriteTx&, const OrgId&, const ServerId&, Instant now) const;
  void settle_environment(const OrgId&, const ServerId&);
  std::optional<channel::KeyAsk> ask(const ServerId&, Live&, bool lapsed, bool due);  // in the inventory's lock
  std::optional<std::string> turns_away(const AgentIdentity&);
  void record_refusal(const AgentIdentity&, const OrgId&, std::string why);
  Result<void> tell_of_past(storage::WriteTx&, const AgentIdentity&, const OrgId&) const;
  Result<bool> quarantine(const AgentIdentity&, const OrgId&, const std::string& here, const std::string& there);
  Result<bool> adopt(const AgentIdentity&);
  std::optional<Check> end_check(const ServerId&);
  void record_check(const ServerId&, Check, std::string why, json::object facts);
  void tick_checks();
  struct Wanted {
    OrgId org;
    std::string name;
    Digest key{};  // the one that is asked for
    bool fresh = false;
  };
  Result<Wanted> wanted(const AgentIdentity&, const channel::KeyOffer&);
  Result<void> register_key(const AgentIdentity&, const Wanted&, const crypto::AgentCertificate&);
  Result<void> keep_time(storage::WriteTx&);
  void reread(const ServerId&);
  void settle(const OrgId&, const ServerId&, const std::optional<std::optional<Instant>>& own);
  // On the record, and to who asked.
  template <Action A>
  std::unexpected<Error> refused(const A& action, const Principal& who, Error why) {
    if (auto logged = ledger.refuse(Denied{AnyAction{action}, who, why.code, why.detail}); !logged) return std::unexpected<Error>(std::move(logged).error());
    return std::unexpected(std::move(why));
  }

  // The live server, if it is one of this organisation's.
  template <class T, class F>
  Result<T> look(const Session& s, const ServerId& id, F f) const {
    CAIP_CHECKED(may_view(s));
    return inventory.with([&](const Inventory& all) -> Result<T> {
      const auto it = all.find(id);
      if (it == all.end() || it->second.server.org != s.org()) return fail(Code::not_found, "no such server");
      return f(it->second);
    });
  }
  // Changes the agent's server and says whose it is. The key is compared under the same
  // lock: a machine that was replaced a moment ago says nothing more.
  template <class F>
  std::optional<OrgId> touch(const AgentIdentity& agent, F f) {
    return inventory.with([&](Inventory& all) -> std::optional<OrgId> {
      const auto it = all.find(agent.server());
      if (it == all.end() || !holds_key(it->second, agent) || agent.shown().lapsed || it->second.server.leaves) return std::nullopt;
      it->second.server.last_seen = clock.now();
      f(it->second);
      return it->second.server.org;
    });
  }
};

}  // namespace caip::servers
