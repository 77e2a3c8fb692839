// storage/tx.h: transactions.
//
//   auto tx = db.begin_write();                       // waits for the one writer lane
//   CAIP_TRY(n, tx.exec("UPDATE t SET a = ?1 WHERE id = ?2", a, id));   // rows changed
//   CAIP_TRY(row, tx.one<std::string>("SELECT a FROM t WHERE id = ?1", id,
//                                     [](const Row& r) { return r.text(0); }));  // optional
//   CAIP_CHECKED(tx.query("SELECT a FROM t", [&](const Row& r) { out.push_back(r.text(0)); }));
//   return ledger.commit(std::move(tx), std::move(spent), outcome);
//
// A transaction that is not committed rolls back when it goes out of scope. Never wait for
// anything (network, keeper, another lock) while holding a WriteTx: the whole product waits too.
// A thread must not begin a second write while it holds one. Row functions must not throw and
// must not run statements of the same transaction.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "base/badge.h"
#include "base/result.h"
#include "storage/param.h"
#include "storage/row.h"
#include "storage/sql.h"

namespace caip::audit { class Ledger; }

namespace caip::storage {

class Connection;  // one SQLite connection with its prepared statements; private
class Lane;        // the writer's queue; private
class ReadPool;    // private
using RowFn = std::function<void(const Row&)>;

class Reader {  // what every transaction can do
 public:
  // query(sql, parameters…, row function)
  template <class... A>
  Result<void> query(Sql sql, A&&... a) {
    auto all = std::forward_as_tuple(std::forward<A>(a)...);
    return [&]<std::size_t... I>(std::index_sequence<I...>) -> Result<void> {
      const std::array<Param, sizeof...(I)> params{Param(std::get<I>(all))...};
      return run(sql, params, RowFn(std::ref(std::get<sizeof...(A) - 1>(all))));
    }(std::make_index_sequence<sizeof...(A) - 1>{});
  }
  // one<T>(sql, parameters…, row -> T): the first row, if there is one
  template <class T, class... A>
  Result<std::optional<T>> one(Sql sql, A&&... a) {
    auto all = std::forward_as_tuple(std::forward<A>(a)...);
    std::optional<T> out;
    auto take = [&](const Row& r) { if (!out) out.emplace(std::get<sizeof...(A) - 1>(all)(r)); };
    auto done = [&]<std::size_t... I>(std::index_sequence<I...>) -> Result<void> {
      const std::array<Param, sizeof...(I)> params{Param(std::get<I>(all))...};
      return run(sql, params, RowFn(std::ref(take)));
    }(std::make_index_sequence<sizeof...(A) - 1>{});
    if (!done) return std::unexpected<Error>(std::move(done).error());
    return out;
  }

 protected:
  Reader() = default;
  Result<void> run(Sql, std::span<const Param>, const RowFn&);
  Connection* connection_ = nullptr;
};

class [[nodiscard]] ReadTx final : public Reader {  // one snapshot, as of its first query
 public:
  ReadTx(ReadTx&&) noexcept;
  ReadTx(const ReadTx&) = delete;
  ReadTx& operator=(const ReadTx&) = delete;
  ~ReadTx();

 private:
  friend class Database;
  ReadTx(ReadPool&, Connection&);
  ReadPool* pool_;
};

// Writes into the tables of the log; the ledger alone gets one.
class LogWriter final {
 public:
  template <class... A>
  Result<void> insert(Sql sql, const A&... a) {
    const std::array<Param, sizeof...(A)> params{Param(a)...};
    return run(sql, params);
  }
  // Counts transactions undone so far: what was cached about the log before is stale after.
  std::uint64_t undone() const;

 private:
  friend class WriteTx;
  friend class Lane;
  explicit LogWriter(Lane& lane) : lane_(&lane) {}
  Result<void> run(Sql, std::span<const Param>);
  Lane* lane_;
};

class [[nodiscard]] WriteTx final : public Reader {
 public:
  WriteTx(WriteTx&&) noexcept;
  WriteTx(const WriteTx&) = delete;
  WriteTx& operator=(const WriteTx&) = delete;
  ~WriteTx();  // rolls back unless committed

  template <class... A>
  Result<std::int64_t> exec(Sql sql, const A&... a) {  // rows changed
    const std::array<Param, sizeof...(A)> params{Param(a)...};
    return change(sql, params);
  }
  LogWriter log(Badge<audit::Ledger>);
  // Returns when this transaction is durable, or with it undone.
  Result<void> commit(Badge<audit::Ledger>) &&;

 private:
  friend class Lane;
  WriteTx(Lane&, Connection&);
  Result<std::int64_t> change(Sql, std::span<const Param>);
  Lane* lane_;
};

}  // namespace caip::storage
