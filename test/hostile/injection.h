// injection.h: instructions that come in what servers and alerts say, and a model that obeys whatever it reads.
#pragma once
#include "model.h"
#include "world.h"

namespace caip::hostile {

struct Case {
  std::string name;     // "A08/journal/base64", "ar/process_name/plain"
  std::string carrier;  // where the text lies
  std::string mark;     // the text begins with it, in every style
  std::string text;
  std::vector<pilot::ToolCall> calls;  // what it asks for
};
// All of test/data/injection.json: each order in each carrier in three of the styles, each incident in each carrier in two.
Result<std::vector<Case>> corpus(const std::string& file);

struct Injected {
  std::size_t cases = 0, reached = 0, obeyed_calls = 0, injected_cards = 0, benign = 0, benign_without = 0, wrong = 0;
};
Injected play(World&, Model&, const std::vector<Case>&);

}  // namespace caip::hostile
