// What the room's tests share.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "crypto/random.h"
#include "secrets/keeper.h"

namespace caip::secrets {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/caip-keys-XXXXXX";
    path_ = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  std::string keys() const { return path_ + "/keys"; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  // A private file with this content.
  std::string make(const std::string& name, std::string_view content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    fs::permissions(file(name), fs::perms::owner_read | fs::perms::owner_write);
    return file(name);
  }

 private:
  std::string path_;
};

inline std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline ManualClock& clock_of_test() {
  static ManualClock clock{Instant(1'790'000'000'000'000)};
  return clock;
}

inline Item item(SecretKind kind, std::string_view data, std::uint32_t version = 1) {
  return {.id = crypto::random_id<SecretId>(), .kind = kind, .version = version, .field = "value", .data = SecretBytes(data)};
}
inline Item copy(const Item& i) {
  Bytes data;
  i.data.expose(Use::named_use, [&](BytesView b) { data.assign(b.begin(), b.end()); });
  return {.id = i.id, .kind = i.kind, .version = i.version, .field = i.field, .data = SecretBytes(std::move(data))};
}
inline Items list(Item one) {
  Items out;
  out.push_back(std::move(one));
  return out;
}
inline Bytes bytes_of(const Item& i) {
  Bytes data;
  i.data.expose(Use::named_use, [&](BytesView b) { data.assign(b.begin(), b.end()); });
  return data;
}

}  // namespace caip::secrets
