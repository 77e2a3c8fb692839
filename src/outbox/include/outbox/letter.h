// outbox/letter.h: a letter to one person's own address, written in the transaction of its cause. It holds
// no link: the token of a link is made when the letter is sent, anew at each try, and only its hash is kept.
//
//   CAIP_CHECKED(outbox::write(tx, {.kind = MailKind::reset_password, .org = org, .user = user.id, .address = user.email}, now));
#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "model/ids.h"
#include "model/mail.h"
#include "model/names.h"
#include "storage/row.h"
#include "storage/tx.h"

namespace caip::outbox {

struct Letter {
  MailKind kind;
  std::optional<OrgId> org = {};   // whose log has its entries
  std::optional<UserId> user = {};
  Email address;
  std::string subject = {};  // what it is about, for its text; shown cut and escaped. Never a secret.
  std::string about = {};    // the id of what its link is for: a session, an invitation
};

// Only where the installation sends mail: nobody takes a letter out again elsewhere.
Result<void> write(storage::WriteTx&, const Letter&, Instant now);

// How many of a kind were written for that person since then.
Result<std::int64_t> written(storage::Reader&, MailKind, const UserId&, Instant since);
// The same to an address, whoever asked for them or for one organisation; and for that one, to whomever.
Result<std::int64_t> written_to(storage::Reader&, MailKind, const Email&, Instant since);
Result<std::int64_t> written_to(storage::Reader&, MailKind, const Email&, const OrgId&, Instant since);
Result<std::int64_t> written_for(storage::Reader&, MailKind, const OrgId&, Instant since);

// kind, org, user, address, subject, about from column `from` on.
Result<Letter> read_letter(const storage::Row&, int from);

}  // namespace caip::outbox
