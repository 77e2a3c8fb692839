#include "base/product.h"
#include "web/api.h"

namespace caip::web {

// The TLS chain is read without trusting it; of its certificates the one with our fingerprint
// becomes the only authority that curl accepts, and the name asked for is the one that only our
// own certificate bears. The token goes to the script's standard input, so that it is in no
// process list. The second fingerprint is that of whom the agent trusts on its channel.
std::string install_command(const std::string& url, const Authorities& authorities, const std::string& token) {
  const std::string name(kControlName);
  std::string host = url.substr(url.find("//") + 2);
  if (auto slash = host.find('/'); slash != std::string::npos) host.resize(slash);
  if (host.find(':', host.rfind(']') == std::string::npos ? 0 : host.rfind(']')) == std::string::npos) host += ":443";
  return "( set -e; umask 077; d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; cd \"$d\"; "
         "openssl s_client -connect " + host + " -servername " + name + " -showcerts </dev/null 2>/dev/null "
         "| awk '/BEGIN CERT/{n++;p=1} p{print > (\"c\" n)} /END CERT/{p=0}'; "
         "for c in c*; do if [ \"$(openssl x509 -in $c -outform DER | openssl dgst -sha256 -r | cut -c1-64)\" = " + authorities.ca_sha256 +
         " ]; then mv $c ca.pem; break; fi; done; "
         "[ -s ca.pem ] || { echo 'The control plane did not prove who it is.' >&2; exit 1; }; "
         "curl -fsS --cacert ca.pem --connect-to " + name + ":443:" + host + " -o install.sh https://" + name + "/install.sh; "
         "printf '%s' '" + token + "' | sh install.sh https://" + host + " ca.pem " + authorities.agent_ca_sha256 + " )";
}

}  // namespace caip::web
