// chat.h: OpenAI-compatible chat completions, streamed: calls are merged by index, since their fragments interleave.
#pragma once
#include "dialect.h"

namespace caip::pilot {

class StreamReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  struct Partial {
    std::optional<std::int64_t> index;
    std::size_t call = 0;
  };
  bool ends(std::string_view data) const override { return data == "[DONE]"; }
  Result<void> take(const json::object& chunk) override;
  Result<bool> whole() override;
  Result<void> take_call(const json::object&);
  Result<std::size_t> call_for(const json::object&);

  std::vector<Partial> partials_;
  std::string finish_reason_;
};

std::string chat_body(const TurnRequest&);
Refusal chat_refusal(long status, std::string_view body);

}  // namespace caip::pilot
