// auth/invitations.h: how a person comes into an organisation. An invitation is for one address, one
// role and one use. Its link goes there by letter and to nobody else; where no mail is sent, it is shown once, to whoever
// invites, and whoever holds it can use it. Only the link's SHA-256 is stored.
// Looking at one changes nothing. When the inviter goes or gets another role, what they invited and
// nobody has accepted is revoked. Thread-safe.
#pragma once
#include <string>
#include <string_view>

#include "auth/accounts.h"

namespace caip::auth {

inline constexpr Duration kInvitationLifetime = std::chrono::hours(24 * 7);
inline constexpr Duration kLongestInvitation = std::chrono::hours(24 * 30);
inline constexpr std::size_t kMostInvitations = 200;  // open ones, of one organisation
inline constexpr std::int64_t kMostInvitingTo = 3;    // letters of one organisation to one address in an hour
inline constexpr std::int64_t kMostInvitingAtOnce = 10;  // the same of all of them together: the next ones go an hour later
inline constexpr std::int64_t kMostInvitingOf = 100;  // and of one organisation: it is no way to send mail to the world

enum class InvitationState : std::uint8_t { open, accepted, revoked, expired };
std::string_view text(InvitationState) noexcept;

struct Invitation {
  InvitationId id;
  OrgId org;
  Email email;
  Role role;
  UserId inviter;
  Instant created, expires;
  InvitationState state = InvitationState::open;
};
struct NewInvitation {
  Invitation invitation;
  std::string token;  // for the link; not stored. Empty: its letter alone has it
  bool mailed() const { return token.empty(); }
};
struct Offer {  // what the holder of a link is shown
  Invitation invitation;
  OrgName org_name;
  Email inviter;
  bool has_account = false;  // join by signing in, else make an account
};

struct AtDoor;  // private

class Invitations {
 public:
  explicit Invitations(Accounts& accounts) : accounts_(accounts) {}

  // Code::conflict for a member, and for an address that has an open invitation: that one is sent again. Code::too_many
  // letters in an hour: nothing is made then.
  Result<NewInvitation> create(Authorized<CreateInvitation>&&, Duration lifetime);
  // Another link, valid as long as the first was meant to be; the one before is worth nothing.
  Result<NewInvitation> resend(Authorized<ResendInvitation>&&);
  Result<Receipt<RevokeInvitation>> revoke(Authorized<RevokeInvitation>&&);
  Result<Page<Invitation>> list(const OrgId&, const PageAsk&) const;  // newest first

  // Wrong, used, revoked and expired links get one answer (expired).
  Result<Offer> look(std::string_view token) const;
  // By whoever has no account yet, or belongs to no organisation: then it is the password they have; a new one if the
  // account has none, or somebody else made it and the letter's link is the first that shows its mailbox. What was set up in
  // that account goes.
  // Code::conflict: there is an account; sign in and join().
  Result<Receipt<AcceptInvitation>> accept(Authorized<AcceptInvitation>&&, std::string_view token, const SecretBytes& password);
  // By what another service says: that the invited address is theirs. Whom issuer and subject name here joins; nobody: a new
  // account without a password, linked. An account is never found by its address: who has one there, and is not linked, is
  // refused (forbidden), as is another address, or one that the service has not verified.
  Result<Receipt<AcceptInvitation>> accept_with(Authorized<AcceptInvitation>&&, std::string_view token, const ExternalIdentity&);
  // By the person who is signed in with that address; another one is refused (forbidden). An account that somebody else made is
  // emptied by the first link of a letter, its sessions too, and another letter leads to a password (first_proof.h).
  Result<Receipt<JoinOrganization>> join(Authorized<JoinOrganization>&&, std::string_view token);

 private:
  // The hash of the password that counts from now on.
  Result<std::string> proven(const AcceptInvitation&, const Principal&, const AtDoor&, const SecretBytes& password) const;
  Result<void> mail(storage::WriteTx&, const Invitation&, const Principal&, Instant now) const;
  Accounts& accounts_;
};

}  // namespace caip::auth
