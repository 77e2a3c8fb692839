// model/actions.h: every operation that changes something or that is refused on the record.
// One struct each: operands, permission (kNeeds), impact (kImpact), name (kName, as the log and
// the API have it), and whether the session must have proven anew who is there (kStepUp). Routes, policy, audit rendering, AI tools and tests are tied to AllActions.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "model/ai.h"
#include "model/environment.h"
#include "model/factor.h"
#include "model/ids.h"
#include "model/mail.h"
#include "model/names.h"
#include "model/notification.h"
#include "model/permission.h"
#include "model/secret.h"
#include "model/site.h"
#include "model/units.h"

namespace caip {

// Step-up: re-authentication within the last five minutes (proofs/step_up.h). What always asks for one is
// not authorized without it at compile time; by_operands: when needs_step_up() says so of this one.
enum class StepUpNeed : std::uint8_t { never, by_operands, always };

#define CAIP_ACTION(name, permission, impact) CAIP_ACTION_STEP_UP(name, permission, impact, never)
#define CAIP_ACTION_STEP_UP(name, permission, impact, step_up)   \
  static constexpr std::string_view kName = name;                \
  static constexpr Permission kNeeds = Permission::permission;   \
  static constexpr StepUpNeed kStepUp = StepUpNeed::step_up;     \
  static constexpr Impact kImpact = Impact::impact

// --- people ------------------------------------------------------------------------------
struct CreateOwner { CAIP_ACTION("owner.create", anonymous, caution); UserId user; OrgId org; Email email; OrgName org_name; };
struct SignIn { CAIP_ACTION("session.sign_in", anonymous, safe); Email email; };   // refusals have no user
struct RefreshSession { CAIP_ACTION("session.refresh", own_session, safe); SessionId session; };
struct SignOut { CAIP_ACTION("session.sign_out", own_session, safe); SessionId session; };
// By another service's word; the subject is empty where it named nobody.
struct SignInWith { CAIP_ACTION("session.sign_in_with", anonymous, safe); std::string provider; Foreign subject; };
struct LinkIdentity { CAIP_ACTION_STEP_UP("identity.link", own_session, caution, always); IdentityId identity; std::string provider; };
struct UnlinkIdentity { CAIP_ACTION_STEP_UP("identity.unlink", own_session, caution, always); IdentityId identity; };
// A browser that is signed in lets a program of the same person in, which cannot show a passkey's dialog; then that program comes.
struct HandOverSession { CAIP_ACTION_STEP_UP("session.hand_over", own_session, caution, always); SessionId session; };
struct SignInBySession { CAIP_ACTION("session.sign_in_by_session", anonymous, safe); SessionId session; };  // the one that let it in
// The second step of a sign-in; a completed one is the sign-in.
struct ProveFactor { CAIP_ACTION("session.second_factor", anonymous, safe); UserId user; };
struct AddFactor { CAIP_ACTION_STEP_UP("factor.add", own_session, caution, always); FactorId factor; FactorKind kind; };
struct RenameFactor { CAIP_ACTION("factor.rename", own_session, safe); FactorId factor; };  // a passkey, to tell it from others
struct RemoveFactor { CAIP_ACTION_STEP_UP("factor.remove", own_session, caution, always); FactorId factor; };
// Somebody lost theirs, or a thief added one: all factors of a member go, and their sessions.
struct ResetFactors { CAIP_ACTION_STEP_UP("factor.reset", member_change_role, caution, always); UserId user; };
// The same by whoever is root on the machine, where no Owner is left who could.
struct ResetFactorsLocally { CAIP_ACTION("factor.reset_locally", system, caution); UserId user; };
struct RenewRecoveryCodes { CAIP_ACTION_STEP_UP("factor.renew_recovery_codes", own_session, caution, always); };
// The person at this session has shown once more that it is them.
struct StepUpSession { CAIP_ACTION("session.step_up", own_session, safe); SessionId session; };
struct EndSession { CAIP_ACTION("session.end", own_session, caution); SessionId session; };  // another one of the same person
struct EndOtherSessions { CAIP_ACTION("session.end_others", own_session, caution); SessionId session; };  // all but this one
// A device of theirs: the next sign-in on it is one on a new device, and what is signed in there, but for who says it, ends.
struct ForgetDevice { CAIP_ACTION("device.forget", own_session, caution); DeviceId device; };
struct ChangePassword { CAIP_ACTION_STEP_UP("account.change_password", own_session, caution, always); UserId user; };
// "This was not me" by whoever is signed in, of another session of theirs; by a letter's link it is DisownSignIn.
struct DisownSession { CAIP_ACTION_STEP_UP("session.disown", own_session, destructive, always); SessionId session; };
// By mail. Asking says nothing of whether there is such an account; a link does what it is for, once, on a POST.
struct RequestPasswordReset { CAIP_ACTION("account.request_reset", anonymous, safe); Email email; };
struct ResetPassword { CAIP_ACTION("account.reset_password", anonymous, caution); UserId user; };
struct RequestVerification { CAIP_ACTION("account.request_verification", own_session, safe); UserId user; };
struct ChangeEmail { CAIP_ACTION_STEP_UP("account.change_email", own_session, caution, always); UserId user; Email email; };  // in force once confirmed
struct ConfirmEmail { CAIP_ACTION("account.confirm_email", anonymous, caution); UserId user; Email email; };
struct ConfirmNewEmail { CAIP_ACTION("account.confirm_new_email", own_session, caution); UserId user; Email email; };  // by who wanted it and has its letter
struct DisownSignIn { CAIP_ACTION("account.disown_sign_in", anonymous, caution); UserId user; SessionId session; };  // "this was not me"
// One letter: before it leaves, and what became of it.
struct SendMail { CAIP_ACTION("mail.send", system, safe); DeliveryId delivery; MailKind kind; };
struct RecordMail { CAIP_ACTION("mail.record", system, safe); DeliveryId delivery; DeliveryState state; };
// How long sessions of the organisation last: never longer than the product's own limits.
struct SetSessionLimits { CAIP_ACTION_STEP_UP("organization.set_session_limits", session_limits, caution, always); std::int64_t idle_minutes; std::int64_t lifetime_minutes; };
// A person may belong to several organisations; a session acts in one at a time.
struct CreateOrganization { CAIP_ACTION("organization.create", own_session, caution); OrgId organization; OrgName name; };
struct SwitchOrganization { CAIP_ACTION("session.switch_organization", own_session, safe); SessionId session; OrgId organization; };
struct RenameOrganization { CAIP_ACTION_STEP_UP("organization.rename", organization_rename, caution, always); OrgName name; };
// First a date, which an Owner may take back until it has come; then the organisation's keys are destroyed.
struct DeleteOrganization { CAIP_ACTION_STEP_UP("organization.delete", organization_delete, destructive, always); OrgId organization; };
struct RestoreOrganization { CAIP_ACTION("organization.restore", organization_delete, safe); OrgId organization; };
struct ShredOrganization { CAIP_ACTION("organization.shred", system, destructive); OrgId organization; };
struct TransferOwnership { CAIP_ACTION_STEP_UP("ownership.transfer", ownership_transfer, destructive, always); UserId user; };
struct AddMember { CAIP_ACTION_STEP_UP("member.add", member_add, caution, always); UserId user; Email email; Role role; };
struct ChangeRole { CAIP_ACTION_STEP_UP("member.change_role", member_change_role, caution, always); UserId user; Role role; };
struct RemoveMember { CAIP_ACTION_STEP_UP("member.remove", member_remove, destructive, always); UserId user; };
// Kept as a member, let in nowhere: sessions, tokens and streams end, and none begins until they are enabled again.
struct DisableMember { CAIP_ACTION_STEP_UP("member.disable", member_disable, caution, always); UserId user; };
struct EnableMember { CAIP_ACTION_STEP_UP("member.enable", member_disable, caution, always); UserId user; };
struct LeaveOrganization { CAIP_ACTION_STEP_UP("member.leave", own_session, caution, always); UserId user; };
struct CreateInvitation { CAIP_ACTION_STEP_UP("invitation.create", invitation_create, caution, always); InvitationId invitation; Email email; Role role; };
struct ResendInvitation { CAIP_ACTION_STEP_UP("invitation.resend", invitation_create, caution, always); InvitationId invitation; };
struct RevokeInvitation { CAIP_ACTION("invitation.revoke", invitation_revoke, safe); InvitationId invitation; };
// By whoever holds the link: with a new account, or as the person who is signed in with that address.
struct AcceptInvitation { CAIP_ACTION("invitation.accept", anonymous, caution); InvitationId invitation; UserId user; };
struct JoinOrganization { CAIP_ACTION("invitation.join", own_session, caution); InvitationId invitation; };
struct CreateToken { CAIP_ACTION_STEP_UP("token.create", token_own, caution, always); TokenId token; TokenName name; PermissionSet scopes; Instant expires; };
// Once a quarter of an hour and address: what "last used" is taken from.
struct UseToken { CAIP_ACTION("token.use", anonymous, safe); TokenId token; };
// Taking away asks for no password: whoever sees a token in wrong hands must not be slowed down.
struct RevokeToken { CAIP_ACTION("token.revoke", token_own, safe); TokenId token; };
struct RevokeAnyToken { CAIP_ACTION("token.revoke_any", token_revoke_any, caution); TokenId token; };

// --- servers -----------------------------------------------------------------------------
struct CreateEnrolment { CAIP_ACTION("enrolment.create", server_enrol, caution); EnrolmentId enrolment; ServerName name; };
struct RevokeEnrolment { CAIP_ACTION("enrolment.revoke", server_enrol, safe); EnrolmentId enrolment; };
// Before there is an owner: the machine that `caipd --offer-enrolment NAME` was started for.
struct OfferEnrolment { CAIP_ACTION("enrolment.offer", system, caution); EnrolmentId enrolment; ServerName name; };
struct EnrolServer { CAIP_ACTION("server.enrol", anonymous, caution); EnrolmentId enrolment; ServerId server; };
// Nothing was heard of it for a while; it is heard of again. The control plane's own observation.
struct MissServer { CAIP_ACTION("server.missed", system, caution); ServerId server; };
struct MeetServer { CAIP_ACTION("server.met", system, safe); ServerId server; };

// First out of service, with a date until which it is restored with one click; then its rows and its certificate's worth are
// gone. The machine itself runs on: this forgets, and destroys nothing there.
struct DisconnectServer { CAIP_ACTION_STEP_UP("server.disconnect", server_disconnect, destructive, always); ServerId server; };
struct RestoreServer { CAIP_ACTION("server.restore", server_disconnect, safe); ServerId server; };
struct ForgetServer { CAIP_ACTION("server.forget", system, destructive); ServerId server; };
// The key that a server's agent proves with who it is, by its SHA-256, and the certificates for it. Taking a key's worth away is as
// final as can be: the way back is by root of that server.
struct RenewCertificate { CAIP_ACTION("server.renew_certificate", agent, safe); ServerId server; Digest key; };
struct AdoptKey { CAIP_ACTION("server.adopt_key", agent, caution); ServerId server; Digest key; };  // first use: the one before is worth nothing from then on
struct ConnectAgent { CAIP_ACTION("server.connect", agent, safe); ServerId server; Digest key; };   // on the record where it is refused
struct RotateServerKey { CAIP_ACTION("server.rotate_key", server_key, caution); ServerId server; };
struct RevokeServerKey { CAIP_ACTION_STEP_UP("server.revoke_key", server_key, destructive, always); ServerId server; };
struct CheckChannel { CAIP_ACTION("server.check_channel", server_check, safe); ServerId server; };
// Two hold one key at the same time: neither is let in any more.
struct QuarantineServer { CAIP_ACTION("server.quarantine", system, destructive); ServerId server; };

// What it is for. That it is no production server (any more) asks for a step-up; the room of servers asks for more where it was one.
struct SetEnvironment { CAIP_ACTION_STEP_UP("server.set_environment", server_classify, caution, by_operands); ServerId server; Environment environment; };
// Of the machine that was started together with the control plane, said by whoever started both.
struct OfferEnvironment { CAIP_ACTION("server.offer_environment", system, caution); ServerId server; Environment environment; };

// What a helper can do on a server: fixed verbs, typed operands. There is no command line.
// What is done to units: kNeeds and kImpact are the least; needs_of() and impact_of() look at the unit.
struct StartUnit { CAIP_ACTION_STEP_UP("unit.start", unit_start, caution, by_operands); static constexpr UnitVerb kVerb = UnitVerb::start; ServerId server; ControlUnit unit; };
struct StopUnit { CAIP_ACTION_STEP_UP("unit.stop", unit_stop, caution, by_operands); static constexpr UnitVerb kVerb = UnitVerb::stop; ServerId server; ControlUnit unit; };
struct RestartUnit { CAIP_ACTION_STEP_UP("unit.restart", unit_restart, caution, by_operands); static constexpr UnitVerb kVerb = UnitVerb::restart; ServerId server; ControlUnit unit; };
struct ReloadUnit { CAIP_ACTION_STEP_UP("unit.reload", unit_reload, caution, by_operands); static constexpr UnitVerb kVerb = UnitVerb::reload; ServerId server; ControlUnit unit; };
struct EnableUnit { CAIP_ACTION_STEP_UP("unit.enable", unit_enable, caution, by_operands); static constexpr UnitVerb kVerb = UnitVerb::enable; ServerId server; ControlUnit unit; };
struct DisableUnit { CAIP_ACTION_STEP_UP("unit.disable", unit_disable, caution, by_operands); static constexpr UnitVerb kVerb = UnitVerb::disable; ServerId server; ControlUnit unit; };
struct UnitStatus { CAIP_ACTION("unit.status", unit_view, safe); ServerId server; UnitName unit; };
struct ReadJournal { CAIP_ACTION("journal.read", journal_read, safe); ServerId server; UnitName unit; std::int64_t lines; };  // 1..500
// What runs there, what it listens on and how full its disks are: names and numbers, never a command line, which may hold a password.
struct ListProcesses { CAIP_ACTION("process.list", machine_view, safe); ServerId server; };
struct ListSockets { CAIP_ACTION("socket.list", machine_view, safe); ServerId server; };
struct ListDisks { CAIP_ACTION("disk.list", machine_view, safe); ServerId server; };
struct RebootServer { CAIP_ACTION_STEP_UP("server.reboot", server_reboot, destructive, always); ServerId server; };
// Env values for a user of the server, in a file of theirs: exactly these secrets, in these versions, and nothing that was
// there before. Names are no operand, for those who see orders but not secrets; an id bears one name for life.
struct PlaceEnv { CAIP_ACTION_STEP_UP("env.place", env_place, caution, always); ServerId server; UnixUser user; std::map<SecretId, std::int64_t> secrets; };
struct RemoveEnv { CAIP_ACTION_STEP_UP("env.remove", env_place, caution, always); ServerId server; UnixUser user; };
// Sites: each order says all that the site then is, and the helper makes the web server's configuration of it, tries it, and goes
// back to the one before where it does not hold. Deleting takes a site out of service and keeps it whole for so many hours; then
// the server removes it, by what this order said. The row here goes when that time has passed.
struct CreateSite { CAIP_ACTION("site.create", site_manage, caution); ServerId server; SiteId site; SiteName name; SiteSpec spec; };
struct ChangeSite { CAIP_ACTION("site.change", site_manage, caution); ServerId server; SiteId site; SiteSpec spec; };
struct DeleteSite { CAIP_ACTION_STEP_UP("site.delete", site_delete, destructive, always); ServerId server; SiteId site; std::int64_t hours; };
struct RestoreSite { CAIP_ACTION("site.restore", site_delete, caution); ServerId server; SiteId site; };
struct CheckSite { CAIP_ACTION("site.check", site_view, safe); ServerId server; SiteId site; };  // what the server has of it, and whether it answers
struct ForgetSite { CAIP_ACTION("site.forget", system, destructive); ServerId server; SiteId site; };
struct FinishOperation { CAIP_ACTION("operation.finish", agent, safe); OperationId operation; ServerId server; };

// --- the pilot and approvals ---------------------------------------------------------------
struct AskPilot { CAIP_ACTION("pilot.ask", pilot_use, safe); ConversationId conversation; MessageId message; };
// The mode of a conversation of one's own: with ask, what it waits for is denied.
struct SetPilotMode { CAIP_ACTION("pilot.set_mode", pilot_use, safe); ConversationId conversation; PilotMode mode; };
struct PilotReply { CAIP_ACTION("pilot.reply", pilot_use, safe); ConversationId conversation; MessageId message; };
// A model asked for a tool that does not exist ("approve", "run_command"): always refused, on the record.
struct UnknownTool { CAIP_ACTION("pilot.unknown_tool", pilot_use, safe); ConversationId conversation; Foreign tool; };
// A tool that a setting of the organisation keeps from its AI: always refused, on the record.
struct CallTool { CAIP_ACTION("pilot.call_tool", pilot_use, safe); ConversationId conversation; Foreign tool; };
// What the AI of an organisation may do at all. Taking away asks for no password: whoever sees it go wrong must not be slowed down.
struct StopAi { CAIP_ACTION("ai.stop", ai_stop, caution); };
struct StartAi { CAIP_ACTION_STEP_UP("ai.start", ai_control, caution, always); };
struct ForbidAiWrites { CAIP_ACTION("ai.forbid_writes", ai_control, caution); };
struct AllowAiWrites { CAIP_ACTION_STEP_UP("ai.allow_writes", ai_control, caution, always); };
// On one server. Shutting it out asks for no password either.
struct SetAiAccess { CAIP_ACTION_STEP_UP("ai.set_access", ai_control, caution, by_operands); ServerId server; AiAccess access; };
// Of the machine that was started together with the control plane, said by whoever started both.
struct OfferAiAccess { CAIP_ACTION("ai.offer_access", system, caution); ServerId server; AiAccess access; };
// Whether it may propose one kind of write, or a category of them, anywhere.
struct SetAiOperation { CAIP_ACTION_STEP_UP("ai.set_operation", ai_control, caution, by_operands); AiScope scope; bool on; };
// How far it goes: steps of an answer.
struct SetAiLimit { CAIP_ACTION_STEP_UP("ai.set_limit", ai_control, caution, always); AiLimit limit; std::int64_t value; };
// Who answers: the address, the model and whose key stand in the log's entry, the key never. A test sends the key there too.
struct SetAiProvider { CAIP_ACTION_STEP_UP("ai.set_provider", secret_ai, caution, always); AiVendor vendor; };
struct RemoveAiProvider { CAIP_ACTION_STEP_UP("ai.remove_provider", secret_ai, caution, always); };
struct TestAiProvider { CAIP_ACTION_STEP_UP("ai.test_provider", secret_ai, safe, always); AiVendor vendor; };
// Production Protection: off until then, on again before by whoever presses, and by itself when the time has come.
struct UnprotectProduction { CAIP_ACTION_STEP_UP("ai.unprotect_production", production_release, caution, always); Instant until; };
struct ProtectProduction { CAIP_ACTION("ai.protect_production", ai_control, safe); };
struct ProtectProductionOnTime { CAIP_ACTION("ai.protect_production_on_time", system, safe); };
// Whether a yes to what is proposed for a production server, or is destructive, needs another one: of a person who neither gave the first nor asked for it.
struct SetSecondPerson { CAIP_ACTION_STEP_UP("approval.set_second_person", production_release, caution, by_operands); bool required; };
struct ProposeAction { CAIP_ACTION("approval.propose", pilot_use, safe); ApprovalId approval; Digest digest; };
// Whether a yes asks for a step-up depends on what it is said to: the gate, which knows that, demands it.
struct Approve { CAIP_ACTION_STEP_UP("approval.approve", approval_decide, caution, by_operands); ApprovalId approval; Digest digest; };
struct Deny { CAIP_ACTION("approval.deny", approval_decide, safe); ApprovalId approval; Digest digest; };
struct ExpireApproval { CAIP_ACTION("approval.expire", system, safe); ApprovalId approval; };
struct LapseApproval { CAIP_ACTION("approval.lapse", system, safe); ApprovalId approval; UserId first; };  // a first yes whose giver may not any more: it counts for nothing
// Several proposals in an order. Each is an approval of its own; the digest covers those of all of them, in their order. A yes
// names the steps it is for, from 1; a no is one to the whole of what has not begun.
struct ProposePlan { CAIP_ACTION("plan.propose", pilot_use, safe); PlanId plan; Digest digest; };
struct ApprovePlan { CAIP_ACTION_STEP_UP("plan.approve", approval_decide, caution, by_operands); PlanId plan; Digest digest; std::vector<std::int64_t> steps; };
struct DenyPlan { CAIP_ACTION("plan.deny", approval_decide, safe); PlanId plan; Digest digest; };
struct HoldStep { CAIP_ACTION("plan.hold", system, safe); PlanId plan; ApprovalId approval; };  // a step before it did not go as planned
struct FailOperation { CAIP_ACTION("operation.fail", system, safe); OperationId operation; };  // time-out, recovery
struct ForgetResults { CAIP_ACTION("operation.forget", system, safe); std::int64_t count; };    // what reads brought back, a day later

// --- secrets and keys: a value is never an operand -----------------------------------------
// The first three: kNeeds is that of an env value; needs_of() looks at the kind.
struct CreateSecret { CAIP_ACTION_STEP_UP("secret.create", secret_env, caution, always); SecretId secret; SecretKind kind; SecretName name; };
struct ReplaceSecret { CAIP_ACTION_STEP_UP("secret.replace", secret_env, caution, always); SecretId secret; SecretKind kind; SecretName name; };
struct DeleteSecret { CAIP_ACTION_STEP_UP("secret.delete", secret_env, destructive, always); SecretId secret; SecretKind kind; SecretName name; };
// One entry for all secrets that one action needs (1..256), before the first of them is opened.
struct UseSecrets { CAIP_ACTION("secret.use", secret_use, safe); SecretUse use; std::vector<SecretId> secrets; std::string action; std::string subject; };
// The same for what an order places, each time that it is sent: whose it is stands in the order's own entry.
struct SendEnv { CAIP_ACTION("env.send", system, safe); OperationId operation; ServerId server; std::vector<SecretId> secrets; };
struct RotateKey { CAIP_ACTION_STEP_UP("key.rotate", key_rotate, caution, always); KeyClass key; };
struct RotateKeyOnSchedule { CAIP_ACTION("key.rotate_on_schedule", system, caution); KeyClass key; };
struct RewrapSecrets { CAIP_ACTION("key.rewrap", system, safe); std::int64_t generation; std::int64_t count; };  // one step
struct DestroyKey { CAIP_ACTION("key.destroy", system, caution); KeyClass key; std::int64_t generation; std::int64_t left; };  // left: what was under it still: 0, or servers that were waited for long enough
// --- notifications: a credential is never an operand; it is a secret of kind notification ------
struct CreateChannel { CAIP_ACTION("notification.create_channel", notification_manage, caution); NotifyChannelId channel; ChannelKind kind; ChannelName name; };
struct ChangeChannel { CAIP_ACTION("notification.change_channel", notification_manage, caution); NotifyChannelId channel; };
struct ReplaceCredential { CAIP_ACTION("notification.replace_credential", notification_manage, caution); NotifyChannelId channel; SecretId secret; };
struct DeleteChannel { CAIP_ACTION("notification.delete_channel", notification_manage, caution); NotifyChannelId channel; };
struct VerifyChannel { CAIP_ACTION("notification.verify_channel", notification_manage, safe); NotifyChannelId channel; };
struct TestChannel { CAIP_ACTION("notification.test", notification_manage, safe); NotifyChannelId channel; DeliveryId delivery; };
struct RetryDelivery { CAIP_ACTION("notification.retry", notification_manage, safe); DeliveryId delivery; };
struct ReadNotices { CAIP_ACTION("notification.read", own_session, safe); NoticeId notice; };  // up to and with it
// Before a credential is opened, and before the message leaves: one attempt.
struct SendNotification { CAIP_ACTION("notification.send", system, safe); DeliveryId delivery; NotifyChannelId channel; std::vector<SecretId> secrets; };
struct RecordDelivery { CAIP_ACTION("notification.record", system, safe); DeliveryId delivery; DeliveryState state; };
struct ForgetNotices { CAIP_ACTION("notification.forget", system, safe); std::int64_t count; };  // three months later
// --- the control plane: that it runs, and that it was told to stop -----------------------------
struct StartSystem { CAIP_ACTION("system.start", system, safe); };
struct StopSystem { CAIP_ACTION("system.stop", system, safe); };
// --- the log itself ------------------------------------------------------------------------
struct ReadLog { CAIP_ACTION("log.read", audit_view, safe); };  // once a session and quarter of an hour
struct ExportLog { CAIP_ACTION("log.export", audit_export, safe); std::int64_t size; };  // of the log it was taken from
// A server's agent says that what it was shown contradicts what it had seen.
struct ContradictLog { CAIP_ACTION("log.contradict", agent, caution); ServerId server; std::int64_t size; };

#undef CAIP_ACTION
#undef CAIP_ACTION_STEP_UP

inline constexpr std::size_t kMostPlaced = 64;  // secrets in one PlaceEnv

template <class... A> struct TypeList { using Variant = std::variant<A...>; };
using AllActions = TypeList<CreateOwner, SignIn, RefreshSession, SignOut, SignInWith, HandOverSession, SignInBySession, LinkIdentity, UnlinkIdentity,
                            ProveFactor, AddFactor, RenameFactor, RemoveFactor, ResetFactors, ResetFactorsLocally, RenewRecoveryCodes, StepUpSession, EndSession, EndOtherSessions, DisownSession, ForgetDevice,
                            ChangePassword, RequestPasswordReset, ResetPassword, RequestVerification, ChangeEmail, ConfirmEmail, ConfirmNewEmail, DisownSignIn,
                            SendMail, RecordMail, SetSessionLimits, CreateOrganization, SwitchOrganization, RenameOrganization, DeleteOrganization, RestoreOrganization, ShredOrganization,
                            TransferOwnership, AddMember, ChangeRole, RemoveMember, DisableMember, EnableMember, LeaveOrganization, CreateInvitation, ResendInvitation,
                            RevokeInvitation, AcceptInvitation, JoinOrganization, CreateToken, UseToken, RevokeToken,
                            RevokeAnyToken, CreateEnrolment, RevokeEnrolment, OfferEnrolment,
                            EnrolServer, MissServer, MeetServer, DisconnectServer, RestoreServer, ForgetServer, SetEnvironment, OfferEnvironment,
                            RenewCertificate, AdoptKey, ConnectAgent, RotateServerKey, RevokeServerKey, CheckChannel, QuarantineServer,
                            StartUnit, StopUnit, RestartUnit, ReloadUnit, EnableUnit, DisableUnit, UnitStatus, ReadJournal, ListProcesses, ListSockets, ListDisks, RebootServer, PlaceEnv, RemoveEnv, CreateSite, ChangeSite, DeleteSite, RestoreSite, CheckSite, ForgetSite, FinishOperation,
                            AskPilot, SetPilotMode, PilotReply, UnknownTool, CallTool, StopAi, StartAi, ForbidAiWrites, AllowAiWrites, SetAiAccess, OfferAiAccess, SetAiOperation, SetAiLimit, SetAiProvider, RemoveAiProvider, TestAiProvider, UnprotectProduction, ProtectProduction, ProtectProductionOnTime, SetSecondPerson, ProposeAction, Approve, Deny, ExpireApproval, LapseApproval, ProposePlan, ApprovePlan, DenyPlan, HoldStep, FailOperation,
                            CreateSecret, ReplaceSecret, DeleteSecret, UseSecrets, SendEnv, RotateKey, RotateKeyOnSchedule, RewrapSecrets,
                            DestroyKey, CreateChannel, ChangeChannel, ReplaceCredential, DeleteChannel, VerifyChannel, TestChannel,
                            RetryDelivery, ReadNotices, SendNotification, RecordDelivery, ForgetNotices, StartSystem, StopSystem,
                            ReadLog, ExportLog, ContradictLog, ForgetResults>;
// What an order can carry to a server, and what of it an AI may propose.
using ServerAction = std::variant<StartUnit, StopUnit, RestartUnit, ReloadUnit, EnableUnit, DisableUnit, UnitStatus, ReadJournal, ListProcesses, ListSockets, ListDisks, RebootServer, PlaceEnv, RemoveEnv, CreateSite, ChangeSite, DeleteSite, RestoreSite, CheckSite>;

template <class A, class List> struct Contains;
template <class A, class... B> struct Contains<A, TypeList<B...>> : std::bool_constant<(std::is_same_v<A, B> || ...)> {};

template <class A>
concept Action = Contains<A, AllActions>::value && std::movable<A>;

// Any of them. A class of its own, so that what copies, moves and destroys a variant of so many is compiled once, and
// what makes one from an action does not look at all the others.
class AnyAction : public AllActions::Variant {
 public:
  template <Action A> AnyAction(A action) : Variant(std::in_place_type<A>, std::move(action)) {}  // NOLINT(google-explicit-constructor): each is one
  AnyAction(const AnyAction&);
  AnyAction(AnyAction&&) noexcept;
  AnyAction& operator=(const AnyAction&);
  AnyAction& operator=(AnyAction&&) noexcept;
  ~AnyAction();

 private:
  using Variant = AllActions::Variant;
};

// The operands as JSON members (ids and names as text, digests as hex). Never a secret.
json::object params(const AnyAction&);
std::string_view name_of(const AnyAction&);
// Of this action on these operands, never less than its kind's: stopping sshd is not stopping nginx.
Permission needs_of(const AnyAction&);
Impact impact_of(const AnyAction&);
bool needs_step_up(const AnyAction&);
// The server an action is about, if any.
const ServerId* target_server(const AnyAction&);
const ServerId* target_server(const AnyAction&&) = delete;  // the answer points into the action

// A server action's canonical bytes (RFC 8785): {"action":"unit.restart","server":"srv_…","unit":
// "nginx.service","v":1}. These bytes are shown, hashed, approved, signed, sent, checked and run.
// decode() refuses anything that is not exactly what encode() would write.
std::string encode(const ServerAction&);
Result<ServerAction> decode(std::string_view canonical_bytes);
AnyAction widen(const ServerAction&);
bool writes(const ServerAction&) noexcept;  // all that is not safe
std::string subject_of(const ServerAction&);  // the unit, the user, or the site

}  // namespace caip
