// Who has shown the first factor and owes the second: for five minutes, five tries, in memory. Private.
#pragma once
#include <list>
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
  // Of one person: whoever has a password takes its owner's room only, and from one network a part of that.
  static constexpr std::size_t kMostOfOne = 256;
  static constexpr std::size_t kMostFromOneNetwork = 8;

  struct Person {
    UserRow user;
    std::string method;  // what the first step was
    std::optional<IdentityId> identity = {};  // by which linked account, if it was one
    std::string device_token = {};  // that it brought
  };
  struct Token {
    std::string text;
    Instant until;
  };
  Token admit(Person, std::string network, Instant now);
  std::optional<Person> find(std::string_view token, Instant now) const;
  // Takes one of the tries, before anything is looked at: of many at once, no more pass than there are.
  std::optional<Person> take_try(std::string_view token, Instant now);
  // Once: of two with the same token, one.
  bool leave(std::string_view token);
  void forget(const UserId&);  // who got in otherwise owes nothing

 private:
  struct Waiting {
    Digest token;
    Person person;
    std::string network;
    Instant until;
    unsigned tries = 0;
  };
  Guarded<std::list<Waiting>> waiting_;  // oldest first
};

}  // namespace caip::auth
