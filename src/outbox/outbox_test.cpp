#include "outbox/outbox.h"

#include <catch2/catch_test_macros.hpp>

namespace caip::outbox {

TEST_CASE("which events a channel wants: all, or those in its list, by their whole name") {
  CHECK(wants("", EventKind::server_back));
  CHECK(wants(",server.back,", EventKind::server_back));
  CHECK(wants(",approval.waiting,server.back,key.rotated,", EventKind::server_back));
  CHECK_FALSE(wants(",server.offline,", EventKind::server_back));
  CHECK_FALSE(wants(",xserver.back,", EventKind::server_back));
  CHECK_FALSE(wants(",server.backup,", EventKind::server_back));
}

}  // namespace caip::outbox
