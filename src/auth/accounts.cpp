#include "auth/accounts.h"

#include "accounts_impl.h"
#include "device.h"
#include "setup_token.h"

namespace caip::auth {

Accounts::Accounts(storage::Database& database, audit::Ledger& ledger, secrets::Keeper& keeper, Factors& factors, const Clock& clock, Options options)
    : impl_(std::make_unique<Impl>(database, ledger, keeper, factors, clock, std::move(options))) {}
Accounts::~Accounts() = default;

Result<bool> Accounts::setup_needed() const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(users, count_users(tx));
  return users == 0;
}

Result<std::optional<OrgId>> Accounts::first_org() const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(found, tx.one<Result<OrgId>>("SELECT id FROM orgs ORDER BY rowid LIMIT 1", [](const storage::Row& r) { return r.id<OrgId>(0); }));
  if (!found) return std::optional<OrgId>{};
  CAIP_TRY(org, *std::move(found));
  return std::optional<OrgId>{org};
}

Result<std::optional<std::string>> Accounts::prepare_setup() {
  CAIP_TRY(needed, setup_needed());
  if (!needed) {
    remove_setup_token(impl_->options.setup_token_file);
    return std::optional<std::string>{};
  }
  CAIP_TRY(token, open_setup_token(impl_->options.setup_token_file));
  impl_->setup_token.with([&](SecretBytes& t) { t = SecretBytes(token); });
  return std::optional<std::string>{std::move(token)};
}

Result<Receipt<CreateOwner>> Accounts::create_owner(Authorized<CreateOwner>&& permit, std::string_view token, const SecretBytes& password) {
  const CreateOwner action = permit.action();
  const Principal who = permit.principal();
  CAIP_TRY(needed, setup_needed());
  if (!needed) return impl_->refuse(action, who, Code::conflict, "there is an owner already", "there is an owner already; sign in");
  const Counters attempts = counters_of_stranger("setup", who.origin.address);
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));
  const SecretBytes given(token);
  const bool right = impl_->setup_token.with([&](const SecretBytes& t) { return !t.empty() && t == given; });
  if (!right) return impl_->failed(action, who, attempts, {Code::bad_credentials, "the setup token is wrong"}, "wrong setup token");
  CAIP_CHECKED(acceptable(password, {.words = {action.email.str(), action.org_name.str()}}));
  CAIP_TRY(hash, impl_->passwords.hash(password));

  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto receipt = [&]() -> Result<Receipt<CreateOwner>> {
    auto tx = impl_->database.begin_write();
    CAIP_TRY(users, count_users(tx));  // again, in the writer's lane: the token works once
    if (users != 0) return fail(Code::conflict, "there is an owner already");
    CAIP_CHECKED(tx.exec("INSERT INTO orgs (id, name, created) VALUES (?1, ?2, ?3)", action.org, action.org_name.str(), now));
    CAIP_CHECKED(impl_->insert_user(tx, {action.user, action.email, hash, 1, now}));
    CAIP_CHECKED(impl_->insert_member(tx, action.org, action.user, Role::owner, now));
    return impl_->ledger.commit(std::move(tx), std::move(spent), {.org = action.org, .user = action.user});
  }();
  if (receipt) {
    impl_->setup_token.with([](SecretBytes& t) { t = SecretBytes(); });
    remove_setup_token(impl_->options.setup_token_file);
  }
  return receipt;
}

audit::People Accounts::people() const {
  return {.still = [this](storage::Reader& tx, const Principal& who) { return impl_->still(tx, who); },
          .organizations = [](storage::Reader& tx, const UserId& user) -> Result<std::vector<OrgId>> {
            std::vector<OrgId> out;
            CAIP_TRY(rows, memberships_of(tx, user));
            for (const auto& row : rows) out.push_back(row.org);
            return out;
          }};
}

Result<Step<SignIn>> Accounts::sign_in(Authorized<SignIn>&& permit, const SecretBytes& password, std::string_view device_token) {
  const SignIn action = permit.action();
  const Principal who = permit.principal();
  const std::string& address = who.origin.address;
  const std::string family = device_of(who.origin.user_agent.raw());
  std::optional<UserRow> user;
  std::optional<OrgId> theirs;  // an entry about a member is their organisation's; it names them
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, user_by_email(tx, action.email));
    user = std::move(found);
    if (user) {
      CAIP_TRY(there, last_org(tx, user->id));
      theirs = there;
    }
  }
  // For nobody too: whether there is such an account must not show in the time.
  CAIP_TRY(device, impl_->known_device(device_token, user ? user->id : UserId{IdBytes{}}, family));
  const bool known = user && device;
  const Counters attempts = known ? counters_of_device(*device) : counters_of_stranger(action.email.str(), address);
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));
  CAIP_TRY(same, impl_->passwords.matches(password, user ? user->password : std::string()));
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));  // others failed while this one waited for its turn
  if (!same) {
    Principal about = who;
    about.org = theirs;
    return impl_->failed(action, about, attempts, {Code::bad_credentials, "the e-mail or the password is wrong"}, user ? "wrong password" : "no such user", user ? std::optional(user->id) : std::nullopt);
  }

  return impl_->admit(std::move(permit), *user, device_token, "password", [&](storage::WriteTx& tx, Instant) { return impl_->forgive(tx, attempts); }, {{"known_device", known}});
}

Result<Renewed> Accounts::refresh(Authorized<RefreshSession>&& permit, std::string_view token) {
  const SessionId session = permit.action().session;
  const std::string address = permit.principal().origin.address;
  const Instant now = impl_->clock.now();
  std::optional<SessionRow> row;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(of_token, session_of_refresh(tx, token, now));
    if (of_token != session) return not_signed_in();
    CAIP_TRY(found, live_session(tx, session, now));
    row = std::move(found);
  }
  if (!row) return not_signed_in();
  CAIP_TRY(minted, impl_->mint(row->member, session, row->expires));
  CAIP_TRY(spent, std::move(permit).spend(now));

  auto tx = impl_->database.begin_write();
  CAIP_TRY(current, live_session(tx, session, now));
  if (!current || current->member.org != row->member.org || current->member.user.epoch != row->member.user.epoch) return not_signed_in();
  CAIP_TRY(taken, tx.exec("UPDATE refresh_tokens SET used = ?2 WHERE hash = ?1 AND used IS NULL", refresh_hash(token), now));
  if (taken == 0) {
    // Somebody holds a copy of an old token. Which of the two is the thief cannot be told apart.
    CAIP_CHECKED(impl_->end_session(tx, session, now));
    CAIP_CHECKED(impl_->options.notices.changed(tx, row->member.user.id, "a session was ended because what keeps it signed in was used twice; somebody may have a copy", now));
    CAIP_CHECKED(impl_->ledger.commit(std::move(tx), std::move(spent),
                                      {.result = audit::Ending::blocked, .detail = {{"reason", "refresh token used twice; session ended"}}}));
    return not_signed_in();
  }
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session = ?1 AND expires <= ?2", session, now));
  CAIP_CHECKED(tx.exec("UPDATE sessions SET used = ?2, address = ?3 WHERE id = ?1", session, now, address));
  CAIP_CHECKED(impl_->insert_refresh(tx, minted, session));
  CAIP_TRY(receipt, impl_->ledger.commit(std::move(tx), std::move(spent)));
  return Renewed{std::move(receipt), std::move(minted.tokens)};
}

Result<Receipt<SignOut>> Accounts::sign_out(Authorized<SignOut>&& permit) {
  const SessionId session = permit.action().session;
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_CHECKED(impl_->end_session(tx, session, now));
  return impl_->ledger.commit(std::move(tx), std::move(spent));
}

}  // namespace caip::auth
