// auth/api_tokens.h: API tokens, for programs. One acts for its maker in the organisation where it was
// made, with the scopes it was given and never more than its maker holds now. Shown once; only its
// SHA-256 is stored. SessionStore::verify() takes one in place of an access token. Thread-safe.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/accounts.h"
#include "base/guarded.h"
#include "outbound/network.h"

namespace caip::auth {

inline constexpr Duration kLongestToken = std::chrono::hours(24 * 365);
inline constexpr std::size_t kMostTokens = 50;     // alive, of one person in one organisation
inline constexpr std::size_t kMostNetworks = 32;   // of one token
inline constexpr std::string_view kTokenPrefix = "caip_pat_";

// "caip_pat_", 43 characters of base64url, and 6 that are a checksum over all before them: a scanner
// for leaked secrets can tell one without asking us.
std::string make_token_text();
bool is_token_text(std::string_view) noexcept;

struct ApiToken {
  TokenId id;
  OrgId org;
  UserId user;
  Email email;
  TokenName name;
  PermissionSet scopes;               // as given; what counts is that and what the maker's role grants
  std::vector<std::string> networks;  // from where alone; empty: from anywhere
  Instant created, expires;
  std::optional<Instant> used;
  std::optional<Instant> ended;
};
struct NewToken {
  ApiToken token;
  std::string text;  // not stored
};

class ApiTokens {
 public:
  explicit ApiTokens(Accounts& accounts) : accounts_(accounts) {}

  // Code::invalid: longer than a year, no scope, too many networks. conflict: kMostTokens.
  Result<NewToken> create(Authorized<CreateToken>&&, const std::vector<std::string>& networks);
  Result<Receipt<RevokeToken>> revoke(Authorized<RevokeToken>&&);        // one's own; another's is not_found
  Result<Receipt<RevokeAnyToken>> revoke(Authorized<RevokeAnyToken>&&);  // of one's organisation
  Result<Page<ApiToken>> list(const OrgId&, const std::optional<UserId>& of, const PageAsk&) const;  // newest first

  // Whether this use is to be put on the record: the first from an address in a quarter of an hour.
  void forget(const TokenId&, const std::string& address);  // that use was not recorded after all
  bool due(const TokenId&, const std::string& address);
  Result<Receipt<UseToken>> used(Authorized<UseToken>&&, const UserId& maker);

 private:
  template <Action A>
  Result<Receipt<A>> end(Authorized<A>&&, const std::optional<UserId>& of);
  static constexpr std::size_t kMostSeen = 10'000;
  Accounts& accounts_;
  Guarded<std::map<std::pair<std::string, std::string>, Instant>> seen_;
};

}  // namespace caip::auth
