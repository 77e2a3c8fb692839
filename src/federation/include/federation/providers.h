// federation/providers.h: the providers of the configuration and the way to an ExternalIdentity:
// begin() gives the address to go to, finish() takes what came back. finish() asks the provider over the
// network; at most a few do at once, and fewer for one provider, so that a slow one does
// not take all workers nor all places; and each has a deadline for all it asks.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "crypto/secret.h"
#include "federation/attempts.h"
#include "federation/fetch.h"
#include "model/ids.h"
#include "proofs/external_identity.h"

namespace caip::federation {

enum class Kind : std::uint8_t { openid, github };

struct ProviderConfig {
  std::string id = {};     // "google": [a-z0-9-], in addresses and in the log
  std::string label = {};  // on the button
  Kind kind = Kind::openid;
  std::string issuer = {};         // openid
  std::string hosted_domain = {};  // openid; empty: any
  std::string web = "https://github.com";      // github
  std::string api = "https://api.github.com";  // github
  std::string client_id = {};
  std::shared_ptr<const SecretBytes> client_secret = {};
};

struct ProviderInfo {
  std::string id;
  std::string label;
  Kind kind;
};

struct Ask {
  std::string provider = {};
  Purpose purpose = Purpose::sign_in;
  std::optional<SessionId> session = {};  // who links, or steps up
  std::string next = "/";
  std::string invitation = {};  // the token of its link
  std::string address = {};
};

struct Started {
  std::string location;  // the provider's page
  std::string browser;   // for the cookie
};

// What the provider's redirect brought, and this browser's cookie.
struct Returned {
  std::string provider = {};
  Purpose purpose = Purpose::sign_in;
  std::optional<SessionId> session = {};
  std::string browser = {};
  std::string state = {};
  std::string code = {};
  std::string error = {};
  std::optional<std::string> issuer = {};  // RFC 9207
};

struct Proven {
  ExternalIdentity identity;
  std::string next;
  bool anew = false;  // they proved themselves there since begin(), and the provider says so; of a step-up alone
  std::string invitation = {};  // as it was asked
};

class Provider;

class Providers final {  // thread-safe
 public:
  static constexpr int kMostAtOnce = 4;
  static constexpr int kMostOfOne = 2;  // of one provider: a slow one does not take the others' places

  // `base` is where browsers find us: https://HOST[:PORT]; a provider comes back to base/sign-in/callback/ID.
  Providers(std::vector<ProviderConfig>, std::string base, Fetch, const Clock&);
  ~Providers();

  std::vector<ProviderInfo> list() const;
  Result<Started> begin(const Ask&);
  // Errors say what to do next; reasons for the log come with Code::bad_credentials and name no token.
  Result<Proven> finish(const Returned&);

 private:
  const Provider* find(std::string_view id) const;
  std::string redirect_uri(std::string_view id) const;
  Fetch fetch_;  // all providers use it
  std::vector<std::unique_ptr<Provider>> providers_;
  std::string base_;
  const Clock& clock_;
  Attempts attempts_;
  std::atomic<int> asking_ = 0;
};

}  // namespace caip::federation
