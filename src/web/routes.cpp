#include "web/api.h"
#include "web/pilot_desk.h"

namespace caip::web {

void add_routes(Router& router, const Rooms& rooms, PilotDesk& desk) {
  add_session_routes(router, rooms);
  add_step_up_routes(router, rooms);
  add_sign_in_routes(router, rooms);
  add_factor_routes(router, rooms);
  add_passkey_routes(router, rooms);
  add_hand_over_routes(router, rooms);
  add_account_routes(router, rooms);
  add_link_routes(router, rooms);
  add_history_routes(router, rooms);
  add_member_routes(router, rooms);
  add_organization_routes(router, rooms);
  add_ending_routes(router, rooms);
  add_invitation_routes(router, rooms);
  add_token_routes(router, rooms);
  add_role_routes(router, rooms);
  add_server_routes(router, rooms);
  add_site_routes(router, rooms);
  add_approval_routes(router, rooms);
  add_plan_routes(router, rooms);
  add_secret_routes(router, rooms);
  add_ai_routes(router, rooms);
  add_pilot_routes(router, rooms, desk);
  add_ai_provider_routes(router, rooms, desk);
  add_notification_routes(router, rooms);
  add_audit_routes(router, rooms);
  add_system_routes(router, rooms);
}

}  // namespace caip::web
