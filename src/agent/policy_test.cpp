// What root of a server forbids, whatever the control plane says.
#include "agent/panic.h"
#include "agent/policy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

namespace caip::agent {
namespace {

struct File {
  File() {
    char name[] = "/tmp/caip-policy-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~File() { std::filesystem::remove_all(folder); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void write(std::string_view text, mode_t mode = 0644) {
    std::filesystem::remove(path());
    std::ofstream(path()) << text;
    REQUIRE(::chmod(path().c_str(), mode) == 0);
  }
  std::string path() const { return folder + "/policy.json"; }
  std::string folder;
};

const ServerId kServer{IdBytes{1}};
ControlUnit nginx() { return ControlUnit::parse("nginx.service").value(); }
ServerAction restart() { return RestartUnit{kServer, nginx()}; }
ServerAction stop() { return StopUnit{kServer, nginx()}; }
ServerAction remove_env() { return RemoveEnv{kServer, UnixUser::parse("www-data").value()}; }
ServerAction status() { return UnitStatus{kServer, UnitName::parse("nginx.service").value()}; }

struct Says {
  bool person_restart, person_stop, person_env, ai_restart, ai_stop, ai_env;
  bool operator==(const Says&) const = default;
};
Says allowed(const std::string& path) {
  const PolicyFile p(path);
  for (const bool by_ai : {true, false}) CHECK_FALSE(p.forbids(status(), by_ai));  // looking is not what it is about
  const auto may = [&](const ServerAction& a, bool by_ai) {
    const auto no = p.forbids(a, by_ai);
    if (no) CHECK(no->code == Code::forbidden);
    if (no) CHECK(no->detail.contains(path));
    return !no;
  };
  return {may(restart(), false), may(stop(), false), may(remove_env(), false), may(restart(), true), may(stop(), true), may(remove_env(), true)};
}

TEST_CASE("each rule of the policy file forbids what it names and nothing else") {
  File f;
  CHECK(allowed(f.path()) == Says{true, true, true, true, true, true});  // no file
  f.write("{}");
  CHECK(allowed(f.path()) == Says{true, true, true, true, true, true});
  f.write(R"({"ai": true})");
  CHECK(allowed(f.path()) == Says{true, true, true, true, true, true});
  f.write(R"({"ai": false})");
  CHECK(allowed(f.path()) == Says{true, true, true, false, false, false});
  f.write(R"({"forbid": ["unit.stop"]})");
  CHECK(allowed(f.path()) == Says{true, false, true, true, false, true});
  f.write(R"({"forbid_ai": ["unit.stop"]})");
  CHECK(allowed(f.path()) == Says{true, true, true, true, false, true});
  f.write(R"({"forbid_ai": ["unit"], "forbid": ["env"]})");
  CHECK(allowed(f.path()) == Says{true, true, false, false, false, false});
}

TEST_CASE("in panic nothing is ordered here, looking neither, whatever the policy says; ended, everything is as it was") {
  File f;
  f.write(R"({"forbid": ["unit.stop"]})");
  const PolicyFile p(f.path());
  REQUIRE(begin_panic(f.folder, "an attack\x1b[31m", Instant(0)));
  REQUIRE(begin_panic(f.folder, "once more", Instant(1)));
  for (const bool by_ai : {true, false})
    for (const ServerAction& a : {restart(), stop(), remove_env(), status()}) {
      const auto no = p.forbids(a, by_ai);
      REQUIRE(no);
      CHECK(no->code == Code::forbidden);
      CHECK(no->detail.contains("caip-agent panic --end"));
    }
  std::ifstream kept(f.folder + "/panic");
  const std::string note{std::istreambuf_iterator<char>(kept), {}};
  CHECK(note.contains("an attack"));
  CHECK_FALSE(note.contains('\x1b'));
  REQUIRE(end_panic(f.folder));
  REQUIRE(end_panic(f.folder));
  CHECK(allowed(f.path()) == Says{true, false, true, true, false, true});
}

TEST_CASE("whatever bears the name of the brake stops orders, and so does a folder that is none; without the folder it cannot be begun, and that is said") {
  File f;
  const std::string brake = f.folder + "/panic";
  std::filesystem::create_directory(brake);
  CHECK(PolicyFile(f.path()).forbids(status(), false));
  std::filesystem::remove(brake);
  std::filesystem::create_symlink("/nowhere/at/all", brake);
  CHECK(PolicyFile(f.path()).forbids(status(), false));
  CHECK(begin_panic(f.folder, "", Instant(0)));
  CHECK_FALSE(std::filesystem::exists("/nowhere"));
  REQUIRE(end_panic(f.folder));
  f.write("{}");
  CHECK(PolicyFile(f.path() + "/policy.json").forbids(status(), false));
  CHECK_FALSE(begin_panic(f.folder + "/none", "", Instant(0)));
}

TEST_CASE("a policy file that is broken, or that others could have written, lets nothing be changed") {
  File f;
  const Says nothing{};
  for (const char* text : {"", "{", "[]", R"({"ai": "no"})", R"({"ai": false} x)", R"({"forbid": "unit"})", R"({"forbid": [1]})", R"({"forbid": ["unit.status"]})", R"({"forbid": ["reboot"]})",
                           R"({"AI": false})", R"({"ai": true, "ai": false})"}) {
    CAPTURE(text);
    f.write(text);
    CHECK(allowed(f.path()) == nothing);
  }
  f.write(std::string(20'000, ' ') + "{}");
  CHECK(allowed(f.path()) == nothing);
  for (const mode_t mode : {0664U, 0646U, 0666U}) {
    CAPTURE(mode);
    f.write("{}", mode);
    CHECK(allowed(f.path()) == nothing);
  }
  f.write("{}");
  REQUIRE(::symlink(f.path().c_str(), (f.folder + "/link").c_str()) == 0);
  CHECK(allowed(f.folder + "/link") == nothing);
  REQUIRE(::mkfifo((f.folder + "/pipe").c_str(), 0600) == 0);
  CHECK(allowed(f.folder + "/pipe") == nothing);
  if (::geteuid() == 0) {
    REQUIRE(::chown(f.path().c_str(), 1000, 0) == 0);
    CHECK(allowed(f.path()) == nothing);
  }
}

}  // namespace
}  // namespace caip::agent
