#include "approvals/ai_provider.h"

#include "ai_parts.h"
#include "base/text.h"

namespace caip::approvals {
namespace {

Result<AiProvider> read(const storage::Row& r) {
  CAIP_TRY(vendor, parse_ai_vendor(r.text_view(0)));
  CAIP_TRY(secret, r.optional_id<SecretId>(3));
  CAIP_TRY(by, r.id<UserId>(5));
  return AiProvider{vendor, r.text(1), r.text(2), secret, r.integer(4), by, r.time(6)};
}

std::optional<std::string> unfit(const AiProvider& p) {
  if (p.model.empty() || p.model.size() > 256 || has_hidden(p.model)) return "a model's name has 1 to 256 bytes of visible text";
  if (p.base_url.empty() || p.base_url.size() > 2048 || has_hidden(p.base_url)) return "an address has 1 to 2048 bytes of visible text";
  if (p.max_tokens < 16 || p.max_tokens > kMostTokensOfATurn) return "max_tokens is a number from 16 to 100000";
  return std::nullopt;
}

Result<void> store(storage::WriteTx& tx, const OrgId& org, const AiProvider& p) {
  CAIP_CHECKED(tx.exec("INSERT INTO ai_providers (org, vendor, base_url, model, secret, max_tokens, changed_by, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                       " ON CONFLICT (org) DO UPDATE SET vendor = ?2, base_url = ?3, model = ?4, secret = ?5, max_tokens = ?6, changed_by = ?7, changed_at = ?8",
                       org, text(p.vendor), p.base_url, p.model, p.secret, p.max_tokens, p.changed_by, p.changed_at));
  return {};
}

Result<void> forget(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM ai_providers WHERE org = ?1", org));
  return {};
}

json::object detail_of(const AiProvider& p) {
  json::object out{{"base_url", p.base_url}, {"model", p.model}, {"max_tokens", p.max_tokens}};
  if (p.secret) out["secret"] = p.secret->str();
  return out;
}

}  // namespace

Result<std::optional<AiProvider>> AiControls::provider(const OrgId& org) const {
  auto tx = parts_->db.begin_read();
  CAIP_TRY(found, tx.one<Result<AiProvider>>("SELECT vendor, base_url, model, secret, max_tokens, changed_by, changed_at FROM ai_providers WHERE org = ?1", org, read));
  if (!found) return std::optional<AiProvider>{};
  CAIP_TRY(provider, *std::move(found));
  return std::optional(std::move(provider));
}

Result<AiProvider> AiControls::set_provider(Authorized<SetAiProvider>&& permit, AiProvider p) {
  const OrgId org = *permit.principal().org;
  p.vendor = permit.action().vendor;
  p.changed_by = permit.principal().user;
  p.changed_at = now();
  if (const auto why = unfit(p)) {
    CAIP_CHECKED(parts_->ledger.refuse(Denied{permit.action(), permit.principal(), Code::invalid, *why}));
    return fail(Code::invalid, *why);
  }
  CAIP_CHECKED(parts_->change(std::move(permit), {.store = [org, p](storage::WriteTx& tx) { return store(tx, org, p); },
                                                  .said = [p](const AiSettings&) { return "The AI is answered by " + std::string(text(p.vendor)) + ", model " + p.model + ", from now on"; },
                                                  .detail = detail_of(p)}));
  return p;
}

Result<void> AiControls::remove_provider(Authorized<RemoveAiProvider>&& permit) {
  const OrgId org = *permit.principal().org;
  CAIP_CHECKED(parts_->change(std::move(permit), {.store = [org](storage::WriteTx& tx) { return forget(tx, org); },
                                                  .said = [](const AiSettings&) -> std::string { return "The AI is answered by what the installation has configured, from now on"; }}));
  return {};
}

Result<void> AiControls::record_test(Authorized<TestAiProvider>&& permit, const std::string& base_url, const std::optional<SecretId>& secret) {
  json::object detail{{"base_url", cut(base_url, 2048)}};
  if (secret) detail["secret"] = secret->str();
  CAIP_TRY(spent, std::move(permit).spend(parts_->clock.now()));
  CAIP_TRY(receipt, parts_->ledger.commit(parts_->db.begin_write(), std::move(spent), {.detail = std::move(detail)}));
  static_cast<void>(receipt);
  return {};
}

}  // namespace caip::approvals
