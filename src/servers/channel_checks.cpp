// Checks of a channel from end to end: the agent comes anew, which negotiates everything again, and signs a challenge with its server's key.
#include <algorithm>

#include "base/log.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "server_parts.h"

namespace caip::servers {
namespace {

std::optional<Error> not_now(const std::optional<Server>& s) {
  if (!s) return Error{Code::not_found, "no such server"};
  if (!s->online) return Error{Code::server_offline, "the server is not connected"};
  if (!s->key.proves) return Error{Code::conflict, "the agent there is of a version that cannot be checked; an install command brings a newer one"};
  return std::nullopt;
}

// Why the answer is none; empty: it is one.
std::string flaw(const Check& check, const AgentIdentity& agent, const channel::KeyProof& proof) {
  if (!check.fresh) return "the answer came over the connection of before";
  if (proof.nonce != check.nonce) return "the answer is to another challenge";
  if (crypto::sha256(proof.key) != agent.shown().key) return "the answer is signed by another key than the handshake";
  const std::string text = channel::proof_text(agent.server(), check.nonce);
  if (!crypto::verify_with_key({proof.key, proof.signature}, caip::view(text))) return "the answer's signature is wrong";
  return {};
}

}  // namespace

void ServerService::on_challenge(std::function<Result<void>(const ServerId&, const Bytes&)> f) { parts_->challenge = std::move(f); }

Result<void> ServerService::check_channel(Authorized<CheckChannel>&& permit) {
  const CheckChannel action = permit.action();
  const Principal who = permit.principal();
  auto server = find(action.server);
  if (server && server->org != *who.org) server.reset();
  if (auto no = not_now(server)) return parts_->refused(action, who, *std::move(no));
  const Bytes nonce = crypto::random_bytes(channel::kNonce);
  const bool begun = parts_->checks.with([&](auto& all) {
    const auto same = [&](const auto& one) { return one.second.org == *who.org; };
    if (std::ranges::any_of(all, same)) return false;
    all.emplace(action.server, Check{.permit = std::move(permit), .org = *who.org, .nonce = nonce, .asked = parts_->clock.now()});
    return true;
  });
  if (!begun) return parts_->refused(action, who, Error{Code::too_many, "a server of this organisation is being checked; try again in a moment"});
  parts_->inventory.with([&](Inventory& all) {
    if (const auto it = all.find(action.server); it != all.end()) it->second.server.key.checking = true;
  });
  const auto sent = parts_->challenge ? parts_->challenge(action.server, nonce) : fail(Code::server_offline, "nobody to ask");
  if (!sent)
    if (auto check = parts_->end_check(action.server)) parts_->record_check(action.server, *std::move(check), sent.error().detail, {});
  if (parts_->events.server_updated) parts_->events.server_updated(*who.org, action.server);
  return {};
}

std::optional<Check> ServerService::Parts::end_check(const ServerId& id) {
  return checks.with([&](auto& all) -> std::optional<Check> {
    const auto it = all.find(id);
    if (it == all.end()) return std::nullopt;
    std::optional<Check> out(std::move(it->second));
    all.erase(it);
    return out;
  });
}

void ServerService::proved(const AgentIdentity& agent, const channel::KeyProof& proof) {
  if (!accepts(agent)) return;
  auto check = parts_->end_check(agent.server());
  if (!check) return;
  const auto& shown = agent.shown();
  json::object facts{{"group", shown.group}, {"signature", shown.signature}, {"key", hex(shown.key)}, {"certificate_until", shown.until.str()},
                     {"milliseconds", (parts_->clock.now() - check->asked) / std::chrono::milliseconds(1)}};
  std::string why = flaw(*check, agent, proof);
  parts_->record_check(agent.server(), *std::move(check), std::move(why), std::move(facts));
}

void ServerService::Parts::tick_checks() {
  const Instant now = clock.now();
  const auto late = checks.with([&](const auto& all) {
    std::vector<ServerId> out;
    for (const auto& [id, check] : all)
      if (now < check.asked || now - check.asked > kCheckTime) out.push_back(id);
    return out;
  });
  for (const auto& id : late)
    if (auto check = end_check(id)) record_check(id, *std::move(check), "it did not come anew with an answer within 20 seconds", {});
}

// `why`: empty, or why it failed.
void ServerService::Parts::record_check(const ServerId& id, Check check, std::string why, json::object facts) {
  const bool passed = why.empty();
  if (!passed) facts["why"] = std::move(why);
  const auto recorded = [&]() -> Result<void> {
    CAIP_TRY(spent, std::move(check.permit).spend(clock.now()));
    json::object stored = facts;
    stored["passed"] = passed;
    auto tx = db.begin_write();
    CAIP_CHECKED(tx.exec("UPDATE servers SET checked_at = ?2, check_result = ?3 WHERE id = ?1", id, clock.now(), json::serialize(stored)));
    CAIP_CHECKED(ledger.commit(std::move(tx), std::move(spent), {.result = passed ? audit::Ending::completed : audit::Ending::failed, .detail = std::move(facts)}));
    return {};
  }();
  if (!recorded) log::error("a check of a channel is not on the record", {{"server", id.str()}, {"why", recorded.error().detail}});
  inventory.with([&](Inventory& all) {
    if (const auto it = all.find(id); it != all.end()) it->second.server.key.checking = false;
  });
  reread(id);
  if (events.server_updated) events.server_updated(check.org, id);
}

}  // namespace caip::servers
