// servers/server_service.h: the inventory. Rows are in the database; what an agent reports
// (facts, samples, units, online or not) is kept in memory, one hour of samples at most.
// Every read is scoped by the session's organisation; another organisation's server is not
// found. Thread-safe.
#pragma once
#include <functional>
#include <memory>

#include "channel/agent_keys.h"
#include "proofs/agent_identity.h"
#include "proofs/authorized.h"
#include "proofs/receipt.h"
#include "proofs/session.h"
#include "servers/types.h"

namespace caip::storage { class Database; class Reader; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::secrets { class Keeper; }
namespace caip::authorization { class Authorizer; }

namespace caip::servers {

inline constexpr Duration kCheckTime = std::chrono::seconds(20);
inline constexpr Duration kServerGrace = std::chrono::hours(7 * 24);

struct Events {  // called after the change is durable, on the changing thread: hand over quickly
  std::function<void(const OrgId&, const ServerId&)> server_updated;
  std::function<void(const OrgId&, const ServerId&, const Sample&)> metrics;
  std::function<void(const OrgId&, const ServerId&)> units_updated;
  std::function<void(const ServerId&)> gone;        // with its organisation: whoever is connected is a stranger now
  std::function<void(const ServerId&)> departed;    // let go: whoever is connected has to go, and what was under way there ends
  std::function<void(const ServerId&)> reenrolled;  // whoever is connected with the old certificate has to go
  std::function<void(const ServerId&)> lapsed = {};  // its certificate has ended: whoever is connected renews it first
};

class ServerService final {
 public:
  // `grace`: from disconnecting a server to forgetting it.
  ServerService(storage::Database&, audit::Ledger&, secrets::Keeper&, const authorization::Authorizer&, const Clock&, Duration grace = kServerGrace);
  ~ServerService();
  void on(Events);  // at start, before any thread
  // Whether somebody still stands where they stood (audit::People); without it, nobody's command works.
  void on_maker(std::function<Result<void>(storage::Reader&, const Principal&)>);
  Result<void> load();  // at start: which servers there are

  // --- enrolment. The token is 32 random bytes in base64url, valid half an hour, used once, and no longer than
  // whoever made it may make one. Code::conflict for the name of a server that is there, unless it `replaces` it.
  Result<NewEnrolment> create_enrolment(Authorized<CreateEnrolment>&&, bool replaces = false);
  Result<NewEnrolment> create_enrolment(Authorized<OfferEnrolment>&&);  // by the control plane itself
  // The token is worth nothing from then on. Code::conflict when it was used, or has ended already.
  Result<Receipt<RevokeEnrolment>> revoke_enrolment(Authorized<RevokeEnrolment>&&);
  Result<Page<Enrolment>> enrolments(const Session&, const PageAsk&);  // newest first
  // Wrong, used and expired tokens get one answer (bad_credentials) and are on the record.
  // witness_key: what the server's helper cosigns the log with, Ed25519; 32 bytes, or empty: none.
  // An agent that `renews` gets a certificate for a day; another, as before, one for two years.
  Result<Enrolled> enrol(std::string_view token, const std::string& csr_pem, const Foreign& hostname, Origin, const Bytes& witness_key = {}, bool renews = false);

  // --- the key of a server's agent, and its certificates. A certificate lives a day and is renewed from its half on; a key lives thirty
  // days. The new one takes the old one's place when it is first used: until then either is let in, and from then on the old one is
  // refused. Whose certificate has ended may renew it, as long as its key counts and its server was seen within kMostLapsed.
  Instant key_time();  // never before the log's newest entry
  // At start, after load(): the log's newest entry. keep_time() within the transaction that says that we run.
  void not_before(Instant newest);
  Result<void> keep_time(storage::WriteTx&);
  Result<void> knocks(const AgentIdentity&);                            // forbidden, on record now and then: a key that is not let in
  Result<void> met(const AgentIdentity&, bool renews, bool proves = false);                  // before online(): a new key that is used for the first time is its server's
  std::optional<channel::KeyAsk> ask_key(const AgentIdentity&);         // what is due
  Result<channel::KeyIssued> offered(const AgentIdentity&, const channel::KeyOffer&);
  // From end to end: its agent makes a fresh handshake and signs a challenge with its key. Begun here; how it ended is in the server's
  // key, and in the log, within kCheckTime. Code::too_many: one at a time for each organisation.
  Result<void> check_channel(Authorized<CheckChannel>&&);
  void proved(const AgentIdentity&, const channel::KeyProof&);
  void on_challenge(std::function<Result<void>(const ServerId&, const Bytes& nonce)>);  // at start
  // Two live holders of its key: neither is let in any more, until an install command replaces it. Nobody can say which of them is the server.
  void twice(const AgentIdentity&, const std::string& here, const std::string& there);
  void on_ask(std::function<void(const ServerId&, const channel::KeyAsk&)>);  // at start
  // The authority that signs agents' certificates was replaced, and the listener shows the new one's: every server gets a certificate
  // of it, those that are connected within minutes. Before that nobody is given one.
  void authority_changed();
  std::int64_t of_earlier_authorities() const;  // servers that came with another's certificate the last time
  void tick_keys();  // every second or so: asks whoever is due, and parts from whose certificate has ended
  Result<Receipt<RotateServerKey>> rotate_key(Authorized<RotateServerKey>&&);
  Result<Receipt<RevokeServerKey>> revoke_key(Authorized<RevokeServerKey>&&);  // whoever is connected is thrown out; the way back is an install command

  // --- letting go. First a date: until it comes nobody connects as this server and nothing is sent to it, all of it is kept,
  // and one click restores it. Then it is forgotten: its row, what is known of files on it, its certificate's worth. The machine
  // runs on, and is told nothing. `typed`: its name, as a second look at which one it is (else Code::invalid). Code::conflict
  // when there is a date already, or none; Code::forbidden for a production server, but for an Owner. What is refused is on the record.
  Result<Receipt<DisconnectServer>> disconnect(Authorized<DisconnectServer>&&, const ServerName& typed);
  Result<Receipt<RestoreServer>> restore(Authorized<RestoreServer>&&);
  Duration grace() const noexcept;
  Result<Hanging> hanging(const Session&, const ServerId&) const;
  std::vector<std::pair<OrgId, ServerId>> leaving() const;  // whose date has come
  Result<Receipt<ForgetServer>> forget(Authorized<ForgetServer>&&);  // Code::conflict when it has not

  // --- what it is for. Code::forbidden for whoever may not release from production (Permission::production_release) where it
  // counted as production and would not any more; Code::precondition_failed when somebody else changed it since `version`. What is refused is on the record.
  Result<Receipt<SetEnvironment>> set_environment(Authorized<SetEnvironment>&&, std::int64_t version);
  Result<void> offer_environment(Authorized<OfferEnvironment>&&);  // once, where it is unknown: what somebody has set stays
  Result<bool> came_by_offer(const OrgId&, const ServerId&) const;  // by an install command of the control plane itself, and not by a person's
  // At start. Within the transaction in which a server begins or ends to count as production; what is given is called once that is durable.
  // `by`: none where another machine took its place, which is unknown again.
  using InMove = std::function<Result<std::function<void()>>(storage::WriteTx&, const OrgId&, const std::optional<UserId>& by, const ServerId&)>;
  void on_move(InMove);
  // Whether it counts as production, as seen from inside a transaction; one that is not there does.
  static Result<bool> production_within(storage::Reader&, const OrgId&, const ServerId&);

  // Within the transaction that ends an organisation: its servers, what was asked of them, and its install commands.
  // What is given lets go of what is in memory, once that is durable.
  Result<std::function<void()>> end_of(storage::WriteTx&, const OrgId&);

  // --- reading
  Result<std::vector<Server>> list(const Session&) const;
  Result<Server> get(const Session&, const ServerId&) const;
  Result<std::vector<Sample>> samples(const Session&, const ServerId&) const;  // oldest first
  Result<std::vector<Unit>> units(const Session&, const ServerId&) const;
  // For the other domain rooms: without a session, so the caller scopes.
  std::optional<Server> find(const ServerId&) const;
  struct Presence {
    ServerId id;
    bool online, leaving;
  };
  std::vector<Presence> presence() const;  // of all servers
  std::optional<Server> find_by_name(const OrgId&, std::string_view name) const;

  // --- from the channel. An agent is let in when the key it shows is its server's;
  // each call looks again, in the same step in which it changes something. online(): false when not.
  bool accepts(const AgentIdentity&) const;
  std::optional<Bytes> witness_key(const ServerId&) const;
  bool online(const AgentIdentity&, const Facts&);
  void offline(const AgentIdentity&);
  void report(const AgentIdentity&, const Sample&);
  void report(const AgentIdentity&, std::vector<Unit>);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::servers
