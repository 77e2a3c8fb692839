// storage/lane.h (private): the one writer. A WriteTx is a savepoint inside a group, which is
// one SQLite transaction.
//
//   begin    waits until the lane is free, opens the group if there is none, sets a savepoint
//   commit   releases the savepoint and frees the lane; while writers wait for it and the group
//            is young, it waits for them to join; the last one in becomes the leader, seals the
//            group (checkpoint), COMMITs (one fsync) and wakes all
//   rollback undoes its savepoint only, and leads if others were waiting for it to join
//
// Whoever holds the lane (busy_) has the connection to itself; mutex_ is never held over I/O.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "connection.h"
#include "storage/database.h"

namespace caip::storage {

class Lane final {
 public:
  explicit Lane(std::unique_ptr<Connection>);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();

  WriteTx begin();
  Result<void> commit();  // by the holder of the lane
  void rollback();        // by the holder of the lane
  Result<std::int64_t> change(Sql, std::span<const Param>);
  Result<void> log(Sql, std::span<const Param>);
  std::uint64_t undone() const { return undone_.load(); }
  std::uint64_t groups() const { return groups_.load(); }
  void set_seal(Database::Seal);

 private:
  struct Group {  // shared by its members until each has its answer
    std::size_t members = 0;
    std::chrono::steady_clock::time_point began;
    bool over = false;
    bool lost = false;  // SQLite rolled the group back under us
    std::optional<Error> why;
    std::optional<Error> failed;
  };
  void take(std::unique_lock<std::mutex>&);
  bool should_wait() const;                            // mutex_ held
  void lead(std::unique_lock<std::mutex>&);            // by the holder of the lane
  Result<void> make_durable();
  Result<void> control(Sql);
  Result<void> remember(Result<void>);
  bool lost() const;
  Result<void> usable();
  Result<void> close_savepoint();
  void undo_savepoint();
  static int refuse_unlogged(void* self);  // sqlite3_commit_hook

  std::unique_ptr<Connection> connection_;
  Database::Seal seal_;

  std::mutex mutex_;
  std::condition_variable free_;
  std::condition_variable over_;
  bool busy_ = false;
  std::thread::id holder_;
  std::size_t waiting_ = 0;
  std::shared_ptr<Group> group_;  // open, not yet durable

  // Of the holder of the lane.
  std::optional<Error> broken_;     // BEGIN or SAVEPOINT failed: the transaction only reports
  std::int64_t start_changes_ = 0;  // total_changes() when this transaction began
  std::int64_t covered_ = 0;        // total_changes() up to which every change has its entry or was undone
  bool logged_ = false;
  std::atomic<std::uint64_t> undone_{0};
  std::atomic<std::uint64_t> groups_{0};
};

class ReadPool final {
 public:
  explicit ReadPool(std::filesystem::path file) : file_(std::move(file)) {}
  Connection& take();
  void give_back(Connection&);

 private:
  static constexpr std::size_t kMost = 16;
  std::filesystem::path file_;
  std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<Connection>> all_;
  std::vector<Connection*> idle_;
};

}  // namespace caip::storage
