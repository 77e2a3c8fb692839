// The index behind the log's filters, against a look at each entry.
#include <thread>

#include "test_log.h"

namespace caip::audit {
namespace {

// All pages of a filter: the places of its entries.
std::vector<std::uint64_t> places(Query& query, const Filter& f, std::size_t page) {
  std::vector<std::uint64_t> out;
  for (std::optional<std::string> cursor;;) {
    const auto some = query.list(f, page, cursor).value();
    for (const auto& e : some.entries) out.push_back(e.index);
    if (!(cursor = some.next_cursor)) return out;
  }
}

// Entries of two organisations and of none, by three people, of three actions and three endings.
void mixture(Log& log, int count) {
  for (int n = 0; n < count; ++n) {
    Principal p = Log::someone();
    p.org = n % 5 == 0 ? std::nullopt : std::optional(an_id<OrgId>(n % 3 == 0 ? 2 : 1));
    p.user = an_id<UserId>(static_cast<std::uint8_t>(n % 7 % 3));
    const Outcome outcome{.result = n % 11 == 0 ? Ending::failed : n % 13 == 0 ? Ending::denied : Ending::completed};
    const auto put = [&]<Action A>(A a) {
      auto permit = authorization::Authorizer::permit(std::move(a), p, log.clock.now());
      REQUIRE(log.ledger->commit(log.db->begin_write(), std::move(permit).spend(log.clock.now()).value(), outcome));
    };
    if (n % 4 == 0) put(ReadLog{});
    else if (n % 4 == 1) put(ExportLog{n});
    else put(SignOut{an_id<SessionId>(3)});
  }
}

}  // namespace

TEST_CASE("by the index one finds what a look at each entry finds, for each filter, page size and state of the index") {
  Log log;
  mixture(log, 400);
  Query query(*log.ledger);
  std::vector<Filter> filters;
  for (const std::optional<OrgId>& org : {std::optional(an_id<OrgId>(1)), std::optional(an_id<OrgId>(2)), std::optional(an_id<OrgId>(9))})
    for (const bool unowned : {false, true}) {
      filters.push_back({.org = org, .unowned = unowned});
      filters.push_back({.org = org, .unowned = unowned, .action = "log.read"});
      filters.push_back({.org = org, .unowned = unowned, .action = "log.export", .result = "failed"});
      filters.push_back({.org = org, .unowned = unowned, .actor = an_id<UserId>(1).str(), .result = "denied"});
      filters.push_back({.org = org, .unowned = unowned, .action = "no.such"});
      filters.push_back({.org = org, .unowned = unowned, .result = "completed", .text = an_id<SessionId>(3).str()});
    }
  std::vector<std::vector<std::uint64_t>> scanned;
  for (const auto& f : filters) scanned.push_back(places(query, f, 50));
  CHECK(scanned[0].size() + scanned[12].size() > 300);  // the mixture is one
  for (const std::size_t upto : {std::size_t{130}, std::size_t{400}}) {
    while (log.ledger->index_some(upto == 400 ? 500 : 130).value() && upto == 400) {}
    for (std::size_t n = 0; n < filters.size(); ++n)
      for (const std::size_t page : {std::size_t{1}, std::size_t{7}, std::size_t{200}}) {
        CAPTURE(n, page, upto);
        CHECK(places(query, filters[n], page) == scanned[n]);
      }
  }
}

namespace {

// Entries in one transaction: a person's, every third another's.
void many(Log& log, int count) {
  auto tx = log.db->begin_write();
  for (int n = 0; n < count; ++n) {
    Principal p = Log::someone();
    p.user = an_id<UserId>(n % 3 == 0 ? 1 : 2);
    auto spent = authorization::Authorizer::permit(SignOut{an_id<SessionId>(3)}, p, log.clock.now()).spend(log.clock.now()).value();
    if (n + 1 < count) REQUIRE(log.ledger->append(tx, std::move(spent)).has_value());
    else REQUIRE(log.ledger->commit(std::move(tx), std::move(spent)).has_value());
  }
}

}  // namespace

TEST_CASE("a batch of many entries has rows that fit on their page, and all of them are found") {
  Log log;
  many(log, 1200);
  Query query(*log.ledger);
  const Filter often{.org = an_id<OrgId>(1), .actor = an_id<UserId>(2).str()}, all{.org = an_id<OrgId>(1), .action = "session.sign_out"};
  const auto before = places(query, often, 200);
  CHECK_FALSE(log.ledger->index_some(1200).value());
  CHECK(places(query, often, 200) == before);
  CHECK(places(query, often, 7) == before);
  CHECK(places(query, all, 50).size() == 1200);
  log.stop();
  CHECK(log.count("SELECT max(length(places)) FROM log_postings") == 2 * 480);
  CHECK(log.count("SELECT sum(length(places)) FROM log_postings") == 2 * 1200 * 5);  // organisation, action, actor, result, source
}

TEST_CASE("several threads bring the index on at once, in batches of any size, and nothing is missing from it") {
  Log log;
  many(log, 600);
  {
    std::vector<std::jthread> all;
    for (std::size_t t = 1; t <= 4; ++t)
      all.emplace_back([&, t] {
        for (;;) {
          const auto more = log.ledger->index_some(13 * t);
          CAIP_ASSERT(more.has_value());
          if (!*more) break;
        }
      });
  }
  while (log.ledger->index_some().value()) {}
  Query query(*log.ledger);
  CHECK(places(query, {.org = an_id<OrgId>(1), .actor = an_id<UserId>(1).str()}, 200).size() == 200);
  log.stop();
  CHECK(log.count("SELECT sum(length(places)) FROM log_postings") == 2 * 600 * 5);
}

}  // namespace caip::audit
