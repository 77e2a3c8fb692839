// A keeper in whose answers something else happens first: what two threads do at the worst moment,
// in one. For tests.
#pragma once
#include <functional>
#include <utility>

#include "secrets/keeper.h"

namespace caip::vault {

class RacingKeeperForTest final : public secrets::Keeper {
 public:
  explicit RacingKeeperForTest(std::unique_ptr<secrets::Keeper> inner) : inner_(std::move(inner)) {}
  bool no_new_keys = false;  // it is away when asked for one
  bool no_rotation = false;      // nor does it rotate a key of the product
  bool loses_answer = false;     // it does, and then is not heard of
  bool destroys_none = false, signs_no_succession = false;
  std::function<void()> after_seal, after_reseal, before_open;  // each once
  // The process is killed at the n-th moment right before or right after a change of keys, or of what is sealed under them.
  struct Killed {};
  int killed_at = 0, moments = 0;

  bool seals_nothing = false;
  Result<secrets::Items> seal(const OrgId& org, secrets::Items items) override {
    if (seals_nothing) return items;
    auto out = inner_->seal(org, std::move(items));
    run(after_seal);
    return out;
  }
  Result<secrets::Items> reseal(const OrgId& org, secrets::Items items) override {
    std::size_t bytes = 0;
    for (const auto& i : items) bytes += i.data.size();
    if (bytes > kMostFrame) return fail(Code::too_large, "too long for the keeper");  // as it is for the one in its own process
    auto out = moment([&] { return inner_->reseal(org, std::move(items)); });
    run(after_reseal);
    return out;
  }
  Result<secrets::Items> open(const OrgId& org, SecretUse use, secrets::Items items) override {
    run(before_open);
    return inner_->open(org, use, std::move(items));
  }
  Result<Bytes> sign(secrets::SigningUse use, BytesView message) override { return inner_->sign(use, message); }
  Result<Bytes> sign_with(secrets::SigningUse use, BytesView key, BytesView message) override { return inner_->sign_with(use, key, message); }
  Bytes public_key(secrets::SigningUse use) override { return inner_->public_key(use); }
  std::vector<Bytes> verify_keys(secrets::SigningUse use, Instant now) override { return inner_->verify_keys(use, now); }
  Result<Bytes> pepper_hmac(BytesView password) override { return inner_->pepper_hmac(password); }
  Result<std::string> issue_agent_certificate(const std::string& csr, const ServerId& id, Instant from, Duration life) override { return inner_->issue_agent_certificate(csr, id, from, life); }
  Result<secrets::TlsIdentity> issue_server_certificate(KeyClass authority, const std::vector<std::string>& names) override { return inner_->issue_server_certificate(authority, names); }
  secrets::Authority authority(KeyClass key) override { return inner_->authority(key); }
  Result<secrets::SshKey> make_ssh_key(const OrgId& org, secrets::Item item) override { return inner_->make_ssh_key(org, std::move(item)); }
  Result<Bytes> ssh_sign(const OrgId& org, secrets::Item item, BytesView message) override { return inner_->ssh_sign(org, std::move(item), message); }
  secrets::Inventory inventory() override { return inner_->inventory(); }
  Result<void> rotate(KeyClass key) override {
    if (no_rotation) return fail(Code::unavailable, "the keeper is away");
    CAIP_CHECKED(moment([&] { return inner_->rotate(key); }));
    if (loses_answer) return fail(Code::unavailable, "the keeper is away");
    return {};
  }
  Result<void> destroy_previous(KeyClass key) override { return moment([&] { return inner_->destroy_previous(key); }); }
  Result<std::uint32_t> new_data_key(const OrgId& org) override {
    if (no_new_keys) return fail(Code::unavailable, "the keeper is away");
    return moment([&] { return inner_->new_data_key(org); });
  }
  Result<void> new_signing_key(KeyClass key) override { return inner_->new_signing_key(key); }
  Result<std::string> succession(KeyClass key, std::uint64_t log_size) override {
    if (signs_no_succession) return fail(Code::unavailable, "the keeper is away");
    return inner_->succession(key, log_size);
  }
  Result<void> destroy_signing_key(KeyClass key, std::uint32_t generation) override {
    if (destroys_none) return fail(Code::unavailable, "the keeper is away");
    return inner_->destroy_signing_key(key, generation);
  }
  Result<void> destroy_data_keys(const OrgId& org, std::optional<std::uint32_t> below) override {
    return moment([&] { return inner_->destroy_data_keys(org, below); });
  }

  static constexpr std::size_t kMostFrame = std::size_t{4} << 20U;

 private:
  template <class F>
  auto moment(F change) -> decltype(change()) {
    die();
    auto out = change();
    die();
    return out;
  }
  void die() {
    if (++moments == killed_at) throw Killed{};
  }
  static void run(std::function<void()>& hook) {
    if (auto once = std::exchange(hook, {})) once();
  }
  std::unique_ptr<secrets::Keeper> inner_;
};

}  // namespace caip::vault
