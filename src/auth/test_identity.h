// What another service says of a person, for the tests of this room: in production federation mints it, which this room
// does not see.
#pragma once
#include <string>

#include "proofs/external_identity.h"

namespace caip::federation {
class Providers {
 public:
  static ExternalIdentity identity(ExternalIdentity::Said said) { return ExternalIdentity(Badge<Providers>{}, std::move(said)); }
};
}  // namespace caip::federation

namespace caip::auth {

// `email`: verified by the service; "" for none.
inline ExternalIdentity google(std::string subject, const std::string& email = "owner@example.com") {
  return federation::Providers::identity({.provider = "google", .issuer = "https://accounts.google.com", .subject = std::move(subject),
                                          .email = email.empty() ? std::nullopt : std::optional(Email::parse(email).value()), .shown = email});
}

}  // namespace caip::auth
