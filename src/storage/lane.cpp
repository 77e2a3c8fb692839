#include "lane.h"

#include <sqlite3.h>

#include "base/log.h"

namespace caip::storage {
namespace {

// A group closes when nobody waits to join it, and at the latest then: the first member's reply
// must not be put off by a stream of others.
constexpr std::size_t kMostMembers = 512;
constexpr auto kMostAge = std::chrono::milliseconds(5);

constexpr auto kAwake = std::chrono::microseconds(50);    // waiting for the lane: some transactions' time
constexpr auto kLookOut = std::chrono::microseconds(30);  // for those of the group before
constexpr std::size_t kMostPassed = 64;                   // past those who went to sleep

// While it is so, and at most so long. On one processor nobody else could change it meanwhile.
template <class F>
void spin_while(std::chrono::microseconds most, F&& so) {
  static const bool several = std::thread::hardware_concurrency() > 1;
  if (!several) return;
  const auto until = std::chrono::steady_clock::now() + most;
  while (so() && std::chrono::steady_clock::now() < until) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

}  // namespace

Lane::Lane(std::unique_ptr<Connection> c) : connection_(std::move(c)) {
  covered_ = connection_->total_changes();
  sqlite3_commit_hook(connection_->handle(), &Lane::refuse_unlogged, this);
}

Lane::~Lane() { CAIP_ASSERT(!busy_); }

void Lane::set_seal(Database::Seal seal) {
  std::unique_lock lock(mutex_);
  take(lock);
  seal_ = std::move(seal);
  release(lock);
}

void Lane::take(std::unique_lock<std::mutex>& lock) {
  CAIP_ASSERT(!busy_ || holder_ != std::this_thread::get_id());  // would wait for itself
  ++waiting_;
  if (busy_) stay_awake(lock);
  if (!busy_ && asleep_ > 0) ++passed_;
  while (busy_) {
    ++asleep_;
    free_.wait(lock, [this] { return !busy_ || handed_; });
    --asleep_;
    passed_ = 0;
    if (std::exchange(handed_, false)) break;  // busy_, for us
  }
  --waiting_;
  busy_ = true;
  holder_ = std::this_thread::get_id();
}

void Lane::stay_awake(std::unique_lock<std::mutex>& lock) {
  ++awake_;
  lock.unlock();
  spin_while(kAwake, [&] {
    if (leading_) return false;
    if (busy_ || !lock.try_lock()) return true;  // lock() might sleep, and whoever has it is about to let go
    if (!busy_) return false;
    lock.unlock();
    return true;
  });
  if (!lock.owns_lock()) lock.lock();
  --awake_;
}

// Whoever is awake takes it, or goes to sleep only after another look. Those asleep are woken when nobody is, and
// when they were passed too often.
void Lane::release(std::unique_lock<std::mutex>& lock) {
  const bool wake = asleep_ > 0 && (awake_ == 0 || passed_ >= kMostPassed);
  handed_ = wake && passed_ >= kMostPassed;
  busy_ = handed_;
  holder_ = {};
  lock.unlock();
  if (wake) free_.notify_one();
}

// With the lane held.
void Lane::look_out(std::unique_lock<std::mutex>& lock) const {
  if (waiting_ > 0 || group_->members >= last_members_) return;
  lock.unlock();
  spin_while(kLookOut, [&] { return waiting_ == 0; });
  lock.lock();
}

Result<void> Lane::control(Sql sql) { return remember(connection_->run(Rights::data, sql.text(), {})); }

// When SQLite undoes the whole group because of an error, the others of the group hear of that one.
Result<void> Lane::remember(Result<void> done) {
  if (!done && group_ && lost() && !group_->why) group_->why = done.error();
  return done;
}

WriteTx Lane::begin() {
  bool fresh = false;
  {
    std::unique_lock lock(mutex_);
    take(lock);
    if (!group_) {
      group_ = std::make_shared<Group>();
      group_->began = std::chrono::steady_clock::now();
      fresh = true;
    }
  }
  broken_.reset();
  logged_ = false;
  start_changes_ = connection_->total_changes();
  Result<void> done;
  if (fresh) done = control("BEGIN IMMEDIATE");
  else if (lost()) group_->lost = true;  // before our savepoint would begin a new transaction
  if (done) done = control("SAVEPOINT one");
  if (!done) broken_ = std::move(done).error();
  return WriteTx(*this, *connection_);
}

// A full disk or an I/O error may make SQLite roll back the whole group at once. What follows
// must not run on its own, and nobody of the group may be told that it is durable.
bool Lane::lost() const { return sqlite3_get_autocommit(connection_->handle()) != 0; }

Result<void> Lane::usable() {
  if (!broken_ && lost()) broken_ = group_ && group_->why ? *group_->why : Error{Code::storage_failed, "the database undid this transaction"};
  if (broken_) return std::unexpected(*broken_);
  return {};
}

Result<std::int64_t> Lane::change(Sql sql, std::span<const Param> params) {
  CAIP_CHECKED(usable());
  CAIP_CHECKED(remember(connection_->run(Rights::data, sql.text(), params)));
  return connection_->changes();
}

Result<void> Lane::log(Sql sql, std::span<const Param> params) {
  CAIP_CHECKED(usable());
  CAIP_CHECKED(remember(connection_->run(Rights::log, sql.text(), params)));
  logged_ = true;
  return {};
}

// Ends the savepoint for good, or refuses: what changed something must have an entry.
Result<void> Lane::close_savepoint() {
  CAIP_CHECKED(usable());
  if (!logged_ && connection_->total_changes() != start_changes_)
    return fail(Code::internal, "a transaction changed data without a log entry");
  CAIP_CHECKED(control("RELEASE one"));
  covered_ = connection_->total_changes();
  return {};
}

void Lane::undo_savepoint() {
  ++undone_;
  if (broken_) return;
  if (!control("ROLLBACK TO one") || !control("RELEASE one")) broken_ = Error{Code::storage_failed, "cannot roll back"};
  covered_ = connection_->total_changes();
}

bool Lane::should_wait() const {
  return waiting_ > 0 && group_->members < kMostMembers &&
         std::chrono::steady_clock::now() - group_->began < kMostAge;
}

Result<void> Lane::commit() {
  auto closed = close_savepoint();
  if (!closed) {
    rollback();
    return closed;
  }
  std::unique_lock lock(mutex_);
  const auto group = group_;
  ++group->members;
  look_out(lock);
  if (should_wait()) {
    release(lock);
    std::unique_lock members(group->mutex);
    group->ended.wait(members, [&] { return group->over; });
  } else {
    lead(lock);
  }
  if (group->failed) return std::unexpected(*group->failed);  // nobody writes to it any more
  return {};
}

void Lane::rollback() {
  undo_savepoint();
  std::unique_lock lock(mutex_);
  if (group_->members > 0 && should_wait()) {
    release(lock);
  } else {
    lead(lock);  // also ends a group without members
  }
}

void Lane::lead(std::unique_lock<std::mutex>& lock) {
  const auto group = group_;
  leading_ = true;
  lock.unlock();  // the lane is still ours
  Result<void> done;
  if (group->members == 0) {
    if (sqlite3_get_autocommit(connection_->handle()) == 0) done = control("ROLLBACK");
  } else {
    done = make_durable();
  }
  lock.lock();
  last_members_ = group->members;
  group_.reset();
  leading_ = false;
  release(lock);
  {
    const std::scoped_lock members(group->mutex);
    if (!done) group->failed = std::move(done).error();
    group->over = true;
  }
  group->ended.notify_all();
}

Result<void> Lane::make_durable() {
  struct Seen final : Reader {
    explicit Seen(Connection& c) { connection_ = &c; }
  } reader(*connection_);
  broken_.reset();
  logged_ = false;
  LogWriter writer(*this);
  Result<void> done = usable();
  if (done && group_->lost) done = std::unexpected(group_->why.value_or(Error{Code::storage_failed, "the database undid this transaction"}));
  if (done && seal_) done = seal_(reader, writer);
  if (done && logged_) covered_ = connection_->total_changes();
  if (done) done = control("COMMIT");
  if (done) {
    ++groups_;
    return done;
  }
  ++undone_;
  if (sqlite3_get_autocommit(connection_->handle()) == 0) static_cast<void>(control("ROLLBACK"));
  covered_ = connection_->total_changes();
  log::error("a group of transactions was undone", {{"why", std::string_view(done.error().detail)}});
  return done;
}

// The last line: a COMMIT that would make unlogged changes durable becomes a rollback.
int Lane::refuse_unlogged(void* self) {
  const auto& lane = *static_cast<const Lane*>(self);
  return lane.connection_->total_changes() == lane.covered_ ? 0 : 1;
}

Connection& ReadPool::take() {
  std::unique_lock lock(mutex_);
  if (idle_.empty() && all_.size() < kMost) {
    auto made = Connection::open(file_, Connection::Mode::read);
    CAIP_ASSERT(made.has_value() || !all_.empty());
    if (made) {
      idle_.push_back(made->get());
      all_.push_back(std::move(*made));
    }
  }
  free_.wait(lock, [this] { return !idle_.empty(); });
  Connection* c = idle_.back();
  idle_.pop_back();
  return *c;
}

void ReadPool::give_back(Connection& c) {
  std::scoped_lock lock(mutex_);
  idle_.push_back(&c);
  free_.notify_one();
}

}  // namespace caip::storage
