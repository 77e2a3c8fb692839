// Walks every action × role × source, against rules that are written down a second time here, by
// name of permission and not by the code under test.
#include "policy.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "test_people.h"

using namespace caip;
using authorization::refusal;

namespace {

const SiteId kSite{bytes(18)};
SiteSpec site_spec() { return SiteSpec::of(SiteKind::static_files, {DomainName::parse("shop.example.org").value()}, std::nullopt, false).value(); }

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
          HandOverSession{kSession},
          SignInBySession{kSession},
          EndSession{kSession},
          EndOtherSessions{kSession},
          ForgetDevice{DeviceId{bytes(17)}},
          DisownSession{SessionId{bytes(16)}},
          ChangePassword{kUser},
          RequestPasswordReset{kEmail},
          ResetPassword{kUser},
          RequestVerification{kUser},
          ChangeEmail{kUser, kEmail},
          ConfirmEmail{kUser, kEmail},
          ConfirmNewEmail{kUser, kEmail},
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
          DisconnectServer{kServer},
          RestoreServer{kServer},
          ForgetServer{kServer},
          SetEnvironment{kServer, Environment::development},
          OfferEnvironment{kServer, Environment::development},
          RenewCertificate{kServer, Digest{}},
          AdoptKey{kServer, Digest{}},
          ConnectAgent{kServer, Digest{}},
          RotateServerKey{kServer},
          RevokeServerKey{kServer},
          CheckChannel{kServer},
          QuarantineServer{kServer},
          StartUnit{kServer, kControl},
          StopUnit{kServer, kControl},
          RestartUnit{kServer, kControl},
          ReloadUnit{kServer, kControl},
          EnableUnit{kServer, kControl},
          DisableUnit{kServer, kControl},
          UnitStatus{kServer, kUnit},
          ReadJournal{kServer, kUnit, 50},
          ListProcesses{kServer},
          ListSockets{kServer},
          ListDisks{kServer},
          RebootServer{kServer},
          PlaceEnv{kServer, UnixUser::parse("www-data").value(), {{kSecret, 1}}},
          RemoveEnv{kServer, UnixUser::parse("www-data").value()},
          CreateSite{kServer, kSite, SiteName::parse("shop").value(), site_spec()},
          ChangeSite{kServer, kSite, site_spec()},
          DeleteSite{kServer, kSite, 168},
          RestoreSite{kServer, kSite},
          CheckSite{kServer, kSite},
          ForgetSite{kServer, kSite},
          FinishOperation{operation, kServer},
          AskPilot{conversation, message},
          SetPilotMode{conversation, PilotMode::ask},
          PilotReply{conversation, message},
          UnknownTool{conversation, Foreign("approve")},
          CallTool{conversation, Foreign("read_journal")},
          StopAi{},
          StartAi{},
          ForbidAiWrites{},
          AllowAiWrites{},
          SetAiAccess{kServer, AiAccess::full},
          OfferAiAccess{kServer, AiAccess::full},
          SetAiOperation{AiScope::parse("unit.stop").value(), true},
          SetAiLimit{AiLimit::parse("steps_per_run").value(), 100},
          SetAiProvider{AiVendor::anthropic},
          RemoveAiProvider{},
          TestAiProvider{AiVendor::anthropic},
          UnprotectProduction{Instant{1}},
          ProtectProduction{},
          ProtectProductionOnTime{},
          SetSecondPerson{false},
          ProposeAction{approval, Digest{}},
          Approve{approval, Digest{}},
          Deny{approval, Digest{}},
          ExpireApproval{approval},
          LapseApproval{approval, kUser},
          ProposePlan{PlanId{bytes(18)}, Digest{}},
          ApprovePlan{PlanId{bytes(18)}, Digest{}, {1, 2}},
          DenyPlan{PlanId{bytes(18)}, Digest{}},
          HoldStep{PlanId{bytes(18)}, approval},
          FailOperation{operation},
          CreateSecret{kSecret, SecretKind::env_value, kName},
          ReplaceSecret{kSecret, SecretKind::env_value, kName},
          DeleteSecret{kSecret, SecretKind::env_value, kName},
          UseSecrets{SecretUse::server_env, {kSecret}, "unit.restart", "srv_x"},
          SendEnv{operation, kServer, {kSecret}},
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
          StartSystem{},
          StopSystem{},
          ReadLog{},
          ExportLog{9},
          ContradictLog{kServer, 9},
          ForgetResults{3}};
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
    {"session.hand_over", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"session.end_others", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"device.forget", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.change_password", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.request_verification", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.confirm_new_email", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"account.change_email", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"organization.set_session_limits", {Role::owner}},
    {"session.switch_organization", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"organization.create", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"organization.rename", {Role::admin, Role::owner}},
    {"organization.delete", {Role::owner}},
    {"organization.restore", {Role::owner}},
    {"server.disconnect", {Role::admin, Role::owner}},
    {"server.restore", {Role::admin, Role::owner}},
    {"server.set_environment", {Role::admin, Role::owner}},
    {"server.rotate_key", {Role::admin, Role::owner}},
    {"server.revoke_key", {Role::admin, Role::owner}},
    {"server.check_channel", {Role::member, Role::admin, Role::owner}},
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
    {"unit.reload", {Role::member, Role::admin, Role::owner}},
    {"unit.enable", {Role::member, Role::admin, Role::owner}},
    {"unit.disable", {Role::member, Role::admin, Role::owner}},
    {"unit.status", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"journal.read", {Role::member, Role::admin, Role::owner}},
    {"process.list", {Role::member, Role::admin, Role::owner}},
    {"socket.list", {Role::member, Role::admin, Role::owner}},
    {"disk.list", {Role::member, Role::admin, Role::owner}},
    {"server.reboot", {Role::admin, Role::owner}},
    {"env.place", {Role::admin, Role::owner}},
    {"env.remove", {Role::admin, Role::owner}},
    {"site.create", {Role::member, Role::admin, Role::owner}},
    {"site.change", {Role::member, Role::admin, Role::owner}},
    {"site.delete", {Role::admin, Role::owner}},
    {"site.restore", {Role::admin, Role::owner}},
    {"site.check", {Role::viewer, Role::member, Role::admin, Role::owner}},
    {"pilot.ask", {Role::member, Role::admin, Role::owner}},
    {"pilot.set_mode", {Role::member, Role::admin, Role::owner}},
    {"ai.stop", {Role::member, Role::admin, Role::owner}},
    {"ai.start", {Role::admin, Role::owner}},
    {"ai.forbid_writes", {Role::admin, Role::owner}},
    {"ai.allow_writes", {Role::admin, Role::owner}},
    {"ai.set_access", {Role::admin, Role::owner}},
    {"ai.set_operation", {Role::admin, Role::owner}},
    {"ai.set_limit", {Role::admin, Role::owner}},
    {"ai.set_provider", {Role::owner}},
    {"ai.remove_provider", {Role::owner}},
    {"ai.test_provider", {Role::owner}},
    {"ai.unprotect_production", {Role::owner}},
    {"ai.protect_production", {Role::admin, Role::owner}},
    {"approval.set_second_person", {Role::owner}},
    {"approval.approve", {Role::member, Role::admin, Role::owner}},
    {"approval.deny", {Role::member, Role::admin, Role::owner}},
    {"plan.approve", {Role::member, Role::admin, Role::owner}},
    {"plan.deny", {Role::member, Role::admin, Role::owner}},
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
const std::set<std::string_view> kPilotReads{"unit.status", "journal.read", "process.list", "socket.list", "disk.list", "site.check", "log.read"};
const std::set<std::string_view> kPilotSays{"approval.propose", "plan.propose", "pilot.reply"};
const std::set<std::string_view> kWrites{"unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable", "server.reboot", "env.place", "env.remove", "site.create", "site.change", "site.delete", "site.restore"};
// What asks for the password again, whatever it is done to. Stopping what lets people in does so too (below).
const std::set<std::string_view> kStepUp{"session.hand_over", "identity.link", "identity.unlink", "factor.add", "factor.remove", "factor.reset", "factor.renew_recovery_codes", "session.disown", "organization.delete", "server.disconnect", "server.revoke_key", "server.reboot", "site.delete",
                                         "account.change_password", "account.change_email", "organization.set_session_limits", "member.add", "member.change_role", "member.remove",
                                         "member.disable", "member.enable",
                                         "member.leave", "ownership.transfer", "organization.rename", "invitation.create", "invitation.resend", "token.create",
                                         "secret.create", "secret.replace", "secret.delete", "key.rotate", "env.place", "env.remove", "ai.start", "ai.allow_writes", "ai.set_access",
                                         "ai.set_operation", "ai.set_limit", "ai.set_provider", "ai.remove_provider", "ai.test_provider", "ai.unprotect_production", "server.set_environment", "approval.set_second_person"};
// Decisions, people, tokens and sessions; and whatever asks for a step-up, which a token cannot give.
const std::set<std::string_view> kNotWithToken{"account.confirm_new_email", "session.hand_over", "factor.rename", "session.disown", "organization.delete", "organization.restore", "server.disconnect", "server.reboot", "server.restore", "site.delete", "site.restore", "server.rotate_key", "server.revoke_key", "account.request_verification", "account.change_email", "member.disable", "member.enable", "approval.approve", "approval.deny", "plan.approve", "plan.deny", "member.add", "member.change_role", "member.remove", "member.leave",
                                               "session.refresh", "session.sign_out", "session.switch_organization", "organization.create",
                                               "organization.rename", "ownership.transfer", "invitation.create", "invitation.resend", "invitation.revoke",
                                               "invitation.join", "token.create", "token.revoke", "token.revoke_any", "pilot.ask", "pilot.set_mode", "key.rotate",
                                               "secret.create", "secret.replace", "secret.delete", "env.place", "env.remove", "session.step_up", "session.end",
                                               "session.end_others", "device.forget", "account.change_password", "organization.set_session_limits",
                                               "identity.link", "identity.unlink", "factor.add", "factor.remove", "factor.reset", "factor.renew_recovery_codes",
                                                "notification.create_channel", "notification.change_channel", "notification.replace_credential",
                                                "notification.delete_channel", "notification.verify_channel", "notification.test",
                                                "notification.retry", "notification.read", "ai.start", "ai.forbid_writes", "ai.allow_writes", "ai.set_access", "ai.set_operation", "ai.set_limit", "ai.set_provider", "ai.remove_provider", "ai.test_provider",
                                                "ai.unprotect_production", "ai.protect_production", "server.set_environment", "approval.set_second_person"};
const std::set<std::string_view> kOfAgents{"operation.finish", "log.contradict", "server.renew_certificate", "server.adopt_key", "server.connect"};
const std::set<Role> kPilotUsers{Role::member, Role::admin, Role::owner};

bool in_person(std::string_view name, Role role) {
  const auto row = kPeople.find(name);
  return row != kPeople.end() && row->second.contains(role);
}

}  // namespace

TEST_CASE("every action has its case here") { REQUIRE(one_of_each().size() == std::variant_size_v<AllActions::Variant>); }

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
      for (const AnyAction& action : {AnyAction{StopUnit{kServer, unit}}, AnyAction{RestartUnit{kServer, unit}}, AnyAction{ReloadUnit{kServer, unit}}, AnyAction{DisableUnit{kServer, unit}}}) {
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
    CHECK(!refusal(p, action, false) == kOfAgents.contains(name));
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
  CHECK(refusal(person(Role::owner), HandOverSession{other}, false));
  const UserId somebody{bytes(78)};
  CHECK(refusal(person(Role::owner), RequestVerification{somebody}, false));
  CHECK(refusal(person(Role::owner), ChangeEmail{somebody, kEmail}, false));
  CHECK(refusal(person(Role::owner), ConfirmNewEmail{somebody, kEmail}, false));
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

TEST_CASE("which actions ask for a step-up") {
  for (const auto& action : one_of_each()) {
    CAPTURE(name_of(action));
    CHECK(needs_step_up(action) == kStepUp.contains(name_of(action)));
  }
  for (const char* name : {"ssh.service", "nftables.service"}) {
    const auto unit = ControlUnit::parse(name).value();
    CHECK(needs_step_up(StopUnit{kServer, unit}));
    CHECK(needs_step_up(RestartUnit{kServer, unit}));
    CHECK(needs_step_up(ReloadUnit{kServer, unit}));
    CHECK(needs_step_up(DisableUnit{kServer, unit}));
  }
  CHECK(needs_step_up(SetAiAccess{kServer, AiAccess::read}));
  CHECK_FALSE(needs_step_up(SetAiAccess{kServer, AiAccess::none}));
  CHECK(needs_step_up(SetEnvironment{kServer, Environment::staging}));
  CHECK_FALSE(needs_step_up(SetEnvironment{kServer, Environment::production}));
  CHECK_FALSE(needs_step_up(SetEnvironment{kServer, Environment::unknown}));
  CHECK_FALSE(needs_step_up(SetAiOperation{AiScope::parse("unit").value(), false}));
  CHECK_FALSE(needs_step_up(SetSecondPerson{true}));
  CHECK_FALSE(needs_step_up(StartUnit{kServer, ControlUnit::parse("ssh.service").value()}));
  CHECK_FALSE(needs_step_up(EnableUnit{kServer, ControlUnit::parse("ssh.service").value()}));
  CHECK(needs_step_up(EnableUnit{kServer, ControlUnit::parse("nftables.service").value()}));
}
