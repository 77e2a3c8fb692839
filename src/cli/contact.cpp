#include "contact.h"

#include "commands.h"
#include "terminal.h"
#include "trust.h"

namespace caip::cli {

Result<std::string> email_for(const Line& line) {
  if (!line.email.empty()) return line.email;
  return typed("E-mail", false);
}

Result<Api> first_contact(const Line& line) {
  CAIP_TRY(paths, xdg_paths());
  std::string url = line.url;
  if (url.empty()) {
    const auto known = load_config(paths);
    if (!known) return fail(Code::invalid, "which server? pass --url https://…");
    url = known->url;
  }
  CAIP_TRY(config, establish_trust(paths, url, {line.ca_file, line.ca_sha256}));
  return Api(paths, config);
}

}  // namespace caip::cli
