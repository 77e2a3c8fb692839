// account …, invitation accept: what is done by letter. A link is typed, or read from standard input: it is a credential.
#include "api.h"
#include "base/text.h"
#include "commands.h"
#include "contact.h"
#include "terminal.h"

namespace caip::cli {
namespace {

// The whole link, or what stands behind its "token=".
Result<std::string> token_for(const Line& line) {
  CAIP_TRY(given, line.link_stdin ? first_line_of_stdin() : typed("The link of the letter", true));
  const auto mark = given.rfind("token=");
  return mark == given.npos ? given : given.substr(mark + 6);
}

Result<std::string> new_password(const Line& line) {
  if (line.link_stdin) return first_line_of_stdin();
  CAIP_TRY(once, typed("New password", true));
  CAIP_TRY(again, typed("Again", true));
  if (once != again) return fail(Code::invalid, "the two passwords differ; nothing was changed");
  return once;
}

int said(const Line& line, const json::object& answer, std::string_view text) {
  if (line.as_json) print_json(answer);
  else print(text);
  return 0;
}

// As the person who is signed in at this server; the session goes on in the organisation that they joined.
Result<int> join(const Line& line, Api& api, const std::string& token, const std::string& email, const std::string& organization) {
  auto joined = api.post("/invitations/join", {{"token", token}});
  if (!joined && joined.error().code == Code::unauthenticated)
    return fail(Code::unauthenticated, "this address has an account: sign in as " + email + " (caip login), then run this again");
  if (!joined) return std::unexpected<Error>(std::move(joined).error());
  const auto* there = object_member(*joined, "organization");
  CAIP_TRY(session, api.send_json("POST", "/session/organization", json::object{{"organization_id", there != nullptr ? text_of_member(*there, "id") : ""}}));
  CAIP_CHECKED(api.keep_session(session));
  return said(line, *joined, "You are a member of " + organization + ", and act in it now.");
}

// Another address is given to an account by whoever is signed in to it, and by nobody else who has the link.
Result<int> confirm_new(const Line& line, Api& api, const std::string& token) {
  auto done = api.post("/account/email-confirmations", {{"token", token}});
  if (!done && (done.error().code == Code::unauthenticated || done.error().code == Code::forbidden))
    return fail(done.error().code, "sign in to the account that asked for this address (caip login), then run this again");
  if (!done) return std::unexpected<Error>(std::move(done).error());
  return said(line, *done, "Confirmed: " + shown(text_of_member(*done, "email")) + " is the address of your account, and what you sign in with.");
}

}  // namespace

Result<int> account_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(a, api.get("/account"));
  if (line.as_json) return print_json(a), 0;
  const std::string wanted = text_of_member(a, "wanted_email"), since = text_of_member(a, "email_verified_at");
  print(shown(text_of_member(a, "email")) + (since.empty() ? ", not confirmed" : ", confirmed " + shown(since)));
  if (!wanted.empty()) print("To be " + shown(wanted) + " once that is confirmed");
  if (a.at("mail") != true) print("This installation sends no mail: nothing can be confirmed, changed or reset by letter.");
  return 0;
}

Result<int> account_verify_email(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(done, api.post("/account/verification", {}));
  return said(line, done, "A link is on its way. Open it, or: caip account confirm-email");
}

Result<int> account_change_email(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(done, api.put("/account/email", {{"email", line.email}}));
  return said(line, done, "A link is on its way to " + shown(line.email) + ". Your address changes once it is confirmed there.");
}

Result<int> account_confirm_email(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  CAIP_TRY(token, token_for(line));
  CAIP_TRY(link, api.post_anonymous("/email-confirmations/look", {{"token", token}}));
  if (link.at("change") == true) return confirm_new(line, api, token);
  CAIP_TRY(done, api.post_anonymous("/email-confirmations", {{"token", token}}));
  return said(line, done, "Confirmed: " + shown(text_of_member(done, "email")));
}

Result<int> account_forgot_password(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  CAIP_TRY(email, email_for(line));
  CAIP_TRY(done, api.post_anonymous("/password-resets", {{"email", email}}));
  return said(line, done, "If this address has an account, a link is on its way. Open it, or: caip account reset-password");
}

Result<int> account_reset_password(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  CAIP_TRY(token, token_for(line));
  CAIP_TRY(password, new_password(line));
  CAIP_CHECKED(api.post_anonymous("/password-resets/redeem", {{"token", token}, {"password", password}}));
  return said(line, json::object{{"changed", true}}, "The password is changed, and all your sessions have ended. Sign in with: caip login");
}

// Who has no account gets one with a password of theirs; who has one joins as the person who is signed in here.
Result<int> invitation_accept(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  CAIP_TRY(token, token_for(line));
  CAIP_TRY(offer, api.post_anonymous("/invitations/look", {{"token", token}}));
  const auto* has_account = offer.if_contains("has_account");
  const std::string email = shown(text_of_member(offer, "email")), organization = shown(text_of_member(offer, "organization"));
  say(shown(text_of_member(offer, "invited_by")) + " invites " + email + " to " + organization + " as " + shown(text_of_member(offer, "role")) + ".");
  if (has_account != nullptr && *has_account == true) return join(line, api, token, email, organization);
  CAIP_TRY(password, new_password(line));
  CAIP_TRY(done, api.post_anonymous("/invitations/accept", {{"token", token}, {"password", password}}));
  return said(line, done, "You are a member of " + organization + ". Sign in with: caip login --email " + email);
}

Result<int> account_disown_sign_in(const Line& line) {
  CAIP_TRY(api, first_contact(line));
  CAIP_TRY(token, token_for(line));
  CAIP_CHECKED(api.post_anonymous("/sign-ins/disown", {{"token", token}}));
  return said(line, json::object{{"disowned", true}}, "All sessions have ended, and the password lets nobody in. A letter with a link to choose a new one is on its way.");
}

}  // namespace caip::cli
