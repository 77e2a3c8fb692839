// One provider: the address a person is sent to, and who they are by the code they bring back. Private.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/guarded.h"
#include "federation/discovery.h"
#include "federation/id_token.h"
#include "federation/key_set.h"
#include "federation/providers.h"

namespace caip::federation {

struct Who {
  std::string issuer;
  std::string subject;
  std::optional<std::string> email;
  std::string shown;
  bool anew = false;  // they proved themselves there since the attempt began
};

// All questions of one sign-in: together they have so long, so that a provider that is slow each time holds a
// thread up once.
class Questions {
 public:
  static constexpr Duration kTogether = std::chrono::seconds(15);
  Questions(const Fetch& fetch, const Clock& clock) : fetch_(fetch), clock_(clock), until_(clock.now() + kTogether) {}
  Result<outbound::Response> ask(outbound::Request&&) const;

 private:
  const Fetch& fetch_;
  const Clock& clock_;
  Instant until_;
};

class Provider {
 public:
  explicit Provider(ProviderConfig config) : config_(std::move(config)) {}
  virtual ~Provider() = default;
  const ProviderConfig& config() const { return config_; }
  virtual Result<std::string> location(const Questions&, const Begun&, const std::string& redirect_uri) const = 0;
  virtual Result<Who> identify(const Questions&, const Attempt&, const Returned&, const std::string& redirect_uri) const = 0;
  std::atomic<int>& asking() const { return asking_; }

 protected:
  ProviderConfig config_;

 private:
  mutable std::atomic<int> asking_ = 0;  // who waits for it
};

class OpenIdProvider final : public Provider {
 public:
  OpenIdProvider(ProviderConfig config, const Clock& clock) : Provider(std::move(config)), clock_(clock) {}
  Result<std::string> location(const Questions&, const Begun&, const std::string& redirect_uri) const override;
  Result<Who> identify(const Questions&, const Attempt&, const Returned&, const std::string& redirect_uri) const override;

 private:
  template <class T>
  struct Cached {
    std::shared_ptr<const T> value;
    Instant until{};  // it is fresh
    Instant failed{};  // not tried again at once
    Instant forced{};  // fetched anew before its time
  };
  struct Tokens {
    std::string id;
    std::string access;
  };
  Result<std::shared_ptr<const Discovery>> discovery(const Questions&) const;
  // `newer`: the set at hand lacks a key. Asked for so at most once a minute.
  Result<std::shared_ptr<const KeySet>> keys(const Questions&, const Discovery&, bool newer) const;
  template <class T, class Parse>
  Result<std::shared_ptr<const T>> cached(const Questions&, Guarded<Cached<T>>&, const std::string& url, bool newer, const Parse&) const;
  Result<Tokens> exchange(const Questions&, const Discovery&, const Attempt&, const std::string& code, const std::string& redirect_uri) const;
  Result<void> ask_more(const Questions&, const Discovery&, const std::string& access_token, Claimed&) const;
  const Clock& clock_;
  mutable Guarded<Cached<Discovery>> discovery_;
  mutable Guarded<Cached<KeySet>> keys_;
};

class GithubProvider final : public Provider {
 public:
  explicit GithubProvider(ProviderConfig config) : Provider(std::move(config)) {}
  Result<std::string> location(const Questions&, const Begun&, const std::string& redirect_uri) const override;
  Result<Who> identify(const Questions&, const Attempt&, const Returned&, const std::string& redirect_uri) const override;

 private:
  Result<std::string> exchange(const Questions&, const Attempt&, const std::string& code, const std::string& redirect_uri) const;
  Result<std::string> ask(const Questions&, const std::string& path, const std::string& token) const;
};

outbound::Request question(std::string url);
outbound::Request form_question(std::string url, const outbound::Pairs& form);
std::string secret_of(const ProviderConfig&);
std::string basic_authorization(const ProviderConfig&);
// The body of an answer with status 200 and JSON; anything else is Code::unavailable.
Result<std::string> json_of(Result<outbound::Response>, const char* what);

}  // namespace caip::federation
