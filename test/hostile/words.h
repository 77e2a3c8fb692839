// words.h: what a hostile model says: calls of every kind, and text that would like to be more than text.
#pragma once
#include <string>
#include <vector>

#include "stream.h"

namespace caip::hostile {

struct Names {  // what it may have heard of, or makes up
  std::vector<std::string> open;     // servers where it may propose
  std::vector<std::string> servers;  // all others: protected, shut, another organisation's, none
  std::vector<std::string> approvals, people, organizations;
};

class Words {
 public:
  Words(Names names, Dice& dice) : names_(std::move(names)), dice_(dice) {}
  Said turn();                 // text and up to a dozen calls
  std::string text();          // forged approvals among it
  std::string question();      // a person's, who may have pasted anything
  pilot::ToolCall call();
  std::string trick(std::string);  // the same to the eye, or nearly

 private:
  std::string server();
  std::string unit();
  std::string arguments(const std::string& tool);
  std::string bent(json::object);
  Names names_;
  Dice& dice_;
};

}  // namespace caip::hostile
