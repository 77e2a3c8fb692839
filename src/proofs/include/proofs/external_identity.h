// proofs/external_identity.h: a provider said, just now and to us, who this browser's person is. Minted by
// federation::Providers alone, after state, code exchange and token were checked; never kept.
// It names a person at the provider and nobody here: which account that is, if any, auth knows.
#pragma once
#include <optional>
#include <string>

#include "base/badge.h"
#include "model/names.h"

namespace caip::federation { class Providers; }

namespace caip {

class [[nodiscard]] ExternalIdentity final {
 public:
  struct Said {
    std::string provider;  // of our configuration: "google"
    std::string issuer;    // with the subject: the key of an account
    std::string subject;   // case-sensitive; GitHub: the number of the account
    std::optional<Email> email;  // verified by the provider; finds no account by itself
    std::string shown;     // what its owner calls it: text from outside
  };
  ExternalIdentity(Badge<federation::Providers>, Said said) : said_(std::move(said)) {}
  ExternalIdentity(ExternalIdentity&&) noexcept = default;
  ExternalIdentity(const ExternalIdentity&) = delete;
  ExternalIdentity& operator=(const ExternalIdentity&) = delete;
  ~ExternalIdentity() noexcept {}

  const std::string& provider() const { return said_.provider; }
  const std::string& issuer() const { return said_.issuer; }
  const std::string& subject() const { return said_.subject; }
  const std::optional<Email>& email() const { return said_.email; }
  const std::string& shown() const { return said_.shown; }

 private:
  Said said_;
};

}  // namespace caip
