#include "authorization/authorizer.h"

#include "policy.h"

namespace caip::authorization {

template <Action A>
Decision<A> Authorizer::decide_for(Principal who, A action, Basis basis) const {
  AnyAction any(action);
  auto no = refusal(who, any, basis.warranted);
  if (!no && !basis.stepped_up && needs_step_up(any)) no = Refusal{Code::step_up_needed, "not proven anew within five minutes"};
  if (no) return std::unexpected(Denied{std::move(any), std::move(who), no->code, std::move(no->reason)});
  // Spelled out, not make_unique'd or forwarded: the badge is made here and nowhere else.
  return Authorized<A>(Badge<Authorizer>{}, std::move(action), std::move(who), basis.approver, clock_.now(), basis.stepped_up);
}

template <Action A>
  requires(for_sessions(A::kNeeds) && A::kStepUp == StepUpNeed::never)
Decision<A> Authorizer::authorize(const Session& session, A action) const {
  return decide_for(session.principal(), std::move(action), {});
}

template <Action A>
  requires(for_sessions(A::kNeeds) && A::kStepUp != StepUpNeed::never)
Decision<A> Authorizer::authorize(const Session& session, A action, StepUp&& given) const {
  const StepUp step_up = std::move(given);  // used up, whatever the answer
  const Principal& who = session.principal();
  const bool good = who.source == Source::user && who.session == step_up.session() && step_up.fresh(clock_.now());
  return decide_for(who, std::move(action), {.stepped_up = good});
}

template <Action A>
  requires(for_sessions(A::kNeeds) && A::kStepUp == StepUpNeed::by_operands)
Decision<A> Authorizer::authorize_without_step_up(const Session& session, A action) const {
  return decide_for(session.principal(), std::move(action), {});
}

template <Action A>
  requires(for_sessions(A::kNeeds) && A::kStepUp == StepUpNeed::always)
Denied Authorizer::refuse_without_step_up(const Session& session, A action) const {
  auto decision = decide_for(session.principal(), std::move(action), {});
  CAIP_ASSERT(!decision);
  return std::move(decision).error();
}

template <Action A>
  requires(A::kNeeds == Permission::agent)
Decision<A> Authorizer::authorize(const AgentIdentity& agent, A action, std::optional<OrgId> org) const {
  Principal who;
  who.source = Source::agent;
  who.server = agent.server();
  who.org = org;
  return decide_for(std::move(who), std::move(action), {});
}

template <Action A>
  requires(A::kNeeds == Permission::anonymous)
Decision<A> Authorizer::authorize_anonymous(Origin origin, A action, std::optional<OrgId> org) const {
  Principal who;
  who.source = Source::anonymous;
  who.origin = std::move(origin);
  who.org = org;
  return decide_for(std::move(who), std::move(action), {});
}

template <Action A>
  requires(A::kNeeds == Permission::system)
Decision<A> Authorizer::authorize_system(A action, std::optional<OrgId> org) const {
  Principal who;
  who.source = Source::system;
  who.org = org;
  return decide_for(std::move(who), std::move(action), {});
}

std::expected<WarrantedAction, Denied> Authorizer::authorize(Warrant&& given) const {
  const Warrant warrant = std::move(given);  // used up, whatever the answer
  const AnyAction action = widen(warrant.action());
  auto deny = [&](Code code, std::string reason) {
    return std::unexpected(Denied{action, warrant.requester(), code, std::move(reason)});
  };
  if (clock_.now() >= warrant.expires()) return deny(Code::expired, "the approval is too old");
  if (encode(warrant.action()) != warrant.bytes()) return deny(Code::digest_mismatch, "the bytes are not this action");

  return std::visit(
      [&]<class A>(const A& a) -> std::expected<WarrantedAction, Denied> {
        if constexpr (std::is_constructible_v<WarrantedAction, Authorized<A>>) {
          // The step-up was the approver's: the gate takes no yes to what needs one without it.
          auto decision = decide_for<A>(warrant.requester(), a, {.approver = warrant.approver(), .warranted = true, .stepped_up = true});
          if (!decision) return std::unexpected(std::move(decision).error());
          return WarrantedAction{*std::move(decision)};
        } else {
          return deny(Code::forbidden, "reading needs no approval");
        }
      },
      warrant.action());
}

Result<void> Authorizer::require_view(const Session& session, Permission permission) const {
  const auto* row = row_of(permission);
  if (row != nullptr && row->reads && holds(session.principal(), permission)) return {};
  return fail(Code::forbidden, "your role lacks " + std::string(text(permission)));
}

// One line per verb: a new one does not link until somebody edits this file.
#define FOR_SESSION(A) template Decision<A> Authorizer::authorize<A>(const Session&, A) const;
FOR_SESSION(RefreshSession)
FOR_SESSION(SignOut)
FOR_SESSION(StepUpSession)
FOR_SESSION(RequestVerification)
FOR_SESSION(EndSession)
FOR_SESSION(EndOtherSessions)
FOR_SESSION(ForgetDevice)
FOR_SESSION(CreateOrganization)
FOR_SESSION(SwitchOrganization)
FOR_SESSION(RevokeInvitation)
FOR_SESSION(RenameFactor)
FOR_SESSION(RestoreOrganization)
FOR_SESSION(RestoreServer)
FOR_SESSION(RotateServerKey)
FOR_SESSION(CheckChannel)
FOR_SESSION(RevokeEnrolment)
FOR_SESSION(JoinOrganization)
FOR_SESSION(ConfirmNewEmail)
FOR_SESSION(RevokeToken)
FOR_SESSION(RevokeAnyToken)
FOR_SESSION(CreateEnrolment)
FOR_SESSION(UnitStatus)
FOR_SESSION(ReadJournal)
FOR_SESSION(ListProcesses)
FOR_SESSION(ListSockets)
FOR_SESSION(ListDisks)
FOR_SESSION(CreateSite)
FOR_SESSION(ChangeSite)
FOR_SESSION(RestoreSite)
FOR_SESSION(CheckSite)
FOR_SESSION(AskPilot)
FOR_SESSION(SetPilotMode)
FOR_SESSION(PilotReply)
FOR_SESSION(UnknownTool)
FOR_SESSION(StopAi)
FOR_SESSION(ForbidAiWrites)
FOR_SESSION(ProtectProduction)
FOR_SESSION(ProposeAction)
FOR_SESSION(Deny)
FOR_SESSION(ProposePlan)
FOR_SESSION(DenyPlan)
FOR_SESSION(UseSecrets)
FOR_SESSION(CreateChannel)
FOR_SESSION(ChangeChannel)
FOR_SESSION(ReplaceCredential)
FOR_SESSION(DeleteChannel)
FOR_SESSION(VerifyChannel)
FOR_SESSION(TestChannel)
FOR_SESSION(RetryDelivery)
FOR_SESSION(ReadNotices)
FOR_SESSION(ReadLog)
FOR_SESSION(ExportLog)
#undef FOR_SESSION
#define WITH_STEP_UP(A)                                                                          \
  template Decision<A> Authorizer::authorize<A>(const Session&, A, StepUp&&) const;              \
  template Denied Authorizer::refuse_without_step_up<A>(const Session&, A) const;
WITH_STEP_UP(LinkIdentity)
WITH_STEP_UP(UnlinkIdentity)
WITH_STEP_UP(AddFactor)
WITH_STEP_UP(RemoveFactor)
WITH_STEP_UP(DisownSession)
WITH_STEP_UP(ResetFactors)
WITH_STEP_UP(RenewRecoveryCodes)
WITH_STEP_UP(ChangePassword)
WITH_STEP_UP(HandOverSession)
WITH_STEP_UP(ChangeEmail)
WITH_STEP_UP(SetSessionLimits)
WITH_STEP_UP(AddMember)
WITH_STEP_UP(ChangeRole)
WITH_STEP_UP(RemoveMember)
WITH_STEP_UP(DisableMember)
WITH_STEP_UP(EnableMember)
WITH_STEP_UP(LeaveOrganization)
WITH_STEP_UP(TransferOwnership)
WITH_STEP_UP(RenameOrganization)
WITH_STEP_UP(DeleteOrganization)
WITH_STEP_UP(DisconnectServer)
WITH_STEP_UP(RevokeServerKey)
WITH_STEP_UP(CreateInvitation)
WITH_STEP_UP(ResendInvitation)
WITH_STEP_UP(CreateToken)
WITH_STEP_UP(CreateSecret)
WITH_STEP_UP(ReplaceSecret)
WITH_STEP_UP(DeleteSecret)
WITH_STEP_UP(RotateKey)
WITH_STEP_UP(RebootServer)
WITH_STEP_UP(PlaceEnv)
WITH_STEP_UP(RemoveEnv)
WITH_STEP_UP(DeleteSite)
WITH_STEP_UP(StartAi)
WITH_STEP_UP(AllowAiWrites)
WITH_STEP_UP(SetAiLimit)
WITH_STEP_UP(SetAiProvider)
WITH_STEP_UP(RemoveAiProvider)
WITH_STEP_UP(TestAiProvider)
WITH_STEP_UP(UnprotectProduction)
#undef WITH_STEP_UP
#define STEP_UP_BY_OPERANDS(A)                                                                   \
  template Decision<A> Authorizer::authorize<A>(const Session&, A, StepUp&&) const;              \
  template Decision<A> Authorizer::authorize_without_step_up<A>(const Session&, A) const;
STEP_UP_BY_OPERANDS(StartUnit)
STEP_UP_BY_OPERANDS(StopUnit)
STEP_UP_BY_OPERANDS(RestartUnit)
STEP_UP_BY_OPERANDS(ReloadUnit)
STEP_UP_BY_OPERANDS(EnableUnit)
STEP_UP_BY_OPERANDS(DisableUnit)
STEP_UP_BY_OPERANDS(Approve)
STEP_UP_BY_OPERANDS(ApprovePlan)
STEP_UP_BY_OPERANDS(SetAiAccess)
STEP_UP_BY_OPERANDS(SetAiOperation)
STEP_UP_BY_OPERANDS(SetEnvironment)
STEP_UP_BY_OPERANDS(SetSecondPerson)
#undef STEP_UP_BY_OPERANDS
template Decision<FinishOperation> Authorizer::authorize<FinishOperation>(const AgentIdentity&, FinishOperation, std::optional<OrgId>) const;
template Decision<ContradictLog> Authorizer::authorize<ContradictLog>(const AgentIdentity&, ContradictLog, std::optional<OrgId>) const;
template Decision<RenewCertificate> Authorizer::authorize<RenewCertificate>(const AgentIdentity&, RenewCertificate, std::optional<OrgId>) const;
template Decision<AdoptKey> Authorizer::authorize<AdoptKey>(const AgentIdentity&, AdoptKey, std::optional<OrgId>) const;
template Decision<CreateOwner> Authorizer::authorize_anonymous<CreateOwner>(Origin, CreateOwner, std::optional<OrgId>) const;
template Decision<SignIn> Authorizer::authorize_anonymous<SignIn>(Origin, SignIn, std::optional<OrgId>) const;
template Decision<SignInWith> Authorizer::authorize_anonymous<SignInWith>(Origin, SignInWith, std::optional<OrgId>) const;
template Decision<SignInBySession> Authorizer::authorize_anonymous<SignInBySession>(Origin, SignInBySession, std::optional<OrgId>) const;
template Decision<ProveFactor> Authorizer::authorize_anonymous<ProveFactor>(Origin, ProveFactor, std::optional<OrgId>) const;
template Decision<RequestPasswordReset> Authorizer::authorize_anonymous<RequestPasswordReset>(Origin, RequestPasswordReset, std::optional<OrgId>) const;
template Decision<ResetPassword> Authorizer::authorize_anonymous<ResetPassword>(Origin, ResetPassword, std::optional<OrgId>) const;
template Decision<ConfirmEmail> Authorizer::authorize_anonymous<ConfirmEmail>(Origin, ConfirmEmail, std::optional<OrgId>) const;
template Decision<DisownSignIn> Authorizer::authorize_anonymous<DisownSignIn>(Origin, DisownSignIn, std::optional<OrgId>) const;
template Decision<UseToken> Authorizer::authorize_anonymous<UseToken>(Origin, UseToken, std::optional<OrgId>) const;
template Decision<AcceptInvitation> Authorizer::authorize_anonymous<AcceptInvitation>(Origin, AcceptInvitation, std::optional<OrgId>) const;
template Decision<EnrolServer> Authorizer::authorize_anonymous<EnrolServer>(Origin, EnrolServer, std::optional<OrgId>) const;
template Decision<ExpireApproval> Authorizer::authorize_system<ExpireApproval>(ExpireApproval, std::optional<OrgId>) const;
template Decision<LapseApproval> Authorizer::authorize_system<LapseApproval>(LapseApproval, std::optional<OrgId>) const;
template Decision<HoldStep> Authorizer::authorize_system<HoldStep>(HoldStep, std::optional<OrgId>) const;
template Decision<ShredOrganization> Authorizer::authorize_system<ShredOrganization>(ShredOrganization, std::optional<OrgId>) const;
template Decision<OfferEnrolment> Authorizer::authorize_system<OfferEnrolment>(OfferEnrolment, std::optional<OrgId>) const;
template Decision<RotateKeyOnSchedule> Authorizer::authorize_system<RotateKeyOnSchedule>(RotateKeyOnSchedule, std::optional<OrgId>) const;
template Decision<RewrapSecrets> Authorizer::authorize_system<RewrapSecrets>(RewrapSecrets, std::optional<OrgId>) const;
template Decision<DestroyKey> Authorizer::authorize_system<DestroyKey>(DestroyKey, std::optional<OrgId>) const;
template Decision<SendNotification> Authorizer::authorize_system<SendNotification>(SendNotification, std::optional<OrgId>) const;
template Decision<SendEnv> Authorizer::authorize_system<SendEnv>(SendEnv, std::optional<OrgId>) const;
template Decision<StartSystem> Authorizer::authorize_system<StartSystem>(StartSystem, std::optional<OrgId>) const;
template Decision<StopSystem> Authorizer::authorize_system<StopSystem>(StopSystem, std::optional<OrgId>) const;
template Decision<RecordDelivery> Authorizer::authorize_system<RecordDelivery>(RecordDelivery, std::optional<OrgId>) const;
template Decision<MissServer> Authorizer::authorize_system<MissServer>(MissServer, std::optional<OrgId>) const;
template Decision<MeetServer> Authorizer::authorize_system<MeetServer>(MeetServer, std::optional<OrgId>) const;
template Decision<ForgetServer> Authorizer::authorize_system<ForgetServer>(ForgetServer, std::optional<OrgId>) const;
template Decision<ForgetSite> Authorizer::authorize_system<ForgetSite>(ForgetSite, std::optional<OrgId>) const;
template Decision<QuarantineServer> Authorizer::authorize_system<QuarantineServer>(QuarantineServer, std::optional<OrgId>) const;
template Decision<SendMail> Authorizer::authorize_system<SendMail>(SendMail, std::optional<OrgId>) const;
template Decision<RecordMail> Authorizer::authorize_system<RecordMail>(RecordMail, std::optional<OrgId>) const;
template Decision<ForgetNotices> Authorizer::authorize_system<ForgetNotices>(ForgetNotices, std::optional<OrgId>) const;
template Decision<FailOperation> Authorizer::authorize_system<FailOperation>(FailOperation, std::optional<OrgId>) const;
template Decision<ResetFactorsLocally> Authorizer::authorize_system<ResetFactorsLocally>(ResetFactorsLocally, std::optional<OrgId>) const;
template Decision<OfferEnvironment> Authorizer::authorize_system<OfferEnvironment>(OfferEnvironment, std::optional<OrgId>) const;
template Decision<ProtectProductionOnTime> Authorizer::authorize_system<ProtectProductionOnTime>(ProtectProductionOnTime, std::optional<OrgId>) const;
template Decision<OfferAiAccess> Authorizer::authorize_system<OfferAiAccess>(OfferAiAccess, std::optional<OrgId>) const;
template Decision<ForgetResults> Authorizer::authorize_system<ForgetResults>(ForgetResults, std::optional<OrgId>) const;

}  // namespace caip::authorization
