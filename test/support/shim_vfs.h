// shim_vfs.h: SQLite's file system calls, one at a time in a test's hands. Installed as the default
// VFS, it passes each call on to the real one, and can
//   * make the n-th call fail, with an error of the test's choice;
//   * keep beside each file what of it is durable (as of its last sync) and what was written since,
//     and say what the disk may hold after a power cut: any of the writes since, in any order, torn
//     at sectors.
// One at a time; not thread-safe beyond what SQLite does.
#pragma once
#include <sqlite3.h>

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
  enum class Call { open, read, write, truncate, sync, remove, map };
  static ShimVfs& instance() {
    static ShimVfs shim;
    return shim;
  }
  void install() { sqlite3_vfs_register(&vfs_, 1); }
  void uninstall() {
    sqlite3_vfs_register(real_, 1);
    fail_at = 0;
    calls = 0;
    files.clear();
    after_call = {};
  }

  // --- faults
  std::uint64_t calls = 0;    // counted so far
  std::uint64_t fail_at = 0;  // the call that fails; 0: none
  int error = SQLITE_IOERR;
  Call failed = Call::open;   // what it was

  // --- power cuts
  struct Write {
    sqlite3_int64 at;
    std::string bytes;
    bool cuts;  // truncate to `at`
  };
  struct File {
    std::string durable;
    std::vector<Write> since;
    bool exists = false;  // its name is durable: it was synced once
  };
  std::map<std::string, File> files;
  std::function<void()> after_call;  // after each write, truncate or sync

  // What may be in the folder `of` if the power went now. Other folders' files are not its: a test that
  // looks at earlier images does so through this VFS too.
  void disk_after_cut(const std::filesystem::path& of, const std::filesystem::path& into, std::mt19937& dice) const {
    std::filesystem::create_directories(into);
    for (const auto& [path, file] : files) {
      if (!file.exists || path.ends_with("-shm") || std::filesystem::path(path).parent_path() != of) continue;
      std::string bytes = file.durable;
      std::vector<Write> chosen;
      for (const auto& w : file.since)
        if (dice() % 2 == 0) chosen.push_back(w);
      std::shuffle(chosen.begin(), chosen.end(), dice);
      for (const auto& w : chosen) {
        if (w.cuts) {
          bytes.resize(std::min(bytes.size(), static_cast<std::size_t>(w.at)));
          continue;
        }
        const std::size_t begin = static_cast<std::size_t>(w.at);
        if (bytes.size() < begin + w.bytes.size()) bytes.resize(begin + w.bytes.size(), '\0');
        constexpr std::size_t kSector = 512;
        const bool torn = dice() % 3 == 0;
        for (std::size_t s = 0; s < w.bytes.size(); s += kSector)
          if (!torn || dice() % 2 == 0) bytes.replace(begin + s, std::min(kSector, w.bytes.size() - s), w.bytes.substr(s, kSector));
      }
      std::ofstream(into / std::filesystem::path(path).filename(), std::ios::binary) << bytes;
    }
  }

 private:
  struct Handle {
    sqlite3_file base;
    std::string* name;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static Handle& of(sqlite3_file* f) { return *reinterpret_cast<Handle*>(f); }
  static sqlite3_file* real_of(sqlite3_file* f) { return of(f).real(); }

  int count(Call call) {
    if (++calls != fail_at) return SQLITE_OK;
    failed = call;
    if (call == Call::open) return SQLITE_CANTOPEN;
    return error;
  }
  void told() {
    if (after_call) after_call();
  }

  ShimVfs() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "shim";
    vfs_.szOsFile = static_cast<int>(sizeof(Handle)) + real_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.pAppData = real_->pAppData;
    vfs_.xOpen = [](sqlite3_vfs*, sqlite3_filename name, sqlite3_file* f, int flags, int* out) { return instance().open(name, f, flags, out); };
    vfs_.xDelete = [](sqlite3_vfs*, const char* name, int sync) {
      if (const int rc = instance().count(Call::remove); rc != SQLITE_OK) return rc;
      instance().files.erase(name);
      return instance().real_->xDelete(instance().real_, name, sync);
    };
    methods();
  }

  int open(sqlite3_filename name, sqlite3_file* f, int flags, int* out) {
    f->pMethods = nullptr;
    if (const int rc = count(Call::open); rc != SQLITE_OK) return rc;
    const int rc = real_->xOpen(real_, name, real_of(f), flags, out);
    if (rc != SQLITE_OK) return rc;
    of(f).name = new std::string(name ? name : "");
    f->pMethods = &io_;
    if (name && !files.contains(name)) {  // what was there before is durable
      std::ifstream in(name, std::ios::binary);
      File file{std::string(std::istreambuf_iterator<char>(in), {}), {}, true};
      files.emplace(name, std::move(file));
    }
    return rc;
  }

  void methods() {
    io_.iVersion = 2;
    io_.xClose = [](sqlite3_file* f) {
      const int rc = real_of(f)->pMethods->xClose(real_of(f));
      delete of(f).name;
      f->pMethods = nullptr;
      return rc;
    };
    io_.xRead = [](sqlite3_file* f, void* into, int n, sqlite3_int64 at) {
      if (const int rc = instance().count(Call::read); rc != SQLITE_OK) return SQLITE_IOERR_READ;
      return real_of(f)->pMethods->xRead(real_of(f), into, n, at);
    };
    io_.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      auto& me = instance();
      if (const int rc = me.count(Call::write); rc != SQLITE_OK) return rc;
      const int rc = real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
      me.files[*of(f).name].since.push_back({at, std::string(static_cast<const char*>(from), static_cast<std::size_t>(n)), false});
      me.told();
      return rc;
    };
    io_.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      auto& me = instance();
      if (const int rc = me.count(Call::truncate); rc != SQLITE_OK) return rc;
      me.files[*of(f).name].since.push_back({size, {}, true});
      const int rc = real_of(f)->pMethods->xTruncate(real_of(f), size);
      me.told();
      return rc;
    };
    io_.xSync = [](sqlite3_file* f, int flags) {
      auto& me = instance();
      if (const int rc = me.count(Call::sync); rc != SQLITE_OK) return rc;
      const int rc = real_of(f)->pMethods->xSync(real_of(f), flags);
      File& file = me.files[*of(f).name];
      for (const auto& w : file.since) {
        if (w.cuts) {
          file.durable.resize(std::min(file.durable.size(), static_cast<std::size_t>(w.at)));
          continue;
        }
        const auto begin = static_cast<std::size_t>(w.at);
        if (file.durable.size() < begin + w.bytes.size()) file.durable.resize(begin + w.bytes.size(), '\0');
        file.durable.replace(begin, w.bytes.size(), w.bytes);
      }
      file.since.clear();
      file.exists = true;
      me.told();
      return rc;
    };
    io_.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return real_of(f)->pMethods->xFileSize(real_of(f), n); };
    io_.xLock = [](sqlite3_file* f, int l) { return real_of(f)->pMethods->xLock(real_of(f), l); };
    io_.xUnlock = [](sqlite3_file* f, int l) { return real_of(f)->pMethods->xUnlock(real_of(f), l); };
    io_.xCheckReservedLock = [](sqlite3_file* f, int* l) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), l); };
    io_.xFileControl = [](sqlite3_file* f, int op, void* arg) { return real_of(f)->pMethods->xFileControl(real_of(f), op, arg); };
    io_.xSectorSize = [](sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); };
    // No promise of the real disk is passed on: SQLite must assume the worst of it.
    io_.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    io_.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
      if (const int rc = instance().count(Call::map); rc != SQLITE_OK) return SQLITE_IOERR_SHMMAP;
      return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
    };
    io_.xShmLock = [](sqlite3_file* f, int at, int n, int flags) { return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags); };
    io_.xShmBarrier = [](sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); };
    io_.xShmUnmap = [](sqlite3_file* f, int remove) { return real_of(f)->pMethods->xShmUnmap(real_of(f), remove); };
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  sqlite3_io_methods io_{};
};

}  // namespace caip::test
