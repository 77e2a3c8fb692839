#include "password_rules.h"

#include <catch2/catch_test_macros.hpp>
#include <algorithm>
#include <chrono>

#include "common_passwords.h"

using namespace caip;
using namespace caip::auth;

namespace {

std::string refusal(std::string_view password, PasswordFor person = {}) {
  auto taken = acceptable(SecretBytes(password), person);
  if (taken) return "";
  CHECK(taken.error().code == Code::invalid);
  CHECK_FALSE(taken.error().detail.contains(password));
  return taken.error().detail;
}

}  // namespace

TEST_CASE("12 to 128 characters with a second factor, 15 without, and nothing about their kind") {
  CHECK(refusal("vtk pqw mzu bx").contains("at least 15"));
  CHECK(refusal("vtk pqw mzu bxe").empty());
  CHECK(refusal("vtk pqw mzu", {.second_factor = true}).contains("at least 12"));
  CHECK(refusal("vtk pqw mzub", {.second_factor = true}).empty());
  CHECK(refusal("all lower case words of nothing").empty());
  CHECK(refusal("ÄöÜ ñandú пингвин 企鹅").empty());
  CHECK(refusal("äöüäöüäöüäöüßß").contains("at least 15"));  // characters, not bytes
  std::string longest;
  for (int i = 0; i < 128; ++i) longest += static_cast<char>('!' + i * 7 % 90);
  CHECK(refusal(longest).empty());
  CHECK(refusal(longest + "x").contains("at most 128"));
  CHECK(refusal(std::string(5000, 'x')).contains("at most 128"));
  CHECK(refusal(std::string("before and\0after it", 19)).contains("is text"));
  CHECK(refusal("\xff\xfe not any text").contains("is text"));
}

TEST_CASE("common and weak passwords are refused, in whatever case") {
  for (const auto password : kCommonPasswords) CHECK_FALSE(refusal(password, {.second_factor = true}).empty());
  CHECK(std::ranges::is_sorted(kCommonPasswords));
  for (const char* weak : {"passwordpassword", "PasswordPassword1", "aaaaaaaaaaaaaaaaaaaa", "123456789012345678", "qwertyuiopasdfgh",
                           "abcabcabcabcabcabc", "Administrator12345", "summer2024summer2024", "letmeinletmeinletmein"}) {
    CAPTURE(weak);
    CHECK(refusal(weak).contains("easy to guess"));
  }
}

TEST_CASE("a person's own words do not make a password") {
  const PasswordFor mara{.words = {"mara.lindqvist@hollowbrook.example", "Hollowbrook Widgets"}};
  CHECK(refusal("hollowbrooklindqvist").empty());  // to anybody else it is a good one
  CHECK(refusal("HollowbrookLindqvist", mara).contains("easy to guess"));
  CHECK(refusal("mara.lindqvist@hollowbrook.example", mara).contains("easy to guess"));
  CHECK(refusal("cloudaipilotcloudaipilot").contains("easy to guess"));
}

TEST_CASE("no password takes long to judge") {
  for (const std::string& slow : {std::string(128, 'a'), std::string(512, '\xc3'), std::string("password1") + std::string(119, '1')}) {
    const auto began = std::chrono::steady_clock::now();
    (void)acceptable(SecretBytes(slow), {.words = {std::string(64, 'a')}});
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(250));
  }
}
