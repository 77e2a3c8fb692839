#include "model/actions.h"

namespace caip {
namespace {

// One overload per set of operands; an action without one does not compile in params().
template <class A> concept OfSecret = requires(const A& a) { a.secret; a.kind; a.name; };
template <class A> concept OfUnit = requires(const A& a) { a.server; a.unit; };
template <class A> concept ControlsUnit = OfUnit<A> && requires { A::kVerb; };

json::object members(const CreateOwner& a) { return {{"user", a.user.str()}, {"organization", a.org.str()}, {"email", a.email.str()}, {"name", a.org_name.str()}}; }
json::object members(const SignIn& a) { return {{"email", a.email.str()}}; }
json::object members(const RefreshSession& a) { return {{"session", a.session.str()}}; }
json::object members(const SignOut& a) { return {{"session", a.session.str()}}; }
json::object members(const SignInWith& a) { return {{"provider", a.provider}, {"subject", a.subject.shown()}}; }
json::object members(const LinkIdentity& a) { return {{"identity", a.identity.str()}, {"provider", a.provider}}; }
json::object members(const UnlinkIdentity& a) { return {{"identity", a.identity.str()}}; }
json::object members(const ProveFactor& a) { return {{"user", a.user.str()}}; }
json::object members(const AddFactor& a) { return {{"factor", a.factor.str()}, {"kind", text(a.kind)}}; }
json::object members(const RenameFactor& a) { return {{"factor", a.factor.str()}}; }
json::object members(const RemoveFactor& a) { return {{"factor", a.factor.str()}}; }
json::object members(const ResetFactors& a) { return {{"user", a.user.str()}}; }
json::object members(const ResetFactorsLocally& a) { return {{"user", a.user.str()}}; }
json::object members(const RenewRecoveryCodes&) { return {}; }
json::object members(const HandOverSession& a) { return {{"session", a.session.str()}}; }
json::object members(const SignInBySession& a) { return {{"session", a.session.str()}}; }
json::object members(const StepUpSession& a) { return {{"session", a.session.str()}}; }
json::object members(const EndSession& a) { return {{"session", a.session.str()}}; }
json::object members(const ForgetDevice& a) { return {{"device", a.device.str()}}; }
json::object members(const EndOtherSessions& a) { return {{"session", a.session.str()}}; }
json::object members(const DisownSession& a) { return {{"session", a.session.str()}}; }
json::object members(const ChangePassword& a) { return {{"user", a.user.str()}}; }
json::object members(const RequestPasswordReset& a) { return {{"email", a.email.str()}}; }
json::object members(const ResetPassword& a) { return {{"user", a.user.str()}}; }
json::object members(const RequestVerification& a) { return {{"user", a.user.str()}}; }
json::object members(const ChangeEmail& a) { return {{"user", a.user.str()}, {"email", a.email.str()}}; }
json::object members(const ConfirmEmail& a) { return {{"user", a.user.str()}, {"email", a.email.str()}}; }
json::object members(const ConfirmNewEmail& a) { return {{"user", a.user.str()}, {"email", a.email.str()}}; }
json::object members(const DisownSignIn& a) { return {{"user", a.user.str()}, {"session", a.session.str()}}; }
json::object members(const SendMail& a) { return {{"delivery", a.delivery.str()}, {"kind", text(a.kind)}}; }
json::object members(const RecordMail& a) { return {{"delivery", a.delivery.str()}, {"state", text(a.state)}}; }
json::object members(const SetSessionLimits& a) { return {{"idle_minutes", a.idle_minutes}, {"lifetime_minutes", a.lifetime_minutes}}; }
json::object members(const CreateOrganization& a) { return {{"organization", a.organization.str()}, {"name", a.name.str()}}; }
json::object members(const SwitchOrganization& a) { return {{"session", a.session.str()}, {"organization", a.organization.str()}}; }
json::object members(const RenameOrganization& a) { return {{"name", a.name.str()}}; }
json::object members(const DeleteOrganization& a) { return {{"organization", a.organization.str()}}; }
json::object members(const RestoreOrganization& a) { return {{"organization", a.organization.str()}}; }
json::object members(const ShredOrganization& a) { return {{"organization", a.organization.str()}}; }
json::object members(const TransferOwnership& a) { return {{"user", a.user.str()}}; }
json::object members(const RemoveMember& a) { return {{"user", a.user.str()}}; }
json::object members(const DisableMember& a) { return {{"user", a.user.str()}}; }
json::object members(const EnableMember& a) { return {{"user", a.user.str()}}; }
json::object members(const LeaveOrganization& a) { return {{"user", a.user.str()}}; }
json::object members(const CreateInvitation& a) { return {{"invitation", a.invitation.str()}, {"email", a.email.str()}, {"role", text(a.role)}}; }
json::object members(const ResendInvitation& a) { return {{"invitation", a.invitation.str()}}; }
json::object members(const RevokeInvitation& a) { return {{"invitation", a.invitation.str()}}; }
json::object members(const AcceptInvitation& a) { return {{"invitation", a.invitation.str()}, {"user", a.user.str()}}; }
json::object members(const JoinOrganization& a) { return {{"invitation", a.invitation.str()}}; }
json::object members(const CreateToken& a) {
  json::array scopes;
  for (const auto& row : permission_table())
    if (a.scopes.has(row.permission)) scopes.emplace_back(row.name);
  return {{"token", a.token.str()}, {"name", a.name.str()}, {"scopes", scopes}, {"expires", a.expires.str()}};
}
json::object members(const UseToken& a) { return {{"token", a.token.str()}}; }
json::object members(const RevokeToken& a) { return {{"token", a.token.str()}}; }
json::object members(const RevokeAnyToken& a) { return {{"token", a.token.str()}}; }
json::object members(const AddMember& a) { return {{"user", a.user.str()}, {"email", a.email.str()}, {"role", text(a.role)}}; }
json::object members(const ChangeRole& a) { return {{"user", a.user.str()}, {"role", text(a.role)}}; }
json::object members(const CreateEnrolment& a) { return {{"enrolment", a.enrolment.str()}, {"name", a.name.str()}}; }
json::object members(const RevokeEnrolment& a) { return {{"enrolment", a.enrolment.str()}}; }
json::object members(const OfferEnrolment& a) { return {{"enrolment", a.enrolment.str()}, {"name", a.name.str()}}; }
json::object members(const EnrolServer& a) { return {{"enrolment", a.enrolment.str()}, {"server", a.server.str()}}; }
json::object members(const MissServer& a) { return {{"server", a.server.str()}}; }
json::object members(const MeetServer& a) { return {{"server", a.server.str()}}; }
json::object members(const DisconnectServer& a) { return {{"server", a.server.str()}}; }
json::object members(const RestoreServer& a) { return {{"server", a.server.str()}}; }
json::object members(const ForgetServer& a) { return {{"server", a.server.str()}}; }
json::object members(const SetEnvironment& a) { return {{"server", a.server.str()}, {"environment", text(a.environment)}}; }
json::object members(const OfferEnvironment& a) { return {{"server", a.server.str()}, {"environment", text(a.environment)}}; }
json::object members(const RenewCertificate& a) { return {{"server", a.server.str()}, {"key", hex(a.key)}}; }
json::object members(const AdoptKey& a) { return {{"server", a.server.str()}, {"key", hex(a.key)}}; }
json::object members(const ConnectAgent& a) { return {{"server", a.server.str()}, {"key", hex(a.key)}}; }
json::object members(const RotateServerKey& a) { return {{"server", a.server.str()}}; }
json::object members(const RevokeServerKey& a) { return {{"server", a.server.str()}}; }
json::object members(const CheckChannel& a) { return {{"server", a.server.str()}}; }
json::object members(const QuarantineServer& a) { return {{"server", a.server.str()}}; }
json::object members(const PlaceEnv& a) {
  json::object secrets;
  for (const auto& [id, version] : a.secrets) secrets[id.str()] = version;
  return {{"server", a.server.str()}, {"user", a.user.str()}, {"secrets", secrets}};
}
json::object members(const RemoveEnv& a) { return {{"server", a.server.str()}, {"user", a.user.str()}}; }
json::object members(const ListProcesses& a) { return {{"server", a.server.str()}}; }
json::object members(const ListSockets& a) { return {{"server", a.server.str()}}; }
json::object members(const ListDisks& a) { return {{"server", a.server.str()}}; }
json::object members(const RebootServer& a) { return {{"server", a.server.str()}}; }
template <class A>
json::object site_members(const A& a) {
  json::object out{{"server", a.server.str()}, {"site", a.site.str()}};
  if constexpr (requires { a.name; }) out["name"] = a.name.str();
  if constexpr (requires { a.hours; }) out["hours"] = a.hours;
  if constexpr (requires { a.spec; }) a.spec.write(out);
  return out;
}
json::object members(const CreateSite& a) { return site_members(a); }
json::object members(const ChangeSite& a) { return site_members(a); }
json::object members(const DeleteSite& a) { return site_members(a); }
json::object members(const RestoreSite& a) { return site_members(a); }
json::object members(const CheckSite& a) { return site_members(a); }
json::object members(const ForgetSite& a) { return site_members(a); }
json::object members(const FinishOperation& a) { return {{"operation", a.operation.str()}, {"server", a.server.str()}}; }
json::object members(const AskPilot& a) { return {{"conversation", a.conversation.str()}, {"message", a.message.str()}}; }
json::object members(const SetPilotMode& a) { return {{"conversation", a.conversation.str()}, {"mode", text(a.mode)}}; }
json::object members(const PilotReply& a) { return {{"conversation", a.conversation.str()}, {"message", a.message.str()}}; }
json::object members(const UnknownTool& a) { return {{"conversation", a.conversation.str()}, {"tool", a.tool.shown()}}; }
json::object members(const CallTool& a) { return {{"conversation", a.conversation.str()}, {"tool", a.tool.shown()}}; }
json::object members(const StopAi&) { return {}; }
json::object members(const StartAi&) { return {}; }
json::object members(const ForbidAiWrites&) { return {}; }
json::object members(const AllowAiWrites&) { return {}; }
json::object members(const SetAiAccess& a) { return {{"server", a.server.str()}, {"access", text(a.access)}}; }
json::object members(const OfferAiAccess& a) { return {{"server", a.server.str()}, {"access", text(a.access)}}; }
json::object members(const SetAiOperation& a) { return {{"operation", a.scope.str()}, {"on", a.on}}; }
json::object members(const SetAiLimit& a) { return {{"limit", a.limit.str()}, {"value", a.value}}; }
json::object members(const SetAiProvider& a) { return {{"provider", text(a.vendor)}}; }
json::object members(const RemoveAiProvider&) { return {}; }
json::object members(const TestAiProvider& a) { return {{"provider", text(a.vendor)}}; }
json::object members(const UnprotectProduction& a) { return {{"until", a.until.str()}}; }
json::object members(const ProtectProduction&) { return {}; }
json::object members(const ProtectProductionOnTime&) { return {}; }
json::object members(const SetSecondPerson& a) { return {{"required", a.required}}; }
json::object members(const ProposeAction& a) { return {{"approval", a.approval.str()}, {"digest", hex(a.digest)}}; }
json::object members(const Approve& a) { return {{"approval", a.approval.str()}, {"digest", hex(a.digest)}}; }
json::object members(const Deny& a) { return {{"approval", a.approval.str()}, {"digest", hex(a.digest)}}; }
json::object members(const ExpireApproval& a) { return {{"approval", a.approval.str()}}; }
json::object members(const LapseApproval& a) { return {{"approval", a.approval.str()}, {"first", a.first.str()}}; }
json::object members(const FailOperation& a) { return {{"operation", a.operation.str()}}; }
json::object members(const ReadLog&) { return {}; }
json::object members(const ExportLog& a) { return {{"size", a.size}}; }
json::object members(const ContradictLog& a) { return {{"server", a.server.str()}, {"size", a.size}}; }

json::object members(const ProposePlan& a) { return {{"plan", a.plan.str()}, {"digest", hex(a.digest)}}; }
json::object members(const ApprovePlan& a) { return {{"plan", a.plan.str()}, {"digest", hex(a.digest)}, {"steps", json::array(a.steps.begin(), a.steps.end())}}; }
json::object members(const DenyPlan& a) { return {{"plan", a.plan.str()}, {"digest", hex(a.digest)}}; }
json::object members(const HoldStep& a) { return {{"plan", a.plan.str()}, {"approval", a.approval.str()}}; }

json::array ids_of(const std::vector<SecretId>& secrets) {
  json::array ids;
  for (const auto& id : secrets) ids.emplace_back(id.str());
  return ids;
}
json::object members(const UseSecrets& a) { return {{"use", text(a.use)}, {"secrets", ids_of(a.secrets)}, {"action", a.action}, {"subject", a.subject}}; }
json::object members(const SendEnv& a) { return {{"operation", a.operation.str()}, {"server", a.server.str()}, {"secrets", ids_of(a.secrets)}}; }
json::object members(const StartSystem&) { return {}; }
json::object members(const StopSystem&) { return {}; }
json::object members(const RotateKey& a) { return {{"key", text(a.key)}}; }
json::object members(const RotateKeyOnSchedule& a) { return {{"key", text(a.key)}}; }
json::object members(const RewrapSecrets& a) { return {{"generation", a.generation}, {"count", a.count}}; }
json::object members(const DestroyKey& a) { return {{"key", text(a.key)}, {"generation", a.generation}, {"left", a.left}}; }
template <OfSecret A>
json::object members(const A& a) { return {{"secret", a.secret.str()}, {"kind", text(a.kind)}, {"name", a.name.str()}}; }
json::object members(const CreateChannel& a) { return {{"channel", a.channel.str()}, {"kind", text(a.kind)}, {"name", a.name.str()}}; }
json::object members(const ChangeChannel& a) { return {{"channel", a.channel.str()}}; }
json::object members(const ReplaceCredential& a) { return {{"channel", a.channel.str()}, {"secret", a.secret.str()}}; }
json::object members(const DeleteChannel& a) { return {{"channel", a.channel.str()}}; }
json::object members(const VerifyChannel& a) { return {{"channel", a.channel.str()}}; }
json::object members(const TestChannel& a) { return {{"channel", a.channel.str()}, {"delivery", a.delivery.str()}}; }
json::object members(const RetryDelivery& a) { return {{"delivery", a.delivery.str()}}; }
json::object members(const ReadNotices& a) { return {{"notice", a.notice.str()}}; }
json::object members(const SendNotification& a) { return {{"delivery", a.delivery.str()}, {"channel", a.channel.str()}, {"secrets", ids_of(a.secrets)}}; }
json::object members(const RecordDelivery& a) { return {{"delivery", a.delivery.str()}, {"state", text(a.state)}}; }
json::object members(const ForgetNotices& a) { return {{"count", a.count}}; }
json::object members(const ForgetResults& a) { return {{"count", a.count}}; }

template <OfUnit A>
json::object members(const A& a) {
  json::object out{{"server", a.server.str()}, {"unit", a.unit.str()}};
  if constexpr (requires { a.lines; }) out["lines"] = a.lines;
  return out;
}

constexpr std::int64_t kMaxLines = 500;

template <class A>
Result<ServerAction> read_unit_action(Members& m) {
  CAIP_TRY(server_text, m.string("server", 64));
  CAIP_TRY(unit_text, m.string("unit", 255));
  CAIP_TRY(server, ServerId::parse(server_text));
  CAIP_TRY(unit, UnitName::parse(unit_text));
  if constexpr (std::is_same_v<A, ReadJournal>) {
    CAIP_TRY(lines, m.integer("lines", 1, kMaxLines));
    return ServerAction{ReadJournal{server, unit, lines}};
  } else if constexpr (ControlsUnit<A>) {
    CAIP_TRY(controlled, ControlUnit::of(unit));
    return ServerAction{A{server, controlled}};
  } else {
    return ServerAction{A{server, unit}};
  }
}

Result<ServerAction> read_place_env(ServerId server, UnixUser user, Members& m) {
  CAIP_TRY(given, m.object("secrets"));
  if (given.empty() || given.size() > kMostPlaced) return fail(Code::invalid, "1 to 64 secrets are placed at once");
  PlaceEnv action{server, std::move(user), {}};
  for (const auto& [key, value] : given) {
    CAIP_TRY(id, SecretId::parse(key));
    if (!value.is_int64() || value.get_int64() < 1) return fail(Code::invalid, "a secret's version is a number from 1 on");
    action.secrets.emplace(id, value.get_int64());
  }
  return action;
}

template <class A>
Result<ServerAction> read_env_action(Members& m) {
  CAIP_TRY(server_text, m.string("server", 64));
  CAIP_TRY(user_text, m.string("user", 32));
  CAIP_TRY(server, ServerId::parse(server_text));
  CAIP_TRY(user, UnixUser::parse(user_text));
  if constexpr (std::is_same_v<A, PlaceEnv>) return read_place_env(server, std::move(user), m);
  else return ServerAction{A{server, std::move(user)}};
}

template <class A>
Result<ServerAction> read_machine_action(Members& m) {
  CAIP_TRY(server_text, m.string("server", 64));
  CAIP_TRY(server, ServerId::parse(server_text));
  return ServerAction{A{server}};
}

template <class A>
Result<ServerAction> read_site_action(Members& m) {
  CAIP_TRY(server_text, m.string("server", 64));
  CAIP_TRY(site_text, m.string("site", 64));
  CAIP_TRY(server, ServerId::parse(server_text));
  CAIP_TRY(site, SiteId::parse(site_text));
  if constexpr (std::is_same_v<A, CreateSite>) {
    CAIP_TRY(name_text, m.string("name", 63));
    CAIP_TRY(name, SiteName::parse(name_text));
    CAIP_TRY(spec, SiteSpec::read(m));
    return ServerAction{CreateSite{server, site, std::move(name), std::move(spec)}};
  } else if constexpr (std::is_same_v<A, ChangeSite>) {
    CAIP_TRY(spec, SiteSpec::read(m));
    return ServerAction{ChangeSite{server, site, std::move(spec)}};
  } else if constexpr (std::is_same_v<A, DeleteSite>) {
    CAIP_TRY(hours, m.integer("hours", kLeastGraceHours, kMostGraceHours));
    return ServerAction{DeleteSite{server, site, hours}};
  } else {
    return ServerAction{A{server, site}};
  }
}

Result<ServerAction> read_action(std::string_view name, Members& m) {
  if (name == StartUnit::kName) return read_unit_action<StartUnit>(m);
  if (name == StopUnit::kName) return read_unit_action<StopUnit>(m);
  if (name == RestartUnit::kName) return read_unit_action<RestartUnit>(m);
  if (name == ReloadUnit::kName) return read_unit_action<ReloadUnit>(m);
  if (name == EnableUnit::kName) return read_unit_action<EnableUnit>(m);
  if (name == DisableUnit::kName) return read_unit_action<DisableUnit>(m);
  if (name == UnitStatus::kName) return read_unit_action<UnitStatus>(m);
  if (name == ReadJournal::kName) return read_unit_action<ReadJournal>(m);
  if (name == ListProcesses::kName) return read_machine_action<ListProcesses>(m);
  if (name == ListSockets::kName) return read_machine_action<ListSockets>(m);
  if (name == ListDisks::kName) return read_machine_action<ListDisks>(m);
  if (name == RebootServer::kName) return read_machine_action<RebootServer>(m);
  if (name == PlaceEnv::kName) return read_env_action<PlaceEnv>(m);
  if (name == RemoveEnv::kName) return read_env_action<RemoveEnv>(m);
  if (name == CreateSite::kName) return read_site_action<CreateSite>(m);
  if (name == ChangeSite::kName) return read_site_action<ChangeSite>(m);
  if (name == DeleteSite::kName) return read_site_action<DeleteSite>(m);
  if (name == RestoreSite::kName) return read_site_action<RestoreSite>(m);
  if (name == CheckSite::kName) return read_site_action<CheckSite>(m);
  return fail(Code::invalid, "no such action on a server");
}

}  // namespace

AnyAction::AnyAction(const AnyAction&) = default;
AnyAction::AnyAction(AnyAction&&) noexcept = default;
AnyAction& AnyAction::operator=(const AnyAction&) = default;
AnyAction& AnyAction::operator=(AnyAction&&) noexcept = default;
AnyAction::~AnyAction() = default;

json::object params(const AnyAction& action) {
  return std::visit([](const auto& a) { return members(a); }, action);
}
std::string_view name_of(const AnyAction& action) {
  return std::visit([](const auto& a) { return a.kName; }, action);
}

namespace {

// Env values belong to who configures sites; the provider's key is the Owner's (they pay for it).
Permission needs_of(SecretKind kind) {
  switch (kind) {
    case SecretKind::env_value: return Permission::secret_env;
    case SecretKind::cloud_key: return Permission::secret_cloud;
    case SecretKind::ssh_key: return Permission::secret_ssh;
    case SecretKind::notification: return Permission::secret_notification;
    case SecretKind::ai_provider: return Permission::secret_ai;
  }
  return Permission::system;  // nobody's
}

bool cuts_access(const AnyAction& action) {
  return std::visit(
      []<class A>(const A& a) {
        if constexpr (ControlsUnit<A>) return caip::cuts_access(A::kVerb, a.unit);
        else return false;
      },
      action);
}

}  // namespace

Permission needs_of(const AnyAction& action) {
  if (cuts_access(action)) return Permission::unit_control_access;
  return std::visit(
      []<class A>(const A& a) {
        if constexpr (OfSecret<A>) return needs_of(a.kind);
        else return A::kNeeds;
      },
      action);
}
Impact impact_of(const AnyAction& action) {
  if (cuts_access(action)) return Impact::destructive;
  return std::visit([](const auto& a) { return a.kImpact; }, action);
}

bool needs_step_up(const AnyAction& action) {
  if (const auto* a = std::get_if<SetAiAccess>(&action)) return a->access != AiAccess::none;
  if (const auto* a = std::get_if<SetAiOperation>(&action)) return a->on;
  if (const auto* a = std::get_if<SetEnvironment>(&action)) return !counts_as_production(a->environment);
  if (const auto* a = std::get_if<SetSecondPerson>(&action)) return !a->required;
  const auto need = std::visit([](const auto& a) { return a.kStepUp; }, action);
  if (need == StepUpNeed::by_operands) return impact_of(action) == Impact::destructive;
  return need == StepUpNeed::always;
}

const ServerId* target_server(const AnyAction& action) {
  return std::visit(
      [](const auto& a) -> const ServerId* {
        if constexpr (requires { a.server; }) return &a.server;
        else return nullptr;
      },
      action);
}

std::string encode(const ServerAction& action) {
  const AnyAction any = widen(action);
  json::object out = params(any);
  out["action"] = name_of(any);
  out["v"] = 1;
  return canonical(out);
}

Result<ServerAction> decode(std::string_view bytes) {
  CAIP_TRY(value, parse_canonical(bytes));
  if (!value.is_object()) return fail(Code::malformed, "an action is a JSON object");
  Members m(value.get_object());
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_TRY(name, m.string("action", 64));
  CAIP_TRY(action, read_action(name, m));
  CAIP_CHECKED(m.finish());
  if (encode(action) != bytes) return fail(Code::malformed, "not the canonical bytes of this action");
  return action;
}

AnyAction widen(const ServerAction& action) {
  return std::visit([](const auto& a) { return AnyAction{a}; }, action);
}

bool writes(const ServerAction& action) noexcept {
  return std::visit([](const auto& a) { return a.kImpact != Impact::safe; }, action);
}

std::string subject_of(const ServerAction& action) {
  return std::visit(
      [](const auto& a) -> std::string {
        if constexpr (requires { a.unit; }) return a.unit.str();
        else if constexpr (requires { a.user; }) return a.user.str();
        else if constexpr (requires { a.site; }) return a.site.str();
        else return "";  // the whole machine
      },
      action);
}

}  // namespace caip
