// What a disk can do to the files of a server's helper (env files, the newest checkpoint, the book of orders): each system call by which
// one of them is changed fails once, in each way a disk fails, and the order of the calls is the one that a power cut needs.
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/env_files.h"
#include "agent/order_book.h"
#include "agent/witness.h"
#include "failing_calls_here.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;
using test::each_fault;
using test::FailingCalls;

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-disk-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  EnvFiles files() const {
    return EnvFiles(path, [](const UnixUser&) -> Result<Owner> { return Owner{::geteuid(), ::getegid()}; });
  }
  std::string text() const {
    std::ifstream in(path + "/www-data.env", std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::ptrdiff_t count() const { return std::distance(fs::directory_iterator(path), fs::directory_iterator()); }
};

UnixUser user() { return UnixUser::parse("www-data").value(); }

channel::EnvValues values(char c) {
  std::vector<channel::EnvValue> out;
  out.push_back({"A", SecretBytes(std::string_view(std::string(100'000, c)))});
  return channel::EnvValues::of(std::move(out)).value();
}

}  // namespace

TEST_CASE("an env file is whole, its user's and on the disk before it gets its name, and its name is on the disk before anybody hears of it") {
  const Folder f;
  REQUIRE(f.files().place(user(), values('1')));
  const auto next = values('2');
  {
    const FailingCalls look;
    REQUIRE(f.files().place(user(), next));
    CHECK(look.seen() == std::vector<std::string>{"unlink", "open", "write", "write", "mode", "owner", "sync the file", "rename", "sync the folder"});
    CHECK(look.given_away > 100'000);
  }
  CHECK(f.text().size() > 100'000);
  const FailingCalls look;
  REQUIRE(f.files().remove(user()));
  CHECK(look.seen() == std::vector<std::string>{"unlink", "sync the folder"});
}

// Said to be done: it is as it was to be. An error: it is as it was.
TEST_CASE("each system call by which an env file is placed or removed fails once: the file is the one that the answer says") {
  std::size_t refusals = 0;
  for (const bool removing : {false, true}) {
    const std::size_t hit = each_fault([&](std::size_t n, int error) {
      const Folder f;
      REQUIRE(f.files().place(user(), values('1')));
      const std::string before = f.text();
      const auto next = values('2');
      bool done = false, reached = false;
      {
        const FailingCalls look(n, error);
        done = removing ? f.files().remove(user()).has_value() : f.files().place(user(), next).has_value();
        reached = look.reached();
      }
      INFO("call " << n << ", error " << error << ", removing " << removing);
      if (!done) CHECK(f.text() == before);
      else if (removing) CHECK(f.count() == 0);
      else CHECK(f.text().contains("\"2222"));
      f.files().sweep();
      CHECK(f.count() == (done && removing ? 0 : 1));
      refusals += done ? 0 : 1;
      return reached;
    });
    CHECK(hit == 4 * (removing ? 2 : 9));
  }
  CHECK(refusals == 4 * (7 + 1));  // not the first unlink, of what a crash left, and not the folder's sync
}

TEST_CASE("each system call by which a checkpoint is remembered fails once: the server never knows less than it said, and goes on") {
  const std::size_t hit = each_fault([](std::size_t n, int error) {
    const Folder f;
    channel::OrderFixture log;
    const auto first = log.make();
    log.order.order = OperationId{IdBytes{2}};  // another entry
    const auto second = log.make();
    Witness w = Witness::open(f.path, log.trust(), crypto::SigningKey::generate(), log.clock).value();
    REQUIRE(w.see(first.proof.checkpoint, first.proof.old, first.proof.consistency));
    const std::uint64_t before = w.size();
    bool done = false, reached = false;
    {
      const FailingCalls look(n, error);
      done = w.see(second.proof.checkpoint, second.proof.old, second.proof.consistency).has_value();
      reached = look.reached();
    }
    INFO("call " << n << ", error " << error);
    CHECK(w.size() == (done ? second.proof.size : before));
    Witness again = Witness::open(f.path, log.trust(), crypto::SigningKey::generate(), log.clock).value();
    CHECK(again.size() >= w.size());
    CHECK((again.size() == before || again.size() == second.proof.size));
    if (!done) CHECK(w.see(second.proof.checkpoint, second.proof.old, second.proof.consistency));  // the same one is taken when there is room
    return reached;
  });
  CHECK(hit == 4 * 6);  // open, mode, write, sync the file, rename, sync the folder
}

// An order that is said to be begun is known for good; one that could not be written is not run.
TEST_CASE("each system call by which an order is written down fails once: what began is not begun again, and what ended is not forgotten") {
  const std::size_t hit = each_fault([](std::size_t n, int error) {
    const Folder f;
    channel::OrderFixture log;
    const auto order = channel::decode_order(log.make().order).value();
    const Digest digest = crypto::sha256(view(channel::encode(order)));
    wire::OrderResult result;
    result.set_order(order.order.str());
    result.set_succeeded(true);
    OrderBook book = OrderBook::open(f.path + "/book", log.clock.now()).value();
    bool begun = false, ended = false, reached = false;
    {
      const FailingCalls look(n, error);
      begun = book.begin(order, digest).has_value();
      ended = begun && book.end(digest, result).has_value();
      reached = look.reached();
    }
    INFO("call " << n << ", error " << error);
    OrderBook again = OrderBook::open(f.path + "/book", log.clock.now()).value();
    const auto kept = again.find(digest);
    if (begun) CHECK(kept.has_value());
    if (begun) CHECK(again.begin(order, digest).error().code == Code::key_reused);
    if (ended) CHECK(kept->succeeded());
    if (kept && !kept->succeeded()) CHECK(kept->unknown());
    return reached;
  });
  CHECK(hit == 4 * (5 + 6));  // an order is begun by an empty file
}

}  // namespace caip::agent
