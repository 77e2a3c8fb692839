#include "trust.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "http.h"
#include "terminal.h"

namespace caip::cli {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

// The authority stands last in the chain.
Result<std::string> pinned_by_fingerprint(const std::string& url, const std::string& wanted) {
  CAIP_TRY(chain, presented_chain(url));
  for (auto pem = chain.rbegin(); pem != chain.rend(); ++pem)
    if (const auto print = fingerprint(*pem); print && *print == wanted) return *pem;
  return fail(Code::forbidden, "no certificate that the server shows has this SHA-256. Do not go on: it is another server, or someone is in between.");
}

Result<std::string> asked_for(const std::string& url) {
  CAIP_TRY(chain, presented_chain(url));
  const std::string& authority = chain.back();
  CAIP_TRY(print, fingerprint(authority));
  say("This machine does not know the authority behind " + url + ".");
  say("SHA-256 of its certificate: " + print);
  if (!at_terminal())
    return fail(Code::forbidden, "compare it with what the server printed and pass --ca-sha256 " + print);
  if (!confirmed("Is it the one that the server shows?")) return fail(Code::forbidden, "not trusted");
  return authority;
}

}  // namespace

Result<std::string> fingerprint(std::string_view pem) {
  const auto begin = pem.find(kBegin);
  const auto end = pem.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
    return fail(Code::malformed, "not a certificate in PEM form");
  std::string body(pem.substr(begin + kBegin.size(), end - begin - kBegin.size()));
  std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  const auto der = from_base64(body);
  if (!der) return fail(Code::malformed, "not a certificate in PEM form");
  return hex(crypto::sha256(*der));
}

Result<std::string> checked_fingerprint(std::string_view text) {
  if (text.starts_with("sha256:") || text.starts_with("SHA256:")) text.remove_prefix(7);
  std::string out;
  for (const char c : text) {
    if (c == ':') continue;
    out += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (const auto bytes = from_hex(out); !bytes || bytes->size() != 32) return fail(Code::invalid, "a SHA-256 has 64 hexadecimal digits");
  return out;
}

Result<std::string> checked_url(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  constexpr std::string_view kScheme = "https://";
  if (!text.starts_with(kScheme)) return fail(Code::invalid, "the address must start with https://");
  const std::string_view authority = text.substr(kScheme.size());
  const bool plain = !authority.empty() && std::ranges::all_of(authority, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view(".-:[]").contains(c);
  });
  if (!plain) return fail(Code::invalid, "the address must be https://HOST or https://HOST:PORT");
  return std::string(text);
}

Result<Config> establish_trust(const Paths& paths, const std::string& given, const TrustOptions& options) {
  CAIP_TRY(url, checked_url(given));
  std::string authority;
  if (!options.ca_file.empty()) {
    CAIP_TRY(pem, read_file(options.ca_file, 1U << 20U));
    CAIP_CHECKED(fingerprint(pem));
    authority = pem;
  } else if (!options.ca_sha256.empty()) {
    CAIP_TRY(wanted, checked_fingerprint(options.ca_sha256));
    CAIP_TRY(pem, pinned_by_fingerprint(url, wanted));
    authority = pem;
  } else if (const auto known = load_config(paths); known && known->url == url) {
    return *known;  // pinned before
  } else if (trusted_by_system(url)) {
    return Config{url, {}};
  } else {
    CAIP_TRY(pem, asked_for(url));
    authority = pem;
  }
  // A file of its own: a sign-in that fails leaves what was pinned before as it was.
  CAIP_TRY(print, fingerprint(authority));
  const std::string file = "ca-" + print.substr(0, 32) + ".pem";
  CAIP_CHECKED(write_private(paths.config / file, authority));
  return Config{url, file};
}

}  // namespace caip::cli
