// The keys in this process: for tests and benchmarks.
#include "core.h"
#include "key_files.h"
#include "keys_now.h"

namespace caip::secrets {
namespace {

class LocalKeeper final : public Keeper {
 public:
  LocalKeeper(Core core, std::string file) : core_(std::move(core)), file_(std::move(file)) {}

  Result<Bytes> sign(SigningUse use, BytesView message) override { return core_->sign(use, message); }
  Result<Bytes> sign_with(SigningUse use, BytesView key, BytesView message) override { return core_->sign_with(use, key, message); }
  Bytes public_key(SigningUse use) override { return newest_of(core_->inventory(), use); }
  std::vector<Bytes> verify_keys(SigningUse use, Instant now) override { return accepted(core_->inventory(), use, now); }
  Result<Bytes> pepper_hmac(BytesView password) override { return core_->pepper_hmac(password); }
  Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId& server, Instant from, Duration life) override {
    return core_->issue_agent_certificate(csr_pem, server, from, life);
  }
  Result<TlsIdentity> issue_server_certificate(KeyClass authority, const std::vector<std::string>& names) override { return core_->issue_server_certificate(authority, names); }
  Authority authority(KeyClass key) override { return core_->authority(key); }
  Result<Items> seal(const OrgId& org, Items items) override { return core_->seal(org, std::move(items)); }
  Result<Items> open(const OrgId& org, SecretUse use, Items items) override { return core_->open(org, use, std::move(items)); }
  Result<Items> reseal(const OrgId& org, Items items) override { return core_->reseal(org, std::move(items)); }
  Result<SshKey> make_ssh_key(const OrgId& org, Item item) override { return core_->make_ssh_key(org, std::move(item)); }
  Result<Bytes> ssh_sign(const OrgId& org, Item item, BytesView message) override { return core_->ssh_sign(org, std::move(item), message); }
  Inventory inventory() override { return core_->inventory(); }
  Result<void> rotate(KeyClass key) override { return change({.what = KeyChange::What::rotate, .key = key, .org = {}, .generation = newest_generation(core_->inventory(), key)}); }
  Result<void> destroy_previous(KeyClass key) override { return change({.what = KeyChange::What::destroy_previous, .key = key, .org = {}}); }
  Result<std::uint32_t> new_data_key(const OrgId& org) override {
    CAIP_CHECKED(change({.what = KeyChange::What::new_data_key, .org = org.str()}));
    return newest_data_key(core_->inventory(), org);
  }
  Result<void> new_signing_key(KeyClass key) override { return change({.what = KeyChange::What::new_signing_key, .key = key, .org = {}}); }
  Result<std::string> succession(KeyClass key, std::uint64_t log_size) override { return core_->succession(key, log_size); }
  Result<void> destroy_signing_key(KeyClass key, std::uint32_t generation) override {
    return change({.what = KeyChange::What::destroy_signing_key, .key = key, .org = {}, .generation = generation});
  }
  Result<void> destroy_data_keys(const OrgId& org, std::optional<std::uint32_t> generation) override {
    return change({.what = KeyChange::What::destroy_data_keys, .org = org.str(), .generation = generation.value_or(0)});
  }

 private:
  Result<void> change(const KeyChange& c) {
    const std::scoped_lock lock(changing_);
    CAIP_TRY(file, core_->prepare(c));
    CAIP_CHECKED(replace_file(file_, file));
    return core_->adopt();
  }
  Core core_;
  std::string file_;
  std::mutex changing_;
};

}  // namespace

Result<std::unique_ptr<Keeper>> open_local_keeper(const std::string& folder, const Clock& clock, const SealFiles& files) {
  CAIP_TRY(core, open_core(folder, clock, files));
  return std::unique_ptr<Keeper>(std::make_unique<LocalKeeper>(std::move(core), folder + "/keyring"));
}

}  // namespace caip::secrets
