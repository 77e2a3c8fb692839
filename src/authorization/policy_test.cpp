// Walks every action × role × source, against rules that are written down a second time here, by
// name of permission and not by the code under test.
#include "policy.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "authorization/authorizer.h"

using namespace caip;
using authorization::refusal;

namespace {

IdBytes bytes(std::uint8_t n) {
  IdBytes b{};
  b.fill(n);
  return b;
}
const OrgId kOrg{bytes(1)};
const UserId kUser{bytes(2)};
const SessionId kSession{bytes(3)};
const ServerId kServer{bytes(4)};
const auto kUnit = UnitName::parse("nginx.service").value();
const SecretId kSecret{bytes(10)};
const IdentityId kIdentity{bytes(11)};
const FactorId kFactor{bytes(12)};
const NotifyChannelId kChannel{bytes(13)};
const DeliveryId kDelivery{bytes(14)};
const TokenId kToken{bytes(15)};
const auto kName = SecretName::parse("DATABASE_URL").value();
const auto kControl = ControlUnit::parse("nginx.service").value();
const auto kEmail = Email::parse("a@example.com").value();

std::vector<AnyAction> one_of_each() {
  const ApprovalId approval{bytes(5)};
  const OperationId operation{bytes(6)};
  const ConversationId conversation{bytes(7)};
  const MessageId message{bytes(8)};
  const EnrolmentId enrolment{bytes(9)};
  const InvitationId invitation{bytes(12)};
  return {CreateOwner{kUser, kOrg, kEmail, OrgName::parse("Org").value()},
          SignIn{kEmail},
          RefreshSession{kSession},
          SignOut{kSession},
          SignInWith{"google", Foreign("42")},
          LinkIdentity{kIdentity, "google"},
          UnlinkIdentity{kIdentity},
          ProveFactor{kUser},
          AddFactor{kFactor, FactorKind::totp},
          RenameFactor{kFactor},
          RemoveFactor{kFactor},
          ResetFactors{kUser},
          ResetFactorsLocally{kUser},
          RenewRecoveryCodes{},
          StepUpSession{kSession},
          EndSession{kSession},
          EndOtherSessions{kSession},
          DisownSession{SessionId{bytes(16)}},
          ChangePassword{kUser},
          RequestPasswordReset{kEmail},
          ResetPassword{kUser},
          RequestVerification{kUser},
          ChangeEmail{kUser, kEmail},
          ConfirmEmail{kUser, kEmail},
          DisownSignIn{kUser, kSession},
          SendMail{kDelivery, MailKind::invitation},
          RecordMail{kDelivery, DeliveryState::delivered},
          SetSessionLimits{60, 600},
          AddMember{kUser, kEmail, Role::viewer},
          ChangeRole{kUser, Role::viewer},
          CreateOrganization{kOrg, OrgName::parse("Other").value()},
          SwitchOrganization{kSession, kOrg},
          RenameOrganization{OrgName::parse("Other").value()},
          DeleteOrganization{kOrg},
          RestoreOrganization{kOrg},
          ShredOrganization{kOrg},
          TransferOwnership{kUser},
          RemoveMember{kUser},
          DisableMember{UserId{bytes(16)}},
          EnableMember{kUser},
          LeaveOrganization{kUser},
          CreateInvitation{invitation, kEmail, Role::viewer},
          ResendInvitation{invitation},
          RevokeInvitation{invitation},
          AcceptInvitation{invitation, kUser},
          JoinOrganization{invitation},
          CreateToken{kToken, TokenName::parse("ci").value(), PermissionSet().add(Permission::server_view), Instant{1}},
          UseToken{kToken},
          RevokeToken{kToken},
          RevokeAnyToken{kToken},
          CreateEnrolment{enrolment, ServerName::parse("web-1").value()},
          RevokeEnrolment{enrolment},
          OfferEnrolment{enrolment, ServerName::parse("web-1").value()},
          EnrolServer{enrolment, kServer},
          MissServer{kServer},
          MeetServer{kServer},
          StartUnit{kServer, kControl},
          StopUnit{kServer, kControl},
          RestartUnit{kServer, kControl},
          UnitStatus{kServer, kUnit},
          ReadJournal{kServer, kUnit, 50},
          FinishOperation{operation, kServer},
          AskPilot{conversation, message},
          PilotReply{conversation, message},
          UnknownTool{conversation, Foreign("approve")},
          ProposeAction{approval, Digest{}},
          Approve{approval, Digest{}},
          Deny{approval, Digest{}},
          ExpireApproval{approval},
          FailOperation{operation},
          CreateSecret{kSecret, SecretKind::env_value, kName},
          ReplaceSecret{kSecret, SecretKind::env_value, kName},
          DeleteSecret{kSecret, SecretKind::env_value, kName},
          UseSecrets{SecretUse::server_env, {kSecret}, "unit.restart", "srv_x"},
          RotateKey{KeyClass::root},
          RotateKeyOnSchedule{KeyClass::root},
          RewrapSecrets{1, 2},
          DestroyKey{KeyClass::root, 1, 0},
          CreateChannel{kChannel, ChannelKind::slack, ChannelName::parse("Ops").value()},
          ChangeChannel{kChannel},
          ReplaceCredential{kChannel, kSecret},
          DeleteChannel{kChannel},
          VerifyChannel{kChannel},
          TestChannel{kChannel, kDelivery},
          RetryDelivery{kDelivery},
          ReadNotices{NoticeId{bytes(15)}},
          SendNotification{kDelivery, kChannel, {kSecret}},
          RecordDelivery{kDelivery, DeliveryState::delivered},
          ForgetNotices{1},
          ReadLog{},
          ExportLog{9},
          ContradictLog{kServer, 9},
          ForgetResults{3}};
}

Principal person(Role role, Source source = Source::user) {
  Principal p;
  p.source = source;
  p.org = kOrg;
  p.user = kUser;
  if (source == Source::api_token) p.token = kToken;
  else p.session = kSession;
  p.role = role;
  return p;
}

// Who may, in person. The pilot's and the token's lists are what is left of it for them.
const std::map<std::string_view, std::set<Role>> kPeople{
    {"session.refresh", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"session.sign_out", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"identity.link", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"identity.unlink", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"factor.add", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"factor.rename", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"session.disown", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"factor.remove", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"factor.renew_recovery_codes", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"session.step_up", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"session.end", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"session.end_others", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.change_password", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.request_verification", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.change_email", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"organization.set_session_limits", {Role::owner}},
    {"session.switch_organization", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"organization.create", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"organization.rename", {Role::admin, Role::owner}},
    {"organization.delete", {Role::owner}},
    {"organization.restore", {Role::owner}},
    {"ownership.transfer", {Role::owner}},
    {"factor.reset", {Role::owner}},
    {"member.add", {Role::owner}},
    {"member.change_role", {Role::owner}},
    {"member.remove", {Role::owner}},
    {"member.disable", {Role::owner}},
    {"member.enable", {Role::owner}},
    {"member.leave", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"invitation.create", {Role::owner}},
    {"invitation.resend", {Role::owner}},
    {"invitation.revoke", {Role::owner}},
    {"invitation.join", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"token.create", {Role::member, Role::admin, Role::owner}},
    {"token.revoke", {Role::member, Role::admin, Role::owner}},
    {"token.revoke_any", {Role::owner}},
    {"enrolment.create", {Role::admin, Role::owner}},
    {"enrolment.revoke", {Role::admin, Role::owner}},
    {"unit.start", {Role::member, Role::admin, Role::owner}},
    {"unit.stop", {Role::member, Role::admin, Role::owner}},
    {"unit.restart", {Role::member, Role::admin, Role::owner}},
    {"unit.status", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"journal.read", {Role::member, Role::admin, Role::owner}},
    {"pilot.ask", {Role::member, Role::admin, Role::owner}},
    {"approval.approve", {Role::member, Role::admin, Role::owner}},
    {"approval.deny", {Role::member, Role::admin, Role::owner}},
    {"secret.create", {Role::member, Role::admin, Role::owner}},  // of an env value
    {"secret.replace", {Role::member, Role::admin, Role::owner}},
    {"secret.delete", {Role::member, Role::admin, Role::owner}},
    {"secret.use", {Role::member, Role::admin, Role::owner}},
    {"key.rotate", {Role::owner}},
    {"notification.create_channel", {Role::admin, Role::owner}},
    {"notification.change_channel", {Role::admin, Role::owner}},
    {"notification.replace_credential", {Role::admin, Role::owner}},
    {"notification.delete_channel", {Role::admin, Role::owner}},
    {"notification.verify_channel", {Role::admin, Role::owner}},
    {"notification.test", {Role::admin, Role::owner}},
    {"notification.retry", {Role::admin, Role::owner}},
    {"notification.read", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"log.read", {Role::admin, Role::owner}},
    {"log.export", {Role::owner}},
};
const std::set<std::string_view> kPilotReads{"unit.status", "journal.read", "log.read"};
const std::set<std::string_view> kPilotSays{"approval.propose", "pilot.reply"};
const std::set<std::string_view> kWrites{"unit.start", "unit.stop", "unit.restart"};
// What asks for the password again, whatever it is done to. Stopping what lets people in does so too (below).
const std::set<std::string_view> kStepUp{"identity.link", "identity.unlink", "factor.add", "factor.remove", "factor.reset", "factor.renew_recovery_codes", "session.disown", "organization.delete",
                                         "account.change_password", "account.change_email", "organization.set_session_limits", "member.add", "member.change_role", "member.remove",
                                         "member.disable", "member.enable",
                                         "member.leave", "ownership.transfer", "organization.rename", "invitation.create", "invitation.resend", "token.create",
                                         "secret.create", "secret.replace", "secret.delete", "key.rotate"};
// Decisions, people, tokens and sessions; and whatever asks for a step-up, which a token cannot give.
const std::set<std::string_view> kNotWithToken{"factor.rename", "session.disown", "organization.delete", "organization.restore", "account.request_verification", "account.change_email", "member.disable", "member.enable", "approval.approve", "approval.deny", "member.add", "member.change_role", "member.remove", "member.leave",
                                               "session.refresh", "session.sign_out", "session.switch_organization", "organization.create",
                                               "organization.rename", "ownership.transfer", "invitation.create", "invitation.resend", "invitation.revoke",
                                               "invitation.join", "token.create", "token.revoke", "token.revoke_any", "pilot.ask", "key.rotate",
                                               "secret.create", "secret.replace", "secret.delete", "session.step_up", "session.end",
                                               "session.end_others", "account.change_password", "organization.set_session_limits",
                                               "identity.link", "identity.unlink", "factor.add", "factor.remove", "factor.reset", "factor.renew_recovery_codes",
                                                "notification.create_channel", "notification.change_channel", "notification.replace_credential",
                                                "notification.delete_channel", "notification.verify_channel", "notification.test",
                                                "notification.retry", "notification.read"};
const std::set<Role> kPilotUsers{Role::member, Role::admin, Role::owner};
constexpr std::array kRoles{Role::viewer, Role::member, Role::admin, Role::owner};

bool in_person(std::string_view name, Role role) {
  const auto row = kPeople.find(name);
  return row != kPeople.end() && row->second.contains(role);
}

}  // namespace

TEST_CASE("every action has its case here") { REQUIRE(one_of_each().size() == std::variant_size_v<AnyAction>); }

TEST_CASE("every action x role x source") {
  for (const auto& action : one_of_each())
    for (const Role role : kRoles) {
      const auto name = name_of(action);
      CAPTURE(name, text(role));
      CHECK(!refusal(person(role), action, false) == in_person(name, role));
      CHECK(!refusal(person(role, Source::api_token), action, false) == (in_person(name, role) && !kNotWithToken.contains(name)));

      const bool pilot_may = (kPilotReads.contains(name) && in_person(name, role)) || (kPilotSays.contains(name) && kPilotUsers.contains(role));
      const auto said = refusal(person(role, Source::pilot), action, false);
      CHECK(!said == pilot_may);
      const bool could_propose = kWrites.contains(name) && in_person(name, role);
      if (said) CHECK(said->code == (could_propose ? Code::approval_needed : Code::forbidden));
      CHECK(!refusal(person(role, Source::pilot), action, true) == could_propose);  // warranted: writes and nothing else
      CHECK(refusal(person(role), action, true));
    }
}

TEST_CASE("what lets people in is stopped by Admin and Owner alone, in person and by what they approved") {
  for (const char* name : {"ssh.service", "ssh.socket", "sshd.service", "networking.service", "NetworkManager.service", "systemd-networkd.service",
                           "nftables.service", "firewalld.service", "ufw.service", "wg-quick@wg0.service"})
    for (const Role role : kRoles) {
      const auto unit = ControlUnit::parse(name).value();
      CAPTURE(name, text(role));
      const bool may = role == Role::admin || role == Role::owner;
      for (const AnyAction& action : {AnyAction{StopUnit{kServer, unit}}, AnyAction{RestartUnit{kServer, unit}}}) {
        CHECK(impact_of(action) == Impact::destructive);
        CHECK(!refusal(person(role), action, false) == may);
        CHECK(!refusal(person(role, Source::pilot), action, true) == may);
      }
    }
  CHECK(!refusal(person(Role::member), StartUnit{kServer, ControlUnit::parse("ssh.service").value()}, false));
  CHECK(refusal(person(Role::member), StartUnit{kServer, ControlUnit::parse("nftables.service").value()}, false));
}

TEST_CASE("sources without a person do what is theirs alone") {
  for (const auto& action : one_of_each()) {
    const auto name = name_of(action);
    CAPTURE(name);
    Principal p;
    CHECK(!refusal(p, action, false) == (needs_of(action) == Permission::anonymous));
    p.source = Source::system;
    CHECK(!refusal(p, action, false) == (needs_of(action) == Permission::system));
    p.source = Source::agent;
    CHECK(refusal(p, action, false));  // no server
    p.server = kServer;
    CHECK(!refusal(p, action, false) == (name == "operation.finish" || name == "log.contradict"));
    p.server = ServerId{bytes(99)};
    CHECK(refusal(p, action, false));
    // A role alone is no person.
    for (const Source source : {Source::user, Source::api_token, Source::pilot}) {
      Principal nobody;
      nobody.source = source;
      nobody.role = Role::owner;
      CHECK(refusal(nobody, action, false));
      CHECK(refusal(nobody, action, true));
    }
  }
}

TEST_CASE("which kinds of secrets a role handles: a Member env values, an Admin all but the AI provider's key, the Owner all") {
  for (const Role role : kRoles)
    for (const SecretKind kind : kSecretKinds) {
      CAPTURE(text(role), text(kind));
      const bool may = role == Role::owner || (role == Role::admin && kind != SecretKind::ai_provider) || (role == Role::member && kind == SecretKind::env_value);
      CHECK(!refusal(person(role), CreateSecret{kSecret, kind, kName}, false) == may);
      CHECK(!refusal(person(role), ReplaceSecret{kSecret, kind, kName}, false) == may);
      CHECK(!refusal(person(role), DeleteSecret{kSecret, kind, kName}, false) == may);
      CHECK(refusal(person(role, Source::pilot), CreateSecret{kSecret, kind, kName}, false));
      CHECK(refusal(person(role, Source::pilot), UseSecrets{use_of(kind), {kSecret}, "pilot.ask", ""}, false));
    }
}

TEST_CASE("nobody hands out a role above their own, or acts on another's session") {
  for (const Role mine : kRoles)
    for (const Role given : kRoles) {
      const bool may = mine == Role::owner && given <= mine;
      CHECK(!refusal(person(mine), ChangeRole{kUser, given}, false) == may);
      CHECK(!refusal(person(mine), AddMember{kUser, kEmail, given}, false) == may);
    }
  const SessionId other{bytes(77)};
  CHECK(refusal(person(Role::owner), SignOut{other}, false));
  CHECK(refusal(person(Role::owner), RefreshSession{other}, false));
  CHECK(refusal(person(Role::owner), StepUpSession{other}, false));
  const UserId somebody{bytes(78)};
  CHECK(refusal(person(Role::owner), RequestVerification{somebody}, false));
  CHECK(refusal(person(Role::owner), ChangeEmail{somebody, kEmail}, false));
  CHECK(refusal(person(Role::owner), DisableMember{kUser}, false));
  CHECK(refusal(person(Role::owner), DisownSession{kSession}, false));
  const OrgId another{bytes(79)};
  CHECK(refusal(person(Role::owner), DeleteOrganization{another}, false));
  CHECK(refusal(person(Role::owner), RestoreOrganization{another}, false));
  CHECK(refusal(person(Role::owner), EndOtherSessions{other}, false));
  CHECK(refusal(person(Role::owner), ChangePassword{UserId{bytes(78)}}, false));
  CHECK(refusal(person(Role::owner), SwitchOrganization{other, kOrg}, false));
  CHECK(refusal(person(Role::owner), LeaveOrganization{UserId{bytes(78)}}, false));
  for (const Role given : kRoles) CHECK(!refusal(person(Role::owner), CreateInvitation{InvitationId{bytes(1)}, kEmail, given}, false) == (given <= Role::owner));
}

namespace {

CreateToken token_with(std::initializer_list<Permission> scopes) {
  PermissionSet set;
  for (const Permission p : scopes) set.add(p);
  return {kToken, TokenName::parse("ci").value(), set, Instant{1}};
}

}  // namespace

TEST_CASE("a token is made with scopes that its maker holds and that tokens may carry, and with at least one") {
  using enum Permission;
  CHECK(!refusal(person(Role::member), token_with({server_view, unit_restart}), false));
  CHECK(refusal(person(Role::member), token_with({}), false));
  CHECK(refusal(person(Role::member), token_with({server_view, server_enrol}), false));  // an Admin's
  CHECK(refusal(person(Role::owner), token_with({server_view, approval_decide}), false));
  CHECK(refusal(person(Role::owner), token_with({server_view, system}), false));  // in no row
  for (const auto& row : permission_table())
    for (const Role role : kRoles) {
      CAPTURE(row.name, text(role));
      const bool may_make = role != Role::viewer;
      CHECK(!refusal(person(role), token_with({row.permission}), false) == (may_make && row.token && granted(role, row.permission)));
    }
}

TEST_CASE("a narrowed token does what is in both: its scopes and its maker's role") {
  auto token = person(Role::member, Source::api_token);
  token.narrowed = PermissionSet().add(Permission::unit_restart).add(Permission::server_enrol);
  CHECK(!refusal(token, RestartUnit{kServer, kControl}, false));
  CHECK(refusal(token, StopUnit{kServer, kControl}, false));
  CHECK(refusal(token, UnitStatus{kServer, kUnit}, false));
  CHECK(refusal(token, CreateEnrolment{EnrolmentId{bytes(9)}, ServerName::parse("web-1").value()}, false));
  CHECK(refusal(token, RestartUnit{kServer, ControlUnit::parse("ssh.service").value()}, false));
}

TEST_CASE("a person without a session, a token without its id, and anybody without an organisation do nothing") {
  for (const auto& action : one_of_each()) {
    auto nobody = person(Role::owner), nameless = person(Role::owner, Source::api_token), nowhere = person(Role::owner), unknown = person(Role::owner);
    nobody.session.reset();
    nameless.token.reset();
    nowhere.org.reset();
    unknown.user.reset();
    for (const auto& who : {nobody, nameless, nowhere, unknown}) CHECK(refusal(who, action, false));
  }
  auto gone = person(Role::owner, Source::pilot);  // an approval outlives the session in which it was asked for
  gone.session.reset();
  CHECK(!refusal(gone, RestartUnit{kServer, kControl}, true));
  gone.org.reset();
  CHECK(refusal(gone, RestartUnit{kServer, kControl}, true));
}

// What may mint in production is named here so that the test can make the tokens it needs.
namespace caip::auth {
class SessionStore {
 public:
  static Session session(Principal p) { return Session(Badge<SessionStore>{}, std::move(p)); }
};
}  // namespace caip::auth
namespace caip::auth {
class StepUpVerifier {
 public:
  static StepUp step_up(SessionId session, Instant proven) { return StepUp(Badge<StepUpVerifier>{}, session, proven); }
};
}  // namespace caip::auth
namespace caip::approvals {
class ApprovalGate {
 public:
  static Warrant warrant(ServerAction a, std::string text, Principal who, Instant expires) {
    return Warrant(Badge<ApprovalGate>{}, ApprovalId{IdBytes{}}, std::move(a), std::move(text), Digest{}, std::move(who), UserId{IdBytes{}}, expires);
  }
};
}  // namespace caip::approvals

TEST_CASE("a permit carries the action and lives 30 s, once") {
  ManualClock clock{Instant(1'000'000)};
  const authorization::Authorizer authorizer(clock);
  const auto session = auth::SessionStore::session(person(Role::member));
  auto permit = authorizer.authorize_without_step_up(session, StopUnit{kServer, kControl});
  REQUIRE(permit);
  CHECK(permit->action().unit == kControl);
  CHECK(std::move(*permit).spend(clock.now()));
  CHECK_FALSE(std::move(*permit).spend(clock.now()));  // NOLINT(bugprone-use-after-move)
  auto late = authorizer.authorize_without_step_up(session, StopUnit{kServer, kControl});
  clock.advance(std::chrono::seconds(31));
  CHECK_FALSE(std::move(*late).spend(clock.now()));

  const auto pilot = session.as_pilot();
  auto denied = authorizer.authorize_without_step_up(pilot, StopUnit{kServer, kControl});
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == Code::approval_needed);
  CHECK(denied.error().principal.source == Source::pilot);
  CHECK(authorizer.authorize_without_step_up(pilot, Approve{ApprovalId{bytes(1)}, Digest{}}).error().code == Code::forbidden);
}

TEST_CASE("which actions ask for a step-up") {
  for (const auto& action : one_of_each()) {
    CAPTURE(name_of(action));
    CHECK(needs_step_up(action) == kStepUp.contains(name_of(action)));
  }
  for (const char* name : {"ssh.service", "nftables.service"}) {
    const auto unit = ControlUnit::parse(name).value();
    CHECK(needs_step_up(StopUnit{kServer, unit}));
    CHECK(needs_step_up(RestartUnit{kServer, unit}));
  }
  CHECK_FALSE(needs_step_up(StartUnit{kServer, ControlUnit::parse("ssh.service").value()}));
}

TEST_CASE("a step-up is five minutes old at most, of this session, and a person's") {
  ManualClock clock{Instant(1'000'000'000)};
  const authorization::Authorizer authorizer(clock);
  const auto session = auth::SessionStore::session(person(Role::owner));
  const auto ask = [&](const Session& by, SessionId of, Instant proven) -> std::string {
    auto decision = authorizer.authorize(by, ChangeRole{kUser, Role::viewer}, auth::StepUpVerifier::step_up(of, proven));
    if (!decision) return std::string(code_text(decision.error().code));
    CHECK(decision->stepped_up());
    return std::move(*decision).spend(clock.now()) ? "yes" : "unspendable";
  };
  const Instant now = clock.now();
  CHECK(ask(session, kSession, now) == "yes");
  CHECK(ask(session, kSession, now + -(kStepUpLifetime - std::chrono::seconds(1))) == "yes");
  CHECK(ask(session, kSession, now + -kStepUpLifetime) == "step_up_needed");
  CHECK(ask(session, kSession, now + std::chrono::seconds(1)) == "step_up_needed");  // the clock was set back
  CHECK(ask(session, SessionId{bytes(77)}, now) == "step_up_needed");
  CHECK(ask(session.as_pilot(), kSession, now) == "forbidden");
  CHECK(ask(auth::SessionStore::session(person(Role::owner, Source::api_token)), kSession, now) == "forbidden");
  CHECK(ask(auth::SessionStore::session(person(Role::viewer)), kSession, now) == "forbidden");
}

TEST_CASE("without a step-up what asks for one is refused, and who may not anyway is told that") {
  const ManualClock clock{Instant(1'000'000)};
  const authorization::Authorizer authorizer(clock);
  const auto owner = auth::SessionStore::session(person(Role::owner)), viewer = auth::SessionStore::session(person(Role::viewer));
  CHECK(authorizer.refuse_without_step_up(owner, RotateKey{KeyClass::root}).code == Code::step_up_needed);
  CHECK(authorizer.refuse_without_step_up(viewer, RotateKey{KeyClass::root}).code == Code::forbidden);
  const auto ssh = ControlUnit::parse("ssh.service").value();
  CHECK(authorizer.authorize_without_step_up(owner, StopUnit{kServer, ssh}).error().code == Code::step_up_needed);
  CHECK(authorizer.authorize_without_step_up(viewer, StopUnit{kServer, ssh}).error().code == Code::forbidden);
  CHECK(authorizer.authorize_without_step_up(owner, StopUnit{kServer, kControl}));
}

TEST_CASE("a warrant is checked again: bytes, time, and the requester's role now") {
  const ManualClock clock{Instant(1'000'000)};
  const authorization::Authorizer authorizer(clock);
  const ServerAction restart = RestartUnit{kServer, kControl};
  const Instant later{2'000'000};
  auto member = person(Role::member, Source::pilot);
  using Gate = approvals::ApprovalGate;
  auto good = authorizer.authorize(Gate::warrant(restart, encode(restart), member, later));
  REQUIRE(good);
  CHECK(std::get<Authorized<RestartUnit>>(*good).approver());
  const ServerAction stop = StopUnit{kServer, kControl};
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(stop), member, later)).error().code == Code::digest_mismatch);
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(restart), member, clock.now())).error().code == Code::expired);
  auto demoted = person(Role::viewer, Source::pilot);
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(restart), demoted, later)).error().code == Code::forbidden);
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(restart), person(Role::member), later)).error().code == Code::forbidden);
  const ServerAction status = UnitStatus{kServer, kUnit};
  CHECK(authorizer.authorize(Gate::warrant(status, encode(status), member, later)).error().code == Code::forbidden);
}

TEST_CASE("pages are for those whose role shows them") {
  const ManualClock clock{Instant(0)};
  const authorization::Authorizer authorizer(clock);
  for (const Role role : kRoles) {
    const auto session = auth::SessionStore::session(person(role));
    CHECK(authorizer.require_view(session, Permission::server_view).has_value());
    CHECK(authorizer.require_view(session, Permission::audit_view).has_value() == (role >= Role::admin));
    CHECK(authorizer.require_view(session, Permission::audit_export).has_value() == (role == Role::owner));
    CHECK_FALSE(authorizer.require_view(session, Permission::unit_stop).has_value());
    CHECK_FALSE(authorizer.require_view(session, Permission::system).has_value());
  }
}
