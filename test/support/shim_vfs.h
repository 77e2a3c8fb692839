// shim_vfs.h: SQLite's file system calls, one at a time in a test's hands. Installed as the default
// VFS, it passes each call on to the real one, and can
//   * make the n-th call fail, with the error of the test's choice among those that this call has;
//   * keep beside each file what of it is durable (as of its last sync) and what was written since,
//     and say what the disk may hold after a power cut: any of the writes since, in any order, torn
//     at sectors; a new file that was never synced, or not; a deleted file back again, or not.
// Calls of several threads come one at a time. What a test sets, it sets while no other thread uses a file.
#pragma once
#include <sqlite3.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace caip::test {

class ShimVfs {
 public:
  enum class Call { open, read, write, truncate, sync, remove, map, size, lock, shared_lock, access };
  // What each of them can fail with; a fault's `kind` chooses.
  static const std::vector<int>& errors_of(Call call) {
    static const std::array<std::vector<int>, 11> kErrors{{{SQLITE_CANTOPEN, SQLITE_IOERR},
                                                           {SQLITE_IOERR_READ},
                                                           {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY},
                                                           {SQLITE_IOERR_TRUNCATE},
                                                           {SQLITE_IOERR_FSYNC, SQLITE_FULL},
                                                           {SQLITE_IOERR_DELETE},
                                                           {SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE},
                                                           {SQLITE_IOERR_FSTAT},
                                                           {SQLITE_BUSY, SQLITE_IOERR_LOCK},
                                                           {SQLITE_BUSY, SQLITE_IOERR_SHMLOCK},
                                                           {SQLITE_IOERR_ACCESS}}};
    return kErrors.at(static_cast<std::size_t>(call));
  }
  static ShimVfs& instance() {
    static ShimVfs shim;
    return shim;
  }
  void install() { sqlite3_vfs_register(&vfs_, 1); }
  void uninstall() {
    sqlite3_vfs_register(real_, 1);
    fail_at = 0;
    kind = 0;
    calls = 0;
    reached = false;
    files.clear();
    after_call = {};
  }

  // --- faults
  std::uint64_t calls = 0;    // counted so far
  std::uint64_t fail_at = 0;  // the call that fails; 0: none
  std::size_t kind = 0;       // with which of its errors; with the last it has, if there are fewer
  Call failed = Call::open;   // what it was
  bool reached = false;       // it came

  // --- power cuts
  struct Write {
    sqlite3_int64 at;
    std::string bytes;
    bool cuts;  // truncate to `at`
  };
  struct File {
    std::string durable;
    std::vector<Write> since;
    bool named = false;  // its name is durable: it was there before, or was synced
    bool gone = false;   // deleted, and nobody synced that
  };
  std::map<std::string, File> files;
  std::function<void()> after_call;  // after each write, truncate, sync or delete, on its thread; no other call comes in between

  // What may be in the folder `of` if the power went now. Other folders' files are not its: a test that
  // looks at earlier images does so through this VFS too.
  void disk_after_cut(const std::filesystem::path& of, const std::filesystem::path& into, std::mt19937& dice) const {
    std::filesystem::create_directories(into);
    for (const auto& [path, file] : files) {
      if (path.ends_with("-shm") || std::filesystem::path(path).parent_path() != of) continue;
      if ((!file.named || file.gone) && dice() % 2 == 0) continue;
      std::ofstream(into / std::filesystem::path(path).filename(), std::ios::binary) << after_cut(file, dice);
    }
  }
  void forget(const std::filesystem::path& folder) {
    std::erase_if(files, [&](const auto& one) { return std::filesystem::path(one.first).parent_path() == folder; });
  }

 private:
  static std::string after_cut(const File& file, std::mt19937& dice) {
    std::string bytes = file.durable;
    std::vector<Write> chosen;
    for (const auto& w : file.since)
      if (dice() % 2 == 0) chosen.push_back(w);
    std::shuffle(chosen.begin(), chosen.end(), dice);
    for (const auto& w : chosen) {
      constexpr std::size_t kSector = 512;
      const bool torn = dice() % 3 == 0;
      if (w.cuts || !torn) {
        apply(bytes, w);
        continue;
      }
      for (std::size_t s = 0; s < w.bytes.size(); s += kSector)
        if (dice() % 2 == 0) apply(bytes, {w.at + static_cast<sqlite3_int64>(s), w.bytes.substr(s, kSector), false});
    }
    return bytes;
  }
  static void apply(std::string& bytes, const Write& w) {
    const auto begin = static_cast<std::size_t>(w.at);
    if (w.cuts) {
      bytes.resize(std::min(bytes.size(), begin));
      return;
    }
    if (bytes.size() < begin + w.bytes.size()) bytes.resize(begin + w.bytes.size(), '\0');
    bytes.replace(begin, w.bytes.size(), w.bytes);
  }

  struct Handle {
    sqlite3_file base;
    std::string* name;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static Handle& of(sqlite3_file* f) { return *reinterpret_cast<Handle*>(f); }
  static sqlite3_file* real_of(sqlite3_file* f) { return of(f).real(); }
  static const sqlite3_io_methods& io_of(sqlite3_file* f) { return *real_of(f)->pMethods; }

  // The call itself, unless it is the one that fails.
  template <class F>
  static int passed(Call call, F&& f) {
    ShimVfs& me = instance();
    const std::scoped_lock lock(me.mutex_);
    if (++me.calls != me.fail_at) return f(me);
    const auto& errors = errors_of(call);
    me.failed = call;
    me.reached = true;
    return errors[std::min(me.kind, errors.size() - 1)];
  }
  void told() const {
    if (after_call) after_call();
  }

  ShimVfs() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "shim";
    vfs_.szOsFile = static_cast<int>(sizeof(Handle)) + real_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.pAppData = real_->pAppData;
    vfs_.xOpen = [](sqlite3_vfs*, sqlite3_filename name, sqlite3_file* f, int flags, int* out) {
      f->pMethods = nullptr;
      return passed(Call::open, [&](ShimVfs& me) { return me.open(name, f, flags, out); });
    };
    vfs_.xDelete = [](sqlite3_vfs*, const char* name, int sync) {
      return passed(Call::remove, [&](ShimVfs& me) {
        const int rc = me.real_->xDelete(me.real_, name, sync);
        if (rc != SQLITE_OK) return rc;
        if (sync != 0) me.files.erase(name);
        else if (const auto file = me.files.find(name); file != me.files.end()) file->second.gone = true;
        me.told();
        return rc;
      });
    };
    vfs_.xAccess = [](sqlite3_vfs*, const char* name, int flags, int* out) {
      return passed(Call::access, [&](ShimVfs& me) { return me.real_->xAccess(me.real_, name, flags, out); });
    };
    methods();
  }

  int open(sqlite3_filename name, sqlite3_file* f, int flags, int* out) {
    std::error_code ignored;
    const bool there = name && std::filesystem::exists(name, ignored);
    const int rc = real_->xOpen(real_, name, real_of(f), flags, out);
    if (rc != SQLITE_OK) return rc;
    of(f).name = new std::string(name ? name : "");
    f->pMethods = &io_;
    const auto known = files.find(*of(f).name);
    if (!name || (known != files.end() && !known->second.gone)) return rc;
    std::ifstream in(name, std::ios::binary);  // what was there before is durable
    files[name] = File{.durable = std::string(std::istreambuf_iterator<char>(in), {}), .since = {}, .named = there, .gone = false};
    return rc;
  }

  static std::filesystem::path folder_of(const std::string& file) { return std::filesystem::path(file).parent_path(); }

  void changed(sqlite3_file* f, Write w) {
    files[*of(f).name].since.push_back(std::move(w));
    told();
  }

  void synced(sqlite3_file* f) {
    File& file = files[*of(f).name];
    for (const auto& w : file.since) apply(file.durable, w);
    file.since.clear();
    // SQLite syncs the folder with the first sync of a new journal: then what was deleted there is gone, too.
    if (!file.named) std::erase_if(files, [&](const auto& one) { return one.second.gone && folder_of(one.first) == folder_of(*of(f).name); });
    files[*of(f).name].named = true;
    told();
  }

  void methods() {
    io_.iVersion = 2;
    io_.xClose = [](sqlite3_file* f) {
      const int rc = io_of(f).xClose(real_of(f));
      delete of(f).name;
      f->pMethods = nullptr;
      return rc;
    };
    io_.xRead = [](sqlite3_file* f, void* into, int n, sqlite3_int64 at) {
      return passed(Call::read, [&](ShimVfs&) { return io_of(f).xRead(real_of(f), into, n, at); });
    };
    io_.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      return passed(Call::write, [&](ShimVfs& me) {
        const int rc = io_of(f).xWrite(real_of(f), from, n, at);
        me.changed(f, {at, std::string(static_cast<const char*>(from), static_cast<std::size_t>(n)), false});
        return rc;
      });
    };
    io_.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      return passed(Call::truncate, [&](ShimVfs& me) {
        const int rc = io_of(f).xTruncate(real_of(f), size);
        me.changed(f, {size, {}, true});
        return rc;
      });
    };
    io_.xSync = [](sqlite3_file* f, int flags) {
      return passed(Call::sync, [&](ShimVfs& me) {
        const int rc = io_of(f).xSync(real_of(f), flags);
        me.synced(f);
        return rc;
      });
    };
    io_.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
      return passed(Call::size, [&](ShimVfs&) { return io_of(f).xFileSize(real_of(f), n); });
    };
    io_.xLock = [](sqlite3_file* f, int l) {
      return passed(Call::lock, [&](ShimVfs&) { return io_of(f).xLock(real_of(f), l); });
    };
    io_.xUnlock = [](sqlite3_file* f, int l) { return io_of(f).xUnlock(real_of(f), l); };
    io_.xCheckReservedLock = [](sqlite3_file* f, int* l) { return io_of(f).xCheckReservedLock(real_of(f), l); };
    io_.xFileControl = [](sqlite3_file* f, int op, void* arg) { return io_of(f).xFileControl(real_of(f), op, arg); };
    io_.xSectorSize = [](sqlite3_file* f) { return io_of(f).xSectorSize(real_of(f)); };
    // No promise of the real disk is passed on: SQLite must assume the worst of it.
    io_.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    io_.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
      return passed(Call::map, [&](ShimVfs&) { return io_of(f).xShmMap(real_of(f), page, size, extend, out); });
    };
    // To let go of a lock never fails.
    io_.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
      if ((flags & SQLITE_SHM_UNLOCK) != 0) return io_of(f).xShmLock(real_of(f), at, n, flags);
      return passed(Call::shared_lock, [&](ShimVfs&) { return io_of(f).xShmLock(real_of(f), at, n, flags); });
    };
    io_.xShmBarrier = [](sqlite3_file* f) { io_of(f).xShmBarrier(real_of(f)); };
    io_.xShmUnmap = [](sqlite3_file* f, int remove) { return io_of(f).xShmUnmap(real_of(f), remove); };
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  sqlite3_io_methods io_{};
  std::recursive_mutex mutex_;
};

}  // namespace caip::test
