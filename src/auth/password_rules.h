// password_rules.h: which passwords are taken. Length, not composition (NIST SP 800-63B-4, 3.1.1.2): 12 to 128
// characters, 15 without a second factor; not one of a shipped list; not weak by zxcvbn, which also knows the
// person's own words. An older password that fails this still signs in: the rules are for new ones. Private.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/secret.h"

namespace caip::auth {

inline constexpr std::size_t kLeastWithFactor = 12, kLeastAlone = 15, kMostCharacters = 128;

struct PasswordFor {
  std::vector<std::string> words = {};  // e-mail address, organisation: what a guesser tries first
  bool second_factor = false;
};

// Code::invalid, with a text that says what to do; never with a part of the password.
Result<void> acceptable(const SecretBytes& password, const PasswordFor&);

}  // namespace caip::auth
