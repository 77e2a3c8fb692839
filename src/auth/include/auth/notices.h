// auth/notices.h: what a person is told about their own account, in the transaction of the change: in the app, in
// each organisation that they belong to, and by a letter where the installation sends mail.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::storage { class WriteTx; }
namespace caip::outbox { struct Letter; }

namespace caip::auth {

// An organisation's name, for a letter to somebody who may not know it: nothing that a mail program would make a link of.
std::string harmless(std::string_view name);

class Notices {
 public:
  Notices() = default;  // no mail
  explicit Notices(bool mail) : mail_(mail) {}
  bool mail() const noexcept { return mail_; }
  Result<void> needs_mail() const;  // Code::unavailable, and what to do about it

  // "an authenticator app was added", after whose it is. `by`: the session that did it; the letter then has a link that
  // disowns that session's sign-in.
  Result<void> changed(storage::WriteTx&, const UserId&, const std::string& what, Instant now, const std::optional<SessionId>& by = {}) const;
  Result<void> letter(storage::WriteTx&, const outbox::Letter&, Instant now) const;

 private:
  bool mail_ = false;
};

}  // namespace caip::auth
