#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "api.h"
#include "browser.h"
#include "find.h"
#include "state.h"
#include "terminal.h"
#include "trust.h"

namespace caip::cli {
namespace {

TEST_CASE("the server's address is a scheme, a host and a port, nothing else") {
  CHECK(checked_url("https://localhost:8443/").value() == "https://localhost:8443");
  CHECK(checked_url("https://[::1]:8443").value() == "https://[::1]:8443");
  for (const char* bad : {"http://localhost", "https://", "https://user@host", "https://host/path", "https://host?x", "localhost:8443"})
    CHECK_FALSE(checked_url(bad));
}

TEST_CASE("only what brings our state to the right path is the browser's answer") {
  CHECK(brought("/callback?code=abc&state=s1", "s1").code.value() == "abc");
  const auto denied = brought("/callback?error=access_denied&state=s1", "s1");
  CHECK(denied.ours);
  CHECK(denied.code.error().code == Code::forbidden);
  for (const char* other : {"/callback?code=abc", "/callback?code=abc&state=s2", "/callback?code=abc&state=s1&state=s1", "/callback?code=a&code=b&state=s1", "/callback?code=&state=s1",
                            "/?code=abc&state=s1", "/callback/?code=abc&state=s1", "/callback?state=s1", "/callback?error=other&state=s1", "/favicon.ico", "", "http://x/callback?code=a&state=s1"})
    CHECK_FALSE(brought(other, "s1").ours);
}

TEST_CASE("a fingerprint is the SHA-256 of the certificate's DER form, however it is written") {
  // "abc" stands in for the DER bytes; its SHA-256 is the first example of FIPS 180-2.
  const std::string pem = "x\n-----BEGIN CERTIFICATE-----\nYW\nJj\n-----END CERTIFICATE-----\n";
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(fingerprint(pem).value() == abc);
  CHECK_FALSE(fingerprint("YWJj"));
  CHECK_FALSE(fingerprint("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----"));
  CHECK(checked_fingerprint("SHA256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD").value() == abc);
  CHECK(checked_fingerprint(abc).value() == abc);
  CHECK_FALSE(checked_fingerprint(abc.substr(2)));
  CHECK_FALSE(checked_fingerprint(""));
}

TEST_CASE("exit codes are those of the contract") {
  CHECK(exit_code(Code::internal) == 1);
  CHECK(exit_code(Code::not_found) == 3);
  CHECK(exit_code(Code::forbidden) == 4);
  CHECK(exit_code(Code::unauthenticated) == 4);
  CHECK(exit_code(Code::already_decided) == 5);
  CHECK(exit_code(Code::digest_mismatch) == 5);
  CHECK(exit_code(Code::approval_needed) == 6);
  CHECK(exit_code(Code::timeout) == 7);
}

TEST_CASE("an error is its problem document, or its status when there is none") {
  const Error problem = problem_of({409, "application/problem+json", R"({"code":"already_decided","detail":"denied\u202e"})"});
  CHECK(problem.code == Code::already_decided);
  CHECK(problem.detail == "denied<U+202E>");
  CHECK(problem_of({404, "text/html", "<h1>"}).code == Code::not_found);
  CHECK(problem_of({503, "", R"({"code":"never heard of"})"}).code == Code::server_offline);
  CHECK_FALSE(understood({200, "", "[]"}));
  CHECK(understood({204, "", ""}));
}

TEST_CASE("text from a server cannot move the cursor or hide") {
  CHECK(table({"A", "B"}, {{"x\x1b[31m", "é"}}) == "A              B\nx<U+001B>[31m  é");
  CHECK(shown_lines("a\n\x1b]0;x\n") == "a\n<U+001B>]0;x\n");
}

TEST_CASE("tokens are kept in a file that nobody else can read") {
  const auto folder = std::filesystem::temp_directory_path() / ("caip-cli-test-" + std::to_string(::getpid()));
  const Paths paths{folder / "config" / "caip", folder / "state" / "caip"};
  REQUIRE(save_tokens(paths, {"https://a", "access", "refresh"}));
  struct stat st{};
  REQUIRE(::stat(paths.session().c_str(), &st) == 0);
  CHECK((st.st_mode & 0777U) == 0600U);
  CHECK(load_tokens(paths, "https://a").value().refresh == "refresh");
  CHECK(load_tokens(paths, "https://b").error().code == Code::unauthenticated);  // shown to nobody else
  forget_tokens(paths);
  CHECK(load_tokens(paths, "https://a").error().code == Code::unauthenticated);
  std::filesystem::remove_all(folder);
}

TEST_CASE("a unit may be named without its type") {
  CHECK(unit_name("nginx") == "nginx.service");
  CHECK(unit_name("ssh.socket") == "ssh.socket");
}

}  // namespace
}  // namespace caip::cli
