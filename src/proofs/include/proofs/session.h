// proofs/session.h: a request comes from a signed-in person whose session is alive now.
// Minted by auth::SessionStore alone, after token, epoch and expiry were checked for this
// request; never kept longer than the request.
#pragma once
#include <optional>

#include "base/badge.h"
#include "base/time.h"
#include "model/actor.h"

namespace caip::auth { class SessionStore; }

namespace caip {

class [[nodiscard]] Session final {
 public:
  Session(Badge<auth::SessionStore>, Principal principal, Instant expires = {}, std::optional<Instant> stepped_up = {})
      : principal_(std::move(principal)), expires_(expires), stepped_up_(stepped_up) {}
  Session(Session&&) noexcept = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() noexcept {}

  const Principal& principal() const { return principal_; }
  const OrgId& org() const { return *principal_.org; }
  const UserId& user() const { return *principal_.user; }
  SessionId id() const { return principal_.session.value_or(SessionId{IdBytes{}}); }  // of an API token: nobody's
  Instant expires() const { return expires_; }  // of the token that was shown
  std::optional<Instant> stepped_up() const { return stepped_up_; }  // when its person last proved who they are

  // The same person, speaking through the AI Pilot: may do less, never more.
  Session as_pilot() const;

 private:
  Session(Principal principal, Instant expires) : principal_(std::move(principal)), expires_(expires) {}
  Principal principal_;
  Instant expires_;
  std::optional<Instant> stepped_up_;  // never of the pilot's
};

inline Session Session::as_pilot() const {
  Principal p = principal_;
  p.source = Source::pilot;
  return Session(std::move(p), expires_);
}

}  // namespace caip
