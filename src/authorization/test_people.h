// Whoever and whatever this room's tests speak of. Private.
#pragma once
#include <array>

#include "model/actions.h"
#include "model/actor.h"

namespace caip {

inline IdBytes bytes(std::uint8_t n) {
  IdBytes b{};
  b.fill(n);
  return b;
}
inline const OrgId kOrg{bytes(1)};
inline const UserId kUser{bytes(2)};
inline const SessionId kSession{bytes(3)};
inline const ServerId kServer{bytes(4)};
inline const auto kUnit = UnitName::parse("nginx.service").value();
inline const SecretId kSecret{bytes(10)};
inline const IdentityId kIdentity{bytes(11)};
inline const FactorId kFactor{bytes(12)};
inline const NotifyChannelId kChannel{bytes(13)};
inline const DeliveryId kDelivery{bytes(14)};
inline const TokenId kToken{bytes(15)};
inline const auto kName = SecretName::parse("DATABASE_URL").value();
inline const auto kControl = ControlUnit::parse("nginx.service").value();
inline const auto kEmail = Email::parse("a@example.com").value();

inline constexpr std::array kRoles{Role::viewer, Role::member, Role::admin, Role::owner};

inline Principal person(Role role, Source source = Source::user) {
  Principal p;
  p.source = source;
  p.org = kOrg;
  p.user = kUser;
  if (source == Source::api_token) p.token = kToken;
  else p.session = kSession;
  p.role = role;
  return p;
}

}  // namespace caip
