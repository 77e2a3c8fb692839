// Who answers as the organisation's AI: its Owner chooses, tries it, and gives it a key that is a secret of theirs.
#include "approvals/ai_controls.h"
#include "auth/accounts.h"
#include "permits.h"
#include "pilot/client.h"
#include "vault/secret_store.h"
#include "web/pilot_desk.h"

namespace caip::web {
namespace {

using approvals::AiProvider;

json::object person(const Rooms& rooms, const OrgId& org, const UserId& user) {
  const auto who = rooms.accounts.member(org, user);  // may have left since
  return {{"user_id", user.str()}, {"email", who ? who->email.str() : ""}};
}

// A secret that was deleted since has no name: nothing is answered with it.
json::value key_json(const Rooms& rooms, const OrgId& org, const std::optional<SecretId>& id) {
  if (!id) return nullptr;
  const auto secret = rooms.secrets.get(org, *id);
  return json::object{{"secret_id", id->str()}, {"name", secret ? json::value(secret->name.str()) : json::value(nullptr)}};
}

json::array vendors() {
  json::array out;
  for (const AiVendor v : {AiVendor::anthropic, AiVendor::openai, AiVendor::gemini, AiVendor::ollama, AiVendor::openai_compatible})
    out.push_back(json::object{{"provider", text(v)}, {"base_url", pilot::default_base_url(v).empty() ? json::value(nullptr) : json::value(pilot::default_base_url(v))}});
  return out;
}

Reply shown(const Rooms& rooms, PilotDesk& desk, const OrgId& org) {
  CAIP_TRY(set, rooms.ai.provider(org));
  const auto about = desk.about(org);
  json::object out{{"chosen", nullptr}, {"label", about.label}, {"builtin", about.builtin}, {"vendors", vendors()}};
  if (set)
    out["chosen"] = json::object{{"provider", text(set->vendor)}, {"base_url", set->base_url}, {"model", set->model}, {"key", key_json(rooms, org, set->secret)}, {"max_tokens", set->max_tokens},
                                 {"changed_at", set->changed_at->str()}, {"changed_by", person(rooms, org, *set->changed_by)}};
  return json_reply(200, out);
}

// By its name, which nobody else's secret has here.
Result<std::optional<SecretId>> key_of(const Rooms& rooms, const Session& session, const std::optional<std::string>& text) {
  if (!text) return std::optional<SecretId>{};
  CAIP_TRY(name, SecretName::parse(*text));
  CAIP_TRY(secret, rooms.secrets.find(session.org(), SecretKind::ai_provider, name));
  if (!secret) return fail(Code::invalid, "there is no secret " + name.str() + " of kind ai_provider");
  return std::optional(secret->id);
}

Result<AiProvider> asked_for(const Rooms& rooms, Call& call, bool test) {
  Members m(call.body);
  CAIP_TRY(vendor_name, m.string("provider", 32));
  CAIP_TRY(base_url, m.optional_string("base_url", 2048));
  CAIP_TRY(model, test ? Result<std::string>(std::string()) : m.string("model", 256));
  CAIP_TRY(secret_text, m.optional_string("secret", 64));
  CAIP_TRY(max_tokens, test ? Result<std::optional<std::int64_t>>(std::nullopt) : m.optional_integer("max_tokens", 16, approvals::kMostTokensOfATurn));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(vendor, parse_ai_vendor(vendor_name));
  AiProvider p{.vendor = vendor, .base_url = base_url.value_or(std::string(pilot::default_base_url(vendor))), .model = model, .max_tokens = max_tokens.value_or(2048)};
  if (p.base_url.empty()) return fail(Code::invalid, "this provider has no address of its own: give base_url");
  CAIP_CHECKED(pilot::acceptable(PilotDesk::for_pilot(p)));
  CAIP_TRY(secret, key_of(rooms, *call.session, secret_text));
  p.secret = secret;
  return p;
}

Reply set(const Rooms& rooms, PilotDesk& desk, Call& call) {
  CAIP_TRY(p, asked_for(rooms, call, false));
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetAiProvider{p.vendor}));
  CAIP_CHECKED(rooms.ai.set_provider(std::move(permit), p));
  return shown(rooms, desk, call.session->org());
}

Reply remove(const Rooms& rooms, PilotDesk& desk, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RemoveAiProvider{}));
  CAIP_CHECKED(rooms.ai.remove_provider(std::move(permit)));
  return shown(rooms, desk, call.session->org());
}

Reply test(const Rooms& rooms, PilotDesk& desk, Call& call) {
  CAIP_TRY(p, asked_for(rooms, call, true));
  CAIP_TRY(permit, permit_for(rooms, *call.session, TestAiProvider{p.vendor}));
  CAIP_CHECKED(rooms.ai.record_test(std::move(permit), p.base_url, p.secret));
  CAIP_TRY(found, desk.models(*call.session, call.origin(), p));
  return json_reply(200, json::object{{"models", json::array(found.begin(), found.end())}});
}

}  // namespace

void add_ai_provider_routes(Router& router, const Rooms& rooms, PilotDesk& desk) {
  const std::vector<Field> where{{"provider", "string"}, {"base_url", "string", false}, {"secret", "string", false}};
  std::vector<Field> whole = where;
  whole.insert(whole.end(), {{"model", "string"}, {"max_tokens", "integer", false}});
  router.add({.method = "GET", .path = "/api/v1/ai/provider", .operation = "getAiProvider", .summary = "Who answers as the organisation's AI, and which providers there are to choose from",
              .permission = Permission::pilot_view, .handler = [&rooms, &desk](Call& c) { return shown(rooms, desk, c.session->org()); }, .answer = "AiProvider"});
  router.add({.method = "PUT", .path = "/api/v1/ai/provider", .operation = "setAiProvider",
              .summary = "Choose who answers: anthropic, openai, gemini, ollama or openai_compatible, a model of theirs, and a secret of kind ai_provider as the key (step-up)",
              .permission = Permission::secret_ai, .handler = [&rooms, &desk](Call& c) { return set(rooms, desk, c); }, .body = whole, .answer = "AiProvider"});
  router.add({.method = "DELETE", .path = "/api/v1/ai/provider", .operation = "removeAiProvider", .summary = "What the installation has configured answers again, or the built-in planner (step-up)",
              .permission = Permission::secret_ai, .handler = [&rooms, &desk](Call& c) { return remove(rooms, desk, c); }, .answer = "AiProvider"});
  router.add({.method = "POST", .path = "/api/v1/ai/provider/test", .operation = "testAiProvider",
              .summary = "Test the connection: the models that the provider has for this key (step-up: the key goes there)",
              .permission = Permission::secret_ai, .handler = [&rooms, &desk](Call& c) { return test(rooms, desk, c); },
              .body = where, .idempotency_key = true, .answer = "AiModels"});
}

}  // namespace caip::web
