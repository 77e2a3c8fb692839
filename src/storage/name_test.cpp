#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "failing_calls_here.h"
#include "storage/database.h"

namespace caip::storage {

TEST_CASE("a new database's name is on the disk before anything that is in it, or it does not open") {
  std::string folder = (std::filesystem::temp_directory_path() / "caip-name-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string file = folder + "/caip.db";
  std::size_t at = 0;
  {
    const test::FailingCalls look;
    REQUIRE(Database::open(file, {}));
    const auto& seen = look.seen();
    at = static_cast<std::size_t>(std::ranges::find(seen, "sync the folder") - seen.begin()) + 1;
    REQUIRE(at <= seen.size());
  }
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
  {
    const test::FailingCalls look(at, EIO);
    CHECK(Database::open(file, {}).error().code == Code::storage_failed);
  }
  CHECK(std::filesystem::file_size(file) == 0);
  std::filesystem::remove_all(folder);
}

}  // namespace caip::storage
