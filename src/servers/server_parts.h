// server_parts.h: what a ServerService has in its hands. Private.
#pragma once
#include <deque>
#include <map>

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/guarded.h"
#include "servers/server_service.h"
#include "storage/database.h"

namespace caip::servers {

struct Live {
  Server server;
  std::string witness = {};  // hex of its public key; empty: none
  std::deque<Sample> samples = {};
  std::vector<Unit> units = {};
};
using Inventory = std::map<ServerId, Live>;

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

  Result<void> may_view(const Session& s) const { return authorizer.require_view(s, Permission::server_view); }

  std::function<Result<void>(storage::Reader&, const Principal&)> maker_still = {};
  InMove in_move = {};

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
  };
  Result<Enrolled> admit(const Enrolment&, const Machine&, Origin);

  // Within the transaction in which another machine takes a server's place: nobody has said what that one is for.
  Result<std::function<void()>> another_machine(storage::WriteTx&, const OrgId&, const ServerId&, Instant now) const;
  void settle_environment(const OrgId&, const ServerId&);
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
  // Changes the agent's server and says whose it is. The certificate is compared under the same
  // lock: a machine that was replaced a moment ago says nothing more.
  template <class F>
  std::optional<OrgId> touch(const AgentIdentity& agent, F f) {
    return inventory.with([&](Inventory& all) -> std::optional<OrgId> {
      const auto it = all.find(agent.server());
      if (it == all.end() || it->second.server.certificate != agent.certificate() || it->second.server.leaves) return std::nullopt;
      it->second.server.last_seen = clock.now();
      f(it->second);
      return it->second.server.org;
    });
  }
};

}  // namespace caip::servers
