// web/api.h: all routes of the product, over the rooms that do the work.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "proofs/authorized.h"
#include "web/events.h"
#include "web/router.h"

namespace caip::auth {
class Accounts; class ApiTokens; class Endings; class Factors; class Identities; class Invitations; class Links; class Passkeys; class SessionStore; class StepUpVerifier; class Team;
struct Person; struct Tokens;
}  // namespace caip::auth
namespace caip::federation { class Providers; }
namespace caip::authorization { class Authorizer; }
namespace caip::audit { class Access; class Query; }
namespace caip::servers { class ServerService; class OrderService; class Witnesses; }
namespace caip::sites { class SiteService; }
namespace caip::approvals { class AiControls; class ApprovalGate; }
namespace caip::runner { class ApprovalRunner; }
namespace caip::notifications { class Channels; class Deliveries; class Inbox; }
namespace caip::vault { class SecretStore; class Rotation; }

namespace caip::web {

struct Authorities {
  std::string ca_pem;           // what browsers, the command line and install commands trust
  std::string ca_sha256;        // hex, of its DER
  std::string agent_ca_pem, agent_ca_sha256;  // of the agents' channel
};

struct Rooms {  // wired in main; all outlive the Api
  const Clock& clock;
  auth::Accounts& accounts;
  auth::Identities& identities;
  auth::Factors& factors;
  auth::Passkeys& passkeys;
  federation::Providers& providers;
  auth::SessionStore& sessions;
  const auth::StepUpVerifier& step_up;
  auth::Team& team;
  auth::Endings& endings;
  auth::Invitations& invitations;
  auth::ApiTokens& tokens;
  auth::Links& links;
  const authorization::Authorizer& authorizer;
  audit::Query& log;
  audit::Access& log_access;
  servers::Witnesses& witnesses;
  Events& events;
  servers::ServerService& servers;
  servers::OrderService& orders;
  sites::SiteService& sites;
  approvals::ApprovalGate& gate;
  approvals::AiControls& ai;
  runner::ApprovalRunner& approval_runner;
  vault::SecretStore& secrets;
  vault::Rotation& rotation;
  notifications::Channels& channels;
  notifications::Deliveries& deliveries;
  notifications::Inbox& inbox;
  std::function<Result<void>(const Denied&)> refuse;  // puts a refusal into the log
  std::function<void(const OrgId&)> owner_created;    // may be empty
  // Writes the AI provider's key to the socket of one turn's process, after an entry that says for
  // whom and for which conversation; empty: the key is in a file, or there is none.
  std::function<Result<void>(const Session&, const ConversationId&, int fd)> send_provider_key;
  // The same of a provider that an organisation chose: this secret of its, for this action about this.
  std::function<Result<void>(const Session&, const SecretId&, std::string_view action, const std::string& subject, int fd)> send_key;
  std::function<Authorities()> authorities;  // as they are now
  std::vector<std::string> install_folders;  // install.sh, caip-agent, caip-helper; the first that has it
  std::string public_url;       // https://host:port, what servers reach us by
  std::string browser_url;      // and what people do
  bool mail;                    // whether personal letters are sent
};

// The error a refused action is answered with; the refusal is logged first.
Error refused(const Rooms&, const Denied&);

// What an administrator pastes on a new server. The authority is fetched over an unproven
// connection and used only if its fingerprint is the one in the command.
std::string install_command(const std::string& url, const Authorities&, const std::string& token);

void add_session_routes(Router&, const Rooms&);
void add_step_up_routes(Router&, const Rooms&);
void add_sign_in_routes(Router&, const Rooms&);
void add_factor_routes(Router&, const Rooms&);
void add_passkey_routes(Router&, const Rooms&);
void add_hand_over_routes(Router&, const Rooms&);
void add_account_routes(Router&, const Rooms&);
void add_link_routes(Router&, const Rooms&);
void add_history_routes(Router&, const Rooms&);
void add_member_routes(Router&, const Rooms&);
void add_organization_routes(Router&, const Rooms&);
void add_ending_routes(Router&, const Rooms&);
void add_invitation_routes(Router&, const Rooms&);
void add_token_routes(Router&, const Rooms&);
void add_role_routes(Router&, const Rooms&);
void add_audit_routes(Router&, const Rooms&);
void add_server_routes(Router&, const Rooms&);
void add_site_routes(Router&, const Rooms&);
void add_approval_routes(Router&, const Rooms&);
void add_plan_routes(Router&, const Rooms&);
void add_ai_routes(Router&, const Rooms&);
void add_secret_routes(Router&, const Rooms&);
void add_notification_routes(Router&, const Rooms&);
void add_system_routes(Router&, const Rooms&);  // health, OpenAPI, events, install files

class PilotDesk;
void add_routes(Router&, const Rooms&, PilotDesk&);  // all of them, the pilot's too

}  // namespace caip::web
