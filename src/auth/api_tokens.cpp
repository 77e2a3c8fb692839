#include "auth/api_tokens.h"

#include <algorithm>
#include <limits>

#include "accounts_impl.h"
#include "additions.h"
#include "crypto/hash.h"
#include "token_rows.h"

namespace caip::auth {
namespace {

constexpr std::size_t kRandom = 43, kChecksum = 6;
constexpr Duration kOnRecord = std::chrono::minutes(15);

#define TOKEN_COLUMNS "api_tokens.id, api_tokens.org, api_tokens.user, users.email, api_tokens.name, api_tokens.scopes, api_tokens.networks," \
                      " api_tokens.created, api_tokens.expires, api_tokens.used, api_tokens.ended"

std::string checksum(std::string_view text) { return base64url(crypto::sha256(view(text))).substr(0, kChecksum); }

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = text.find(' ');
    out.emplace_back(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

std::string joined(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& word : all) out += (out.empty() ? "" : " ") + word;
  return out;
}

Result<ApiToken> read(const storage::Row& r) {
  CAIP_TRY(id, r.id<TokenId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(user, r.id<UserId>(2));
  CAIP_TRY(email, Email::parse(r.text_view(3)));
  CAIP_TRY(name, TokenName::parse(r.text_view(4)));
  return ApiToken{id, org, user, std::move(email), std::move(name), scopes_from(r.text_view(5)), words(r.text_view(6)), r.time(7), r.time(8),
                  r.optional_time(9), r.optional_time(10)};
}

Result<void> check_networks(const std::vector<std::string>& networks) {
  if (networks.size() > kMostNetworks) return fail(Code::invalid, "a token has at most 32 networks");
  for (const auto& n : networks) CAIP_CHECKED(outbound::Network::parse(n));
  return {};
}

}  // namespace

std::string make_token_text() {
  const std::string text = std::string(kTokenPrefix) + base64url(crypto::random_bytes(32));
  return text + checksum(text);
}

bool is_token_text(std::string_view text) noexcept {
  if (text.size() != kTokenPrefix.size() + kRandom + kChecksum || !text.starts_with(kTokenPrefix)) return false;
  return checksum(text.substr(0, text.size() - kChecksum)) == text.substr(text.size() - kChecksum);
}

std::string scopes_text(PermissionSet scopes) {
  std::vector<std::string> names;
  for (const auto& row : permission_table())
    if (scopes.has(row.permission)) names.emplace_back(row.name);
  return joined(names);
}

PermissionSet scopes_from(std::string_view text) {
  PermissionSet out;
  for (const auto& name : words(text))
    if (const auto p = parse_permission(name)) out.add(*p);
  return out;
}

bool comes_from(const std::vector<std::string>& networks, std::string_view address) {
  if (networks.empty()) return true;
  const auto from = outbound::Address::parse(address.substr(0, address.find('%')));
  if (!from) return false;
  return std::ranges::any_of(networks, [&](const std::string& text) {
    const auto network = outbound::Network::parse(text);
    return network && network->contains(*from);
  });
}

Result<std::optional<LiveToken>> live_token(storage::Reader& tx, std::string_view text, Instant now) {
  CAIP_TRY(found, tx.one<Result<ApiToken>>("SELECT " TOKEN_COLUMNS " FROM api_tokens JOIN users ON users.id = api_tokens.user"
                                           " WHERE api_tokens.hash = ?1 AND api_tokens.ended IS NULL AND api_tokens.expires > ?2",
                                           crypto::sha256(view(text)), now, read));
  if (!found) return std::optional<LiveToken>{};
  CAIP_TRY(token, *std::move(found));
  CAIP_TRY(member, member_of(tx, token.org, token.user));
  if (!member) return std::optional<LiveToken>{};
  return std::optional(LiveToken{token.id, token.scopes, std::move(token.networks), token.expires, *std::move(member)});
}

Result<NewToken> ApiTokens::create(Authorized<CreateToken>&& permit, const std::vector<std::string>& networks) {
  auto& impl = *accounts_.impl_;
  const CreateToken action = permit.action();
  const OrgId org = *permit.principal().org;
  const UserId user = *permit.principal().user;
  const auto session = permit.principal().session;
  const Instant now = impl.clock.now();
  if (action.expires <= now || action.expires - now > kLongestToken) return fail(Code::invalid, "a token is valid for a year at most");
  CAIP_CHECKED(check_networks(networks));
  CAIP_TRY(spent, std::move(permit).spend(now));
  const std::string text = make_token_text();
  auto tx = impl.database.begin_write();
  CAIP_TRY(member, member_of(tx, org, user));
  if (!member) return not_signed_in();
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM api_tokens WHERE org = ?1 AND user = ?2 AND ended IS NULL AND expires > ?3", org, user, now,
                                       [](const storage::Row& r) { return r.integer(0); }));
  if (count.value_or(0) >= static_cast<std::int64_t>(kMostTokens)) return fail(Code::conflict, "a person has at most 50 tokens in an organisation; revoke one");
  CAIP_CHECKED(tx.exec("INSERT INTO api_tokens (id, org, user, name, hash, scopes, networks, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                       action.token, org, user, action.name.str(), crypto::sha256(view(text)), scopes_text(action.scopes), joined(networks), now, action.expires));
  CAIP_CHECKED(note_addition(tx, user, session, "token", action.token.str(), now));
  CAIP_TRY(receipt, impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"networks", joined(networks)}}}));
  static_cast<void>(receipt);
  return NewToken{{action.token, org, user, member->user.email, action.name, action.scopes, networks, now, action.expires, std::nullopt, std::nullopt}, text};
}

template <Action A>
Result<Receipt<A>> ApiTokens::end(Authorized<A>&& permit, const std::optional<UserId>& of) {
  auto& impl = *accounts_.impl_;
  const TokenId id = permit.action().token;
  const OrgId org = *permit.principal().org;
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(ended, tx.exec("UPDATE api_tokens SET ended = ?4 WHERE id = ?1 AND org = ?2 AND (?3 IS NULL OR user = ?3) AND ended IS NULL", id, org, of, now));
  if (ended != 1) return fail(Code::not_found, "no such token");
  return impl.ledger.commit(std::move(tx), std::move(spent));
}

Result<Receipt<RevokeToken>> ApiTokens::revoke(Authorized<RevokeToken>&& permit) {
  const UserId mine = *permit.principal().user;
  return end(std::move(permit), mine);
}
Result<Receipt<RevokeAnyToken>> ApiTokens::revoke(Authorized<RevokeAnyToken>&& permit) { return end(std::move(permit), std::nullopt); }

Result<Page<ApiToken>> ApiTokens::list(const OrgId& org, const std::optional<UserId>& of, const PageAsk& ask) const {
  const Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  std::vector<ApiToken> out;
  Result<void> bad;
  auto tx = accounts_.impl_->database.begin_read();
  CAIP_CHECKED(tx.query("SELECT " TOKEN_COLUMNS " FROM api_tokens JOIN users ON users.id = api_tokens.user WHERE api_tokens.org = ?1"
                        " AND (?2 IS NULL OR api_tokens.user = ?2) AND api_tokens.ended IS NULL AND (api_tokens.created, api_tokens.id) < (?3, ?4)"
                        " ORDER BY api_tokens.created DESC, api_tokens.id DESC LIMIT ?5",
                        org, of, last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    if (auto token = read(r)) out.push_back(*std::move(token));
    else bad = std::unexpected<Error>(std::move(token).error());
  }));
  CAIP_CHECKED(std::move(bad));
  return page_of(std::move(out), ask);
}

bool ApiTokens::due(const TokenId& token, const std::string& address) {
  const Instant now = accounts_.impl_->clock.now();
  return seen_.with([&](auto& seen) {
    if (seen.size() >= kMostSeen) seen.clear();  // each is on the record once more
    auto [it, fresh] = seen.try_emplace({token.str(), address}, now);
    if (!fresh && now - it->second < kOnRecord) return false;
    it->second = now;
    return true;
  });
}

void ApiTokens::forget(const TokenId& token, const std::string& address) {
  seen_.with([&](auto& seen) { seen.erase({token.str(), address}); });
}

Result<Receipt<UseToken>> ApiTokens::used(Authorized<UseToken>&& permit, const UserId& maker) {
  auto& impl = *accounts_.impl_;
  const TokenId id = permit.action().token;
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_CHECKED(tx.exec("UPDATE api_tokens SET used = ?2 WHERE id = ?1", id, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.user = maker});
}

}  // namespace caip::auth
