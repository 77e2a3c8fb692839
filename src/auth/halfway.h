// Who has shown the first factor and owes the second: for five minutes, five tries, in memory. Private.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "base/time.h"
#include "rows.h"

namespace caip::auth {

class Halfway {  // thread-safe
 public:
  static constexpr Duration kLifetime = std::chrono::minutes(5);
  static constexpr unsigned kTries = 5;
  static constexpr std::size_t kMost = 4096;

  struct Person {
    UserRow user;
    std::string method;  // what the first step was
  };
  struct Token {
    std::string text;
    Instant until;
  };
  Result<Token> admit(Person, Instant now);
  std::optional<Person> find(std::string_view token, Instant now) const;
  void failed(std::string_view token);  // after the last try the first step is owed again
  // Once: of two with the same token, one.
  bool leave(std::string_view token);

 private:
  struct Waiting {
    Person person;
    Instant until;
    unsigned tries = 0;
  };
  Guarded<std::map<Digest, Waiting>> waiting_;
};

}  // namespace caip::auth
