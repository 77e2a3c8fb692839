// The providers people sign in with, from the configuration file: [sign_in.ID].
#pragma once
#include <sys/stat.h>

#include <boost/url/parse.hpp>
#include <fstream>

#include "base/result.h"
#include "base/text.h"
#include "caipd_toml.h"
#include "federation/discovery.h"
#include "federation/providers.h"
#include "passkeys/webauthn.h"

namespace caip::main {

// Its first line. A file that others may read (`nobody_else`: bits of its mode) is no secret.
inline Result<SecretBytes> read_client_secret(const std::string& path, const std::string& setting, mode_t nobody_else = S_IROTH | S_IWOTH) {
  struct stat about {};
  if (path.empty() || stat(path.c_str(), &about) != 0) return fail(Code::invalid, setting + " cannot be read: " + path);
  if ((about.st_mode & nobody_else) != 0) return fail(Code::invalid, setting + (nobody_else == (S_IROTH | S_IWOTH) ? " is open to everybody: chmod o-rw " : " is open to others: chmod 600 ") + path);
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line.empty() || line.size() > 1024) return fail(Code::invalid, setting + " holds no secret: " + path);
  SecretBytes secret{std::string_view(line)};
  wipe(std::span<char>(line));
  return secret;
}

inline bool good_provider_id(std::string_view id) {
  return !id.empty() && id.size() <= 32 && id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == id.npos;
}

inline Result<federation::ProviderConfig> read_provider(const std::string& id, const toml::table& table) {
  const std::string where = "sign_in." + id + ".";
  if (!good_provider_id(id)) return fail(Code::invalid, "sign_in." + id + ": a provider's name has small letters, digits and '-'");
  federation::ProviderConfig c{.id = id, .label = id};
  std::string kind = "openid", secret_file;
  TomlReader r(table, where);
  r.text("kind", kind);
  r.text("label", c.label);
  r.text("client_id", c.client_id);
  r.text("client_secret_file", secret_file);
  if (kind == "openid") r.text("issuer", c.issuer), r.text("hosted_domain", c.hosted_domain);
  if (kind == "github") r.text("web", c.web), r.text("api", c.api);
  CAIP_CHECKED(r.finish());
  if (kind != "openid" && kind != "github") return fail(Code::invalid, where + "kind is \"openid\" or \"github\"");
  c.kind = kind == "github" ? federation::Kind::github : federation::Kind::openid;
  if (c.client_id.empty()) return fail(Code::invalid, where + "client_id is missing");
  if (c.label.empty() || c.label.size() > 64 || has_hidden(c.label)) return fail(Code::invalid, where + "label is 1 to 64 visible characters");
  for (const auto& url : c.kind == federation::Kind::github ? std::vector{c.web, c.api} : std::vector{c.issuer})
    if (!federation::good_endpoint(url)) return fail(Code::invalid, where + (c.kind == federation::Kind::github ? "web and api are" : "issuer is") + " an https address");
  CAIP_TRY(secret, read_client_secret(secret_file, where + "client_secret_file"));
  c.client_secret = std::make_shared<const SecretBytes>(std::move(secret));
  return c;
}

inline Result<std::vector<federation::ProviderConfig>> read_providers(const toml::table& sign_in) {
  std::vector<federation::ProviderConfig> out;
  for (const auto& [key, node] : sign_in) {
    const std::string id(key.str());
    if (!node.is_table()) return fail(Code::invalid, "sign_in." + id + " must be a table");
    CAIP_TRY(one, read_provider(id, *node.as_table()));
    out.push_back(std::move(one));
  }
  return out;
}

// A provider sends people, with their codes, to exactly this origin.
inline bool good_public_url(std::string_view url) {
  if (!url.starts_with("https://")) return false;
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || parsed->has_userinfo() || !parsed->encoded_path().empty() || parsed->has_query() || parsed->has_fragment()) return false;
  return !parsed->encoded_host().empty() && (!parsed->has_port() || parsed->port_number() != 0);
}

// Passkeys are for the host that browsers find us by, and answer only to pages of exactly this origin.
inline passkeys::Site site_of(std::string public_url) {
  while (public_url.ends_with('/')) public_url.pop_back();
  const std::string host = public_url.substr(public_url.find("//") + 2);
  const auto colon = host.find_last_of(":]");
  return {colon != host.npos && host[colon] == ':' ? host.substr(0, colon) : host, public_url};
}

}  // namespace caip::main
