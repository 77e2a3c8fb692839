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
//
// To sleep and be woken costs a thread more than a transaction does. So whoever finds the lane taken stays
// awake for a moment first (those are awake_, the others asleep_), and the last one in looks out for a moment
// for those who shared the group before: they were answered together and are likely to come again together.
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
    bool lost = false;  // SQLite rolled the group back under us
    std::optional<Error> why;
    // For its members, who do not get in the way of the next group.
    std::mutex mutex;
    std::condition_variable ended;
    bool over = false;
    std::optional<Error> failed;
  };
  void take(std::unique_lock<std::mutex>&);
  void stay_awake(std::unique_lock<std::mutex>&);
  void look_out(std::unique_lock<std::mutex>&) const;
  void release(std::unique_lock<std::mutex>&);         // and unlocks
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
  // Written with mutex_ held; read without it by who stays awake or looks out.
  std::atomic<bool> busy_ = false;
  std::atomic<bool> leading_ = false;  // by who makes the group durable: that takes long
  std::atomic<std::size_t> waiting_ = 0;
  std::size_t awake_ = 0, asleep_ = 0;  // of those who wait
  std::size_t passed_ = 0;              // how often the lane was taken past those asleep
  bool handed_ = false;                 // to one of them, past nobody
  std::size_t last_members_ = 0;        // of the group before
  std::thread::id holder_;
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
