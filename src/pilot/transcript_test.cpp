#include <catch2/catch_test_macros.hpp>
#include <rapidcheck.h>

#include <map>

#include "transcript.h"

namespace caip::pilot {
namespace {

TEST_CASE("each call has one result right behind it, whatever became of it; what belongs to no call is left out") {
  const std::vector<Message> talk{{Speaker::user, "x", {}, {}}, {Speaker::tool, "of nobody", {}, "call_0"}, {Speaker::pilot, "", {{"a", "f g", "{}"}, {"b", "", "{}"}, {"a", "again", "{}"}}, {}},
                                  {Speaker::tool, "of b", {}, "b"}, {Speaker::tool, "twice", {}, "b"}, {Speaker::pilot, "", {}, {}}, {Speaker::user, "", {}, {}}, {Speaker::pilot, "done", {}, {}}};
  const auto out = repaired(talk);
  REQUIRE(out.size() == 6);
  CHECK(out[1].calls.size() == 2);
  CHECK(out[1].calls[0].name == "f_g");
  CHECK(out[1].calls[1].name == "unknown");
  CHECK(out[2].call_id == "a");
  CHECK(says_error(out[2]));
  CHECK(out[3].text == "of b");
  CHECK(out[4].text == "done");
  CHECK(out[5].speaker == Speaker::user);  // the last word is not the pilot's
}

TEST_CASE("of any talk: calls and results are paired, and nothing is empty") {
  CHECK(rc::check([](const std::vector<std::tuple<std::uint8_t, std::string, std::vector<std::uint8_t>>>& any) {
    std::vector<Message> talk;
    for (const auto& [who, text, calls] : any) {
      Message m{static_cast<Speaker>(who % 3), text, {}, "c" + std::to_string(who % 5)};
      if (m.speaker == Speaker::pilot)
        for (const auto c : calls) m.calls.push_back({"c" + std::to_string(c % 5), text, "{}"});
      talk.push_back(m);
    }
    const auto out = repaired(talk);
    RC_ASSERT(!out.empty() && out.back().speaker != Speaker::pilot);
    for (std::size_t i = 0; i < out.size(); ++i) {
      RC_ASSERT(!out[i].text.empty() || !out[i].calls.empty());
      for (std::size_t c = 0; c < out[i].calls.size(); ++c) RC_ASSERT(out.at(i + 1 + c).call_id == out[i].calls[c].id);
      if (out[i].speaker == Speaker::tool) RC_ASSERT(i > 0 && out[i - 1].speaker != Speaker::user);
    }
  }));
}

}  // namespace
}  // namespace caip::pilot
