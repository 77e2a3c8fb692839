#include "auth/endings.h"

#include <algorithm>

#include "accounts_impl.h"
#include "outbox/letter.h"
#include "outbox/outbox.h"

namespace caip::auth {
namespace {

Result<std::optional<Instant>> planned(storage::Reader& tx, const OrgId& org) {
  CAIP_TRY(row, tx.one<std::optional<Instant>>("SELECT ends FROM orgs WHERE id = ?1 AND ended IS NULL", org, [](const storage::Row& r) { return r.optional_time(0); }));
  return row.value_or(std::nullopt);
}

Result<bool> runs_the_installation(storage::Reader& tx, const OrgId& org) {
  CAIP_TRY(first, tx.one<bool>("SELECT id = ?1 FROM orgs ORDER BY rowid LIMIT 1", org, [](const storage::Row& r) { return r.boolean(0); }));
  return first.value_or(true);
}

struct Recipient {
  UserId id;
  Email address;
  bool owner;  // who is let in
  bool shown;  // their mailbox has shown itself, or nobody else named it: who adds people does not have strangers written to
};

constexpr Duration kPlannedEvery = std::chrono::hours(1);  // each date is a letter to every Owner
constexpr Duration kFirstWait = std::chrono::seconds(1), kLongestWait = std::chrono::hours(1);  // of one that could not end

Result<std::vector<Recipient>> everybody(storage::Reader& tx, const OrgId& org) {
  std::vector<Recipient> out;
  std::optional<Error> damage;
  CAIP_CHECKED(tx.query("SELECT users.id, users.email, memberships.role = 'owner' AND memberships.disabled IS NULL, users.verified IS NOT NULL OR users.made_by IS NULL FROM memberships JOIN users ON users.id = memberships.user WHERE memberships.org = ?1", org,
                        [&](const storage::Row& r) {
                          auto id = r.id<UserId>(0);
                          auto address = Email::parse(r.text_view(1));
                          if (id && address) out.push_back({*id, *std::move(address), r.boolean(2), r.boolean(3)});
                          else damage = Error{Code::storage_failed, "a member's row is damaged"};
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return out;
}

// A letter outlives the organisation, so it is nobody's but the person's.
Result<void> write_to(storage::WriteTx& tx, const Notices& notices, const Recipient& to, const std::string& what, Instant now) {
  return notices.letter(tx, {.kind = MailKind::account_changed, .org = {}, .user = to.id, .address = to.address, .subject = to.address.str() + ": " + what}, now);
}

Result<void> tell_owners(storage::WriteTx& tx, const Notices& notices, const OrgId& org, const std::string& what, Instant now) {
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::organization_ends, .org = org, .subject = what}, now));
  CAIP_TRY(people, everybody(tx, org));
  for (const auto& p : people)
    if (p.owner && p.shown) CAIP_CHECKED(write_to(tx, notices, p, what, now));
  return {};
}

struct No {
  Code code;
  std::string reason, said;  // for the log, and for who asked
};

// Why no date is set for its deletion.
Result<std::optional<No>> keeps(storage::Reader& tx, const OrgId& org, bool named, Instant now) {
  if (!named) return No{Code::invalid, "another name than the organisation's", "this is not the organisation's name; type it as it is"};
  CAIP_TRY(already, planned(tx, org));
  if (already) return No{Code::conflict, "a date is set already", "the organisation is to be deleted already, on " + already->str()};
  CAIP_TRY(lately, tx.one<bool>("SELECT 1 FROM orgs WHERE id = ?1 AND ends_asked > ?2", org, now + -kPlannedEvery, [](const storage::Row&) { return true; }));
  if (lately) return No{Code::too_many, "a date was set less than an hour ago", "a date was set for it less than an hour ago, and its Owners were written to; try again later"};
  CAIP_TRY(first, runs_the_installation(tx, org));
  if (first) return No{Code::conflict, "the organisation that runs the installation", "this organisation runs the installation: it ends with the installation and not before"};
  return std::optional<No>{};
}

// What this room has of it. Sessions that ended stay their people's, without the organisation.
Result<void> drop_rows(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM invitations WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM api_tokens WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM memberships WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("UPDATE sessions SET org = NULL WHERE org = ?1", org));
  return {};
}

Result<std::int64_t> count(storage::Reader& tx, storage::Sql sql, const OrgId& org) {
  CAIP_TRY(n, tx.one<std::int64_t>(sql, org, [](const storage::Row& r) { return r.integer(0); }));
  return n.value_or(0);
}

}  // namespace

Result<Receipt<DeleteOrganization>> Endings::plan(Authorized<DeleteOrganization>&& permit, const OrgName& typed) {
  auto& impl = *accounts_.impl_;
  const DeleteOrganization action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  const Instant ends = now + grace_;
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<No> no;
  {
    auto tx = impl.database.begin_write();
    CAIP_TRY(name, impl.org_name(tx, action.organization));
    CAIP_TRY(why, keeps(tx, action.organization, typed == name, now));
    if (!why) {
      CAIP_CHECKED(tx.exec("UPDATE orgs SET ends = ?2, ends_asked = ?3 WHERE id = ?1", action.organization, ends, now));
      CAIP_CHECKED(tell_owners(tx, impl.options.notices, action.organization, harmless(name.str()) + " will be deleted for good on " + ends.str() + ". Until then any Owner can restore it", now));
      return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ends", ends.str()}}});
    }
    no = std::move(why);
  }
  return impl.refuse(action, who, no->code, std::move(no->reason), std::move(no->said));
}

Result<Receipt<RestoreOrganization>> Endings::restore(Authorized<RestoreOrganization>&& permit) {
  auto& impl = *accounts_.impl_;
  const RestoreOrganization action = permit.action();
  const Principal who = permit.principal();
  const OrgId org = action.organization;
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  {
    auto tx = impl.database.begin_write();
    CAIP_TRY(ends, planned(tx, org));
    if (ends) {
      CAIP_TRY(name, impl.org_name(tx, org));
      CAIP_CHECKED(tx.exec("UPDATE orgs SET ends = NULL WHERE id = ?1", org));
      CAIP_CHECKED(tell_owners(tx, impl.options.notices, org, harmless(name.str()) + " will not be deleted: an Owner restored it", now));
      over(org);
      return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"would_have_ended", ends->str()}}});
    }
  }
  return impl.refuse(action, who, Code::conflict, "no date is set", "no date is set for the organisation's deletion");
}

Result<std::map<OrgId, Instant>> Endings::planned_for(const Session& session) const {
  std::map<OrgId, Instant> out;
  std::optional<Error> damage;
  auto tx = accounts_.impl_->database.begin_read();
  CAIP_CHECKED(tx.query("SELECT orgs.id, orgs.ends FROM orgs JOIN memberships ON memberships.org = orgs.id WHERE memberships.user = ?1 AND orgs.ends IS NOT NULL", session.user(),
                        [&](const storage::Row& r) {
                          if (auto id = r.id<OrgId>(0)) out.emplace(*id, r.time(1));
                          else damage = id.error();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return out;
}

Result<Belongings> Endings::belongings(const OrgId& org) const {
  auto tx = accounts_.impl_->database.begin_read();
  CAIP_TRY(members, count(tx, "SELECT count(*) FROM memberships WHERE org = ?1", org));
  CAIP_TRY(invitations, count(tx, "SELECT count(*) FROM invitations WHERE org = ?1 AND accepted IS NULL AND revoked IS NULL", org));
  CAIP_TRY(tokens, count(tx, "SELECT count(*) FROM api_tokens WHERE org = ?1 AND ended IS NULL", org));
  return Belongings{members, invitations, tokens};
}

Result<std::vector<OrgId>> Endings::due() const {
  std::vector<OrgId> out;
  std::optional<Error> damage;
  auto tx = accounts_.impl_->database.begin_read();
  const Instant now = accounts_.impl_->clock.now();
  CAIP_CHECKED(tx.query("SELECT id FROM orgs WHERE ends <= ?1 AND ended IS NULL", now, [&](const storage::Row& r) {
    if (auto id = r.id<OrgId>(0)) out.push_back(*id);
    else damage = id.error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  later_.with([&](const auto& later) {
    std::erase_if(out, [&](const OrgId& org) { return later.contains(org) && later.at(org).at > now; });
  });
  return out;
}

Endings::Later Endings::postpone(const OrgId& org) {
  const Instant now = accounts_.impl_->clock.now();
  return later_.with([&](auto& all) {
    const auto known = all.find(org);
    const Later next = known == all.end() ? Later{now + kFirstWait, kFirstWait} : Later{now + std::min(2 * known->second.wait, kLongestWait), std::min(2 * known->second.wait, kLongestWait), known->second.noted};
    all.insert_or_assign(org, next);
    return next;
  });
}

Result<void> Endings::not_ended(Authorized<ShredOrganization>&& permit, Code why) {
  auto& impl = *accounts_.impl_;
  const OrgId org = permit.action().organization;
  const Instant now = impl.clock.now();
  if (postpone(org).noted) return {};
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::organization_ends, .org = org,
                                  .subject = "Its day has come, and it could not be deleted (" + std::string(code_text(why)) + "): nothing of it has gone, and it is tried again. Tell whoever runs this installation"}, now));
  CAIP_CHECKED(impl.ledger.commit(std::move(tx), std::move(spent), {.result = audit::Ending::failed, .detail = {{"why", code_text(why)}}}));
  later_.with([&](auto& all) {
    if (const auto it = all.find(org); it != all.end()) it->second.noted = true;
  });
  return {};
}

Result<Receipt<ShredOrganization>> Endings::end(Authorized<ShredOrganization>&& permit) {
  auto& impl = *accounts_.impl_;
  const OrgId org = permit.action().organization;
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(ends, planned(tx, org));
  if (!ends || *ends > now) return fail(Code::conflict, "the organisation is not due");
  CAIP_TRY(name, impl.org_name(tx, org));
  CAIP_TRY(people, everybody(tx, org));
  std::vector<std::function<void()>> after;
  for (const auto& p : people) {
    CAIP_TRY(told, impl.end_authority(tx, org, p.id, now, true));
    after.push_back(std::move(told));
    if (p.shown) CAIP_CHECKED(write_to(tx, impl.options.notices, p, "the organisation " + harmless(name.str()) + " is deleted, and what it had here with it", now));
  }
  for (const auto& part : parts_) {
    CAIP_TRY(told, part(tx, org));
    after.push_back(std::move(told));
  }
  CAIP_CHECKED(drop_rows(tx, org));
  CAIP_CHECKED(tx.exec("UPDATE orgs SET ended = ?2, name = '' WHERE id = ?1", org, now));
  CAIP_TRY(receipt, impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", name.str()}, {"members", people.size()}}}));
  for (const auto& tell : after) tell();
  over(org);
  return receipt;
}

}  // namespace caip::auth
