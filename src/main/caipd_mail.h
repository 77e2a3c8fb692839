// The installation's mail sender, from the configuration file: [mail].
#pragma once
#include "caipd_sign_in.h"
#include "caipd_toml.h"
#include "model/names.h"
#include "notifications/postman.h"

namespace caip::main {

inline Result<notifications::MailSender> read_mail(const toml::table& table) {
  TomlReader r(table, "mail.");
  std::string host, security = "starttls", user, from_text, password_file;
  std::int64_t port = 0;
  r.text("host", host);
  r.integer("port", port);
  r.text("security", security);
  r.text("user", user);
  r.text("from", from_text);
  r.text("password_file", password_file);
  CAIP_CHECKED(r.finish());
  if (host.empty() || host.size() > 253 || has_hidden(host)) return fail(Code::invalid, "mail.host is the name of a mail server");
  if (security != "starttls" && security != "tls") return fail(Code::invalid, "mail.security is \"starttls\" or \"tls\": without TLS no mail is sent");
  if (port == 0) port = security == "tls" ? 465 : 587;
  if (port < 1 || port > 65535) return fail(Code::invalid, "mail.port is 1 to 65535");
  auto from = Email::parse(from_text);
  if (!from) return fail(Code::invalid, "mail.from is the address that letters come from");
  if (user.empty() != password_file.empty()) return fail(Code::invalid, "mail.user and mail.password_file belong together");
  notifications::MailSender sender{host, static_cast<std::uint16_t>(port), security == "starttls", user, nullptr, *std::move(from)};
  if (password_file.empty()) return sender;
  CAIP_TRY(secret, read_client_secret(password_file, "mail.password_file", S_IRWXG | S_IRWXO));
  sender.password = std::make_shared<const SecretBytes>(std::move(secret));
  return sender;
}

}  // namespace caip::main
