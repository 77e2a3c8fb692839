// trust.h: whom to trust at the first contact. Either the caller names the authority (a file, or
// the SHA-256 of its certificate), or the system knows it, or a person at a terminal is shown
// the fingerprint and says yes. What is chosen is pinned; nothing else is believed afterwards.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state.h"

namespace caip::cli {

struct TrustOptions {
  std::string ca_file;
  std::string ca_sha256;
};
// Pins (or not) and returns the configuration to save after a successful sign-in.
Result<Config> establish_trust(const Paths&, const std::string& url, const TrustOptions&);

// "https://host:port", no path, no user, no trailing slash.
Result<std::string> checked_url(std::string_view);
// SHA-256 of the certificate's DER form, from PEM; hex, lower case.
Result<std::string> fingerprint(std::string_view pem);
// Hex with or without colons or "sha256:", any case.
Result<std::string> checked_fingerprint(std::string_view);

}  // namespace caip::cli
