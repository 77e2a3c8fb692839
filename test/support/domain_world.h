// domain_world.h: what the tests of approvals, servers and runner share: a data directory with
// database and log, people, and stand-ins for the three minters that these rooms do not see.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "authorization/authorizer.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/mldsa.h"
#include "crypto/random.h"
#include "outbox/outbox.h"
#include "storage/database.h"

namespace caip::auth {
class SessionStore {
 public:
  static Session mint(Principal who) { return Session(Badge<SessionStore>{}, std::move(who)); }
};
}  // namespace caip::auth

namespace caip::auth {
class StepUpVerifier {
 public:
  static StepUp mint(const Session& session, Instant now) { return StepUp(Badge<StepUpVerifier>{}, session.id(), now); }
};
}  // namespace caip::auth

namespace caip::channel {
class Handshake {
 public:
  static AgentIdentity mint(const ServerId& server, std::string_view certificate_pem, Instant now = {}, std::string signature = "mldsa65") {
    auto shown = crypto::read_agent_certificate(certificate_pem).value();
    return AgentIdentity(Badge<Handshake>{}, server,
                         {.certificate = shown.fingerprint, .key = shown.key, .from = shown.from, .until = shown.until, .lapsed = now >= shown.until, .group = "X25519MLKEM768", .issuer = shown.issuer, .signature = std::move(signature)});
  }
};
}  // namespace caip::channel

namespace caip::test {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/caip-domain-XXXXXX";
    path = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

struct Person {
  OrgId org;
  UserId user = crypto::random_id<UserId>();
  Role role = Role::owner;
  Session session(Source source = Source::user) const {
    Principal p;
    p.source = source;
    p.org = org;
    p.user = user;
    p.session = crypto::random_id<SessionId>();
    p.role = role;
    p.origin = {"192.0.2.1", Foreign("test"), "req_test"};
    return auth::SessionStore::mint(std::move(p));
  }
  Session pilot() const { return session().as_pilot(); }
};

struct Base {
  explicit Base(storage::Migrations more) : migrations(std::move(more)) { open(); }
  // As after a crash: everything is read again from the files.
  void open() {
    ledger.reset();
    db.reset();
    auto all = audit::migrations();
    for (auto& m : outbox::migrations()) all.push_back(m);
    for (auto& m : migrations) all.push_back(m);
    db = storage::Database::open(folder.path + "/caip.db", std::move(all)).value();
    ledger = audit::Ledger::open(*db, clock, [this](BytesView b) { return Result<Bytes>(key.sign(b)); }, key.public_key(),
                                 audit::LogKey{[this](BytesView b) { return Result<Bytes>(second.sign(b)); }, second.public_key()})
                 .value();
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});  // auth's own tests ask in earnest
  }
  std::size_t logged(std::string_view action, std::string_view result) {
    audit::Filter f;
    f.action = std::string(action);
    f.result = std::string(result);
    std::size_t count = 0;
    std::optional<std::string> cursor;
    do {
      auto page = audit::Query(*ledger).list(f, 200, cursor).value();
      count += page.entries.size();
      cursor = page.next_cursor;
    } while (cursor);
    return count;
  }

  storage::Migrations migrations;
  Folder folder;
  ManualClock clock{Instant(1'790'000'000'000'000)};
  crypto::SigningKey key = crypto::SigningKey::generate();
  crypto::CosigningKey second = crypto::CosigningKey::generate();
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<audit::Ledger> ledger;
  authorization::Authorizer authorizer{clock};
  // By somebody who has just entered their password.
  template <Action A>
  authorization::Decision<A> authorize(const Session& session, A action) const {
    if constexpr (A::kStepUp == StepUpNeed::never) return authorizer.authorize(session, std::move(action));
    else return authorizer.authorize(session, std::move(action), auth::StepUpVerifier::mint(session, clock.now()));
  }
  OrgId org = crypto::random_id<OrgId>();
};

inline Digest digest_of(const ServerAction& a) { return crypto::sha256(caip::view(encode(a))); }
inline UnitName unit(std::string_view name) { return UnitName::parse(name).value(); }
inline ControlUnit control(std::string_view name) { return ControlUnit::parse(name).value(); }

}  // namespace caip::test
