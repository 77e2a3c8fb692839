#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/env_files.h"
#include "agent/helper.h"
#include "crypto/hash.h"
#include "env_reader.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;

UnixUser user(const char* name = "www-data") { return UnixUser::parse(name).value(); }

channel::EnvValues values(const std::vector<std::pair<const char*, std::string_view>>& all) {
  std::vector<channel::EnvValue> out;
  for (const auto& [name, value] : all) out.push_back({name, SecretBytes(value)});
  return channel::EnvValues::of(std::move(out)).value();
}

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-env-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name = "www-data.env") const { return path + "/" + name; }
  EnvFiles files() const {
    return EnvFiles(path, [](const UnixUser& u) -> Result<Owner> {
      if (u.str() == "nobody-here") return fail(Code::not_found, "there is no user");
      return Owner{::geteuid(), ::getegid()};
    });
  }
};

std::string text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::size_t entries(const Folder& f) { return static_cast<std::size_t>(std::distance(fs::directory_iterator(f.path), fs::directory_iterator())); }

TEST_CASE("a value of any text reads back as it was, and is one variable") {
  const std::string awkward = "a \"b\" \\ $HOME `id` 'c' # ; \xc3\xa4\n\tEVIL=\"1\"\nend\\";
  const Folder f;
  REQUIRE(f.files().place(user(), values({{"B", awkward}, {"A", ""}, {"_9", "x"}})));
  const auto read = test::read_env_file(text_of_file(f.file()));
  REQUIRE(read);
  CHECK(*read == std::map<std::string, std::string>{{"A", ""}, {"B", awkward}, {"_9", "x"}});
}

TEST_CASE("the file is the user's alone, and the next placing leaves nothing of the one before") {
  const Folder f;
  REQUIRE(f.files().place(user(), values({{"OLD", "1"}, {"BOTH", "old"}})));
  REQUIRE(f.files().place(user(), values({{"BOTH", "new"}})));
  struct stat s {};
  REQUIRE(::stat(f.file().c_str(), &s) == 0);
  CHECK((s.st_mode & 07777) == 0600);
  CHECK(s.st_uid == ::geteuid());
  CHECK(test::read_env_file(text_of_file(f.file())) == std::map<std::string, std::string>{{"BOTH", "new"}});
  CHECK(entries(f) == 1);
  REQUIRE(f.files().remove(user()));
  CHECK(entries(f) == 0);
  CHECK(f.files().remove(user()));
}

TEST_CASE("an unknown user, root by any name, nobody and an account that ends with its service get no file") {
  const Folder f;
  CHECK(f.files().place(user("nobody-here"), values({{"A", "1"}})).error().code == Code::not_found);
  const auto of = [](uid_t uid) { return lasting(user(), Owner{uid, 33}); };
  for (const uid_t uid : {uid_t{0}, uid_t{61184}, uid_t{62000}, uid_t{65519}, uid_t{65534}, uid_t{65535}, static_cast<uid_t>(-1)}) {
    CHECK(of(uid).error().code == Code::forbidden);
    CHECK(EnvFiles(f.path, [&](const UnixUser&) { return of(uid); }).place(user(), values({{"A", "1"}})).error().code == Code::forbidden);
  }
  for (const uid_t uid : {uid_t{1}, uid_t{33}, uid_t{999}, uid_t{1000}, uid_t{61183}, uid_t{65520}, uid_t{200'000}}) CHECK(of(uid)->uid == uid);
  CHECK(entries(f) == 0);
  CHECK(find_user(user("no-such-user-x")).error().code == Code::not_found);
  CHECK(find_user(user("nobody")).error().code == Code::forbidden);
  CHECK(find_user(user("daemon")));
}

TEST_CASE("a symbolic link in the way is replaced and never followed; a folder that others may write is refused") {
  const Folder f, elsewhere;
  std::ofstream(elsewhere.file("victim")) << "untouched";
  fs::create_symlink(elsewhere.file("victim"), f.file());
  fs::create_symlink(elsewhere.file("victim"), f.file(".www-data.env.new"));
  REQUIRE(f.files().place(user(), values({{"A", "secret"}})));
  CHECK(text_of_file(elsewhere.file("victim")) == "untouched");
  CHECK(fs::is_regular_file(fs::symlink_status(f.file())));
  fs::permissions(f.path, fs::perms::others_write, fs::perm_options::add);
  CHECK(f.files().place(user(), values({{"A", "2"}})).error().code == Code::forbidden);
  CHECK(f.files().remove(user()).error().code == Code::forbidden);
  const Folder real;
  fs::create_directory_symlink(real.path, elsewhere.file("link"));
  CHECK_FALSE(EnvFiles(elsewhere.file("link"), [](const UnixUser&) -> Result<Owner> { return Owner{::geteuid(), ::getegid()}; }).place(user(), values({{"A", "1"}})));
  CHECK(entries(real) == 0);
}

TEST_CASE("what a crash left half written is swept away, and a whole file is not") {
  const Folder f;
  REQUIRE(f.files().place(user(), values({{"A", "1"}})));
  std::ofstream(f.file(".www-data.env.new")) << "A=\"half";
  f.files().sweep();
  CHECK(entries(f) == 1);
  CHECK(fs::exists(f.file()));
}

// The child places one of two values again and again; whenever it is killed, the file is one of them and whole.
TEST_CASE("kill -9 at any moment leaves the file before or the file after") {
  const Folder f;
  const auto one = values({{"A", std::string(20'000, '1')}}), two = values({{"A", std::string(30'000, '2')}});
  REQUIRE(f.files().place(user(), one));
  for (int round = 0; round < 25; ++round) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (int n = 0;; ++n) {
        static_cast<void>(f.files().place(user(), n % 2 == 0 ? two : one));
        if (::write(ends[1], "x", 1) != 1) ::_exit(1);
      }
    }
    std::array<char, 1> step{};
    for (int n = 0; n <= round % 3; ++n) REQUIRE(::read(ends[0], step.data(), 1) == 1);  // then it is somewhere in the next
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    ::close(ends[0]);
    ::close(ends[1]);
    const auto read = test::read_env_file(text_of_file(f.file()));
    REQUIRE(read);
    CHECK((read->at("A") == std::string(20'000, '1') || read->at("A") == std::string(30'000, '2')));
    f.files().sweep();
    CHECK(entries(f) == 1);
  }
}

TEST_CASE("control characters, bytes that are no text, two of a name and too much are refused") {
  const auto refused = [](std::vector<channel::EnvValue> v) { return channel::EnvValues::of(std::move(v)).error().code; };
  const auto one = [](const char* name, std::string_view value) {
    std::vector<channel::EnvValue> v;
    v.push_back({name, SecretBytes(value)});
    return v;
  };
  for (int c = 0; c < 0x20; ++c) {
    const std::string value = std::string("a") + static_cast<char>(c);
    if (c == '\n' || c == '\t') CHECK(channel::EnvValues::of(one("A", value)));
    else CHECK(refused(one("A", value)) == Code::invalid);
  }
  CHECK(refused(one("A", "\x7f")) == Code::invalid);
  for (const char* set_aside : {"\xef\xb7\x90", "\xef\xb7\xaf", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xf0\x9f\xbf\xbe", "\xf0\xaf\xbf\xbf", "\xf4\x8f\xbf\xbe", "\xf4\x8f\xbf\xbf"})
    for (const std::string& around : {std::string(), std::string("x")}) CHECK(refused(one("A", around + set_aside + around)) == Code::invalid);  // systemd would refuse the whole file
  for (const char* odd : {"\xc2\x85", "\xe2\x80\xa8", "\xef\xb7\x8f", "\xef\xb7\xb0", "\xef\xbb\xbf", "\xef\xbf\xbd", "\xf0\x9e\xbf\xbe", "\xf0\x9f\xbf\xbd", "\xf4\x8f\xbf\xbd"})
    CHECK(channel::EnvValues::of(one("A", odd)));
  CHECK(refused(one("A", "\xff")) == Code::invalid);
  for (const char* name : {"", "1A", "A B", "A=B", "A-B", "A.B", "A\n"}) CHECK(refused(one(name, "x")) == Code::invalid);
  for (const char* name : {"LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PATH", "NODE_OPTIONS"}) CHECK(refused(one(name, "x")) == Code::invalid);  // they make programs run other code
  auto twice = one("A", "1");
  twice.push_back({"A", SecretBytes(std::string_view("2"))});
  CHECK(refused(std::move(twice)) == Code::invalid);
  CHECK(refused({}) == Code::invalid);
  CHECK(refused(one("A", std::string(channel::kMostEnvBytes, 'x'))) == Code::too_large);
}

struct NoUnits final : UnitManager {
  Result<void> list(wire::UnitList&) override { return {}; }
  Result<void> status(const UnitName&, wire::Unit&) override { return {}; }
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName&) override { return std::vector<std::string>(); }
  Result<void> run(UnitVerb, const UnitName&) override { return {}; }
  Result<void> reboot() override { return {}; }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override { return std::vector<std::string>(); }
};

// An order of a person for www-data, with the values of two secrets.
struct Placing {
  Folder folder, memory;
  channel::OrderFixture f;
  NoUnits units;
  Placing() {
    f.action = PlaceEnv{channel::test_server(), user(), {{SecretId{IdBytes{1}}, 1}, {SecretId{IdBytes{2}}, 4}}};
    f.order.approver.reset();
    f.order.approval.reset();
  }
  Helper helper() { return helper(folder.files()); }
  Helper helper(const EnvFiles& files) {
    return Helper(*Keys::open(memory.path, f.trust()), *Witness::open(memory.path, f.trust(), crypto::SigningKey::generate(), f.clock),
                  *OrderBook::open(memory.path + "/book", f.clock.now()), units, files, f.clock);
  }
  // Signed for one list of values, sent with another, or with none.
  wire::Order order(const channel::EnvValues* for_values, const channel::EnvValues* with) {
    channel::SignedOrder made = f.make();
    if (for_values) {
      wire::Env copied;
      for_values->to_wire(copied);
      made.env = std::make_shared<const channel::EnvValues>(channel::EnvValues::from_wire(copied).value());
    }
    made.signature = f.order_key.sign(view(channel::signed_bytes(made.order, made.env)));
    wire::Order out;
    channel::to_wire(made, out);
    out.clear_env();
    if (with) with->to_wire(*out.mutable_env());
    return out;
  }
};

TEST_CASE("an order places its values; repeated without them it has its answer, and neither holds a value") {
  Placing p;
  const auto given = values({{"A", "canary-one"}, {"B", "canary-two"}});
  Helper helper = p.helper();
  const auto done = helper.handle(p.order(&given, &given));
  REQUIRE(done.succeeded());
  CHECK(test::read_env_file(text_of_file(p.folder.file())) == std::map<std::string, std::string>{{"A", "canary-one"}, {"B", "canary-two"}});
  auto kept = done;
  kept.set_replayed(true);
  CHECK(helper.handle(p.order(nullptr, nullptr)).SerializeAsString() == kept.SerializeAsString());
  for (const auto& entry : fs::recursive_directory_iterator(p.memory.path))
    if (entry.is_regular_file()) CHECK_FALSE(text_of_file(entry.path().string()).contains("canary"));
}

TEST_CASE("an order that comes again with its values, to another helper too, is not run again") {
  Placing p;
  const auto given = values({{"A", "1"}});
  p.f.action = PlaceEnv{channel::test_server(), user(), {{SecretId{IdBytes{1}}, 1}}};
  const auto order = p.order(&given, &given);
  {
    Helper helper = p.helper();
    REQUIRE(helper.handle(order).succeeded());
    std::ofstream(p.folder.file()) << "changed since";
    CHECK(helper.handle(order).replayed());
  }
  Helper again = p.helper();
  CHECK(again.handle(order).replayed());
  CHECK(text_of_file(p.folder.file()) == "changed since");
}

TEST_CASE("a helper that is killed while it places does not know what came of it, and does not run it again") {
  Placing p;
  const auto given = values({{"A", "1"}});
  p.f.action = PlaceEnv{channel::test_server(), user(), {{SecretId{IdBytes{1}}, 1}}};
  const auto order = p.order(&given, &given);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const EnvFiles dies(p.folder.path, [](const UnixUser&) -> Result<Owner> { ::_exit(77); });  // the order is begun, its file is not
    static_cast<void>(p.helper(dies).handle(order));
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WEXITSTATUS(status) == 77);
  Helper helper = p.helper();
  const auto said = helper.handle(order);
  CHECK_FALSE(said.succeeded());
  CHECK(said.unknown());
  CHECK(entries(p.folder) == 0);
}

TEST_CASE("a changed, added, left out or swapped value is refused, and nothing is written") {
  const auto given = values({{"A", "1"}, {"B", "2"}});
  const auto refused = [&](const channel::EnvValues* signed_for, const channel::EnvValues* with) {
    Placing p;
    Helper helper = p.helper();
    const auto result = helper.handle(p.order(signed_for, with));
    CHECK_FALSE(result.succeeded());
    CHECK(entries(p.folder) == 0);
    return result.error();
  };
  wire::Env wire;
  given.to_wire(wire);
  const auto changed = [&](auto change) {
    wire::Env w = wire;
    change(w);
    return channel::EnvValues::from_wire(w).value();
  };
  for (const auto& other : {changed([](wire::Env& w) { w.mutable_values(0)->set_value("3"); }), changed([](wire::Env& w) { w.mutable_values(0)->set_name("C"); }),
                            changed([](wire::Env& w) { w.mutable_values()->RemoveLast(); }), changed([](wire::Env& w) { w.mutable_salt()->at(0) ^= 1; }),
                            changed([](wire::Env& w) { *w.add_values() = w.values(0), w.mutable_values(2)->set_name("C"); }),
                            changed([](wire::Env& w) { w.mutable_values(0)->mutable_value()->swap(*w.mutable_values(1)->mutable_value()); })})
    CHECK(refused(&given, &other).starts_with("forbidden"));
  CHECK(refused(&given, nullptr).starts_with("forbidden"));
  CHECK(refused(nullptr, &given).starts_with("forbidden"));
  // Rightly signed, and yet not what was decided on: fewer values than secrets, or none.
  const auto one = values({{"A", "1"}});
  CHECK(refused(&one, &one).starts_with("digest_mismatch"));
  CHECK(refused(nullptr, nullptr).starts_with("digest_mismatch"));
}

TEST_CASE("an order that places nothing comes with no values") {
  Placing p;
  p.f.action = RemoveEnv{channel::test_server(), user()};
  const auto given = values({{"A", "1"}});
  Helper helper = p.helper();
  CHECK(helper.handle(p.order(&given, &given)).error().starts_with("digest_mismatch"));
  std::ofstream(p.folder.file()) << "A=\"1\"\n";
  p.f.proven = 0;  // nothing of the refused one was seen
  CHECK(helper.handle(p.order(nullptr, nullptr)).succeeded());
  CHECK(entries(p.folder) == 0);
}

}  // namespace
}  // namespace caip::agent
