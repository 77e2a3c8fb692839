// proofs/session.h: a request comes from a signed-in person whose session is alive now.
// Minted by auth::SessionStore alone, after token, epoch and expiry were checked for this
// request; never kept longer than the request.
#pragma once
#include "base/badge.h"
#include "model/actor.h"

namespace caip::auth { class SessionStore; }

namespace caip {

class [[nodiscard]] Session final {
 public:
  Session(Badge<auth::SessionStore>, Principal principal) : principal_(std::move(principal)) {}
  Session(Session&&) noexcept = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() noexcept {}

  const Principal& principal() const { return principal_; }
  const OrgId& org() const { return *principal_.org; }
  const UserId& user() const { return *principal_.user; }
  const SessionId& id() const { return *principal_.session; }

  // The same person, speaking through the AI Pilot: may do less, never more.
  Session as_pilot() const;

 private:
  explicit Session(Principal principal) : principal_(std::move(principal)) {}
  Principal principal_;
};

inline Session Session::as_pilot() const {
  Principal p = principal_;
  p.source = Source::pilot;
  return Session(std::move(p));
}

}  // namespace caip
