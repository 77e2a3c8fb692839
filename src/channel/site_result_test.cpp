// What an agent says of a site: typed values, parsed again here, or the whole answer is refused.
#include <catch2/catch_test_macros.hpp>

#include "inbox.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

wire::OrderResult answer(std::string spec = R"({"domains":["a.example"],"kind":"proxy","port":3000,"redirect":false})") {
  wire::OrderResult r;
  r.set_order(OperationId(IdBytes{1}).str());
  r.set_succeeded(true);
  wire::Site& s = *r.mutable_site();
  s.set_exists(true);
  s.set_spec(std::move(spec));
  s.add_answers("a.example");
  s.set_bytes(~std::uint64_t{0});
  return r;
}

}  // namespace

TEST_CASE("what a server says of a site is read as people see it") {
  const auto read = read_result(answer());
  REQUIRE(read);
  const json::object& site = read->machine.at("site").as_object();
  CHECK((site.at("exists") == true && site.at("port") == 3000 && site.at("kind") == "proxy" && site.at("ends_at").is_null() && site.at("upstream") == false));
  CHECK(site.at("bytes").as_int64() == (std::int64_t{1} << 53) - 1);  // JSON's whole numbers end there
  wire::OrderResult none = answer("");
  none.mutable_site()->set_exists(false);
  CHECK(read_result(none)->machine.at("site").as_object().at("kind").is_null());
  wire::OrderResult gone = answer();
  gone.mutable_site()->set_deleted(true);
  gone.mutable_site()->set_ends("2026-11-27T00:00:00.000000Z");
  CHECK(read_result(gone)->machine.at("site").as_object().at("ends_at") == "2026-11-27T00:00:00.000000Z");
}

TEST_CASE("a made up site is no answer") {
  for (const char* spec : {"{", "null", "[]", R"({"domains":["a.b; x"],"kind":"static","redirect":false})", R"({"domains":[],"kind":"static","redirect":false})",
                           R"({"domains":["a.example"],"kind":"static","more":1,"redirect":false})", R"({"domains":["A.example"],"kind":"proxy","redirect":false})"})
    CHECK_FALSE(read_result(answer(spec)));
  for (const char* domain : {"", "<b>.c", "a b.c", "\xe2\x80\xae.b"}) {
    wire::OrderResult r = answer();
    r.mutable_site()->add_silent(domain);
    CHECK_FALSE(read_result(r));
  }
  wire::OrderResult many = answer();
  for (int i = 0; i < 21; ++i) many.mutable_site()->add_answers("a.example");
  CHECK_FALSE(read_result(many));
  wire::OrderResult never = answer();
  never.mutable_site()->set_deleted(true);
  never.mutable_site()->set_ends("soon");
  CHECK_FALSE(read_result(never));
}

}  // namespace caip::channel
